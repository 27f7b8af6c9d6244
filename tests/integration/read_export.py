"""Runs in sd-scripts' own environment, in its checkout: what its own classes read from dataset files. Prints one line of JSON.

Standard input: [[path of a dataset file, whether --masked_loss is given], …], or a folder in the place of a file, for --train_data_dir.
"""

import argparse
import json
import sys
from pathlib import Path

from library import config_util, strategy_base, strategy_sd, train_util
from library.config_util import BlueprintGenerator, ConfigSanitizer


def box_of(counts):
    if counts is None or not (counts > 127).any():
        return None
    rows, columns = (counts > 127).any(axis=1).nonzero()[0], (counts > 127).any(axis=0).nonzero()[0]
    return [int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1]


def read(place, masked):
    """Every picture: caption, repeats, size, bucket, the mask's file, the least value of what is learned with,
    and the box in which more than half of it counts: left, top, right, bottom."""
    generator = BlueprintGenerator(ConfigSanitizer(True, True, masked, True))
    given = argparse.Namespace(caption_extension=".txt", train_batch_size=1, debug_dataset=False, resolution=(512, 512), enable_bucket=True,
                               min_bucket_reso=256, max_bucket_reso=1024, bucket_reso_steps=64, bucket_no_upscale=False)
    if Path(place).is_dir():
        user = {"datasets": [{"subsets": config_util.generate_dreambooth_subsets_config_by_subdirs(place)}]}
    else:
        user = config_util.load_user_config(place)
    group, _ = config_util.generate_dataset_group_by_blueprint(generator.generate(user, given).dataset_group)
    found = {}
    for dataset in group.datasets:
        inner = getattr(dataset, "dreambooth_dataset_delegate", dataset)
        for info in inner.image_data.values():
            subset = inner.image_to_subset[info.image_key]
            pixels = train_util.load_image(info.absolute_path, subset.alpha_mask)
            mask = getattr(info, "cond_img_path", None)
            counts = train_util.load_image(mask)[..., 0] if mask else pixels[..., 3] if subset.alpha_mask else None
            same = not mask or train_util.load_image(mask).shape == pixels.shape
            found[info.absolute_path] = {"caption": info.caption, "repeats": info.num_repeats, "size": list(info.image_size),
                                         "shape": list(pixels.shape[1::-1]), "bucket": list(info.bucket_reso), "mask": mask,
                                         "least": 255 if counts is None else int(counts.min()), "box": box_of(counts),
                                         "mask_fits": same, "corner": pixels[0, 0, :3].tolist(),
                                         "class_tokens": getattr(subset, "class_tokens", None), "is_reg": info.is_reg}
    return found


strategy_base.LatentsCachingStrategy.set_strategy(strategy_sd.SdSdxlLatentsCachingStrategy(True, False, 1, False))
told = []
for place, masked in json.load(sys.stdin):
    try:
        told.append(read(place, masked))
    except Exception as error:  # whatever its classes say
        told.append(f"{type(error).__name__}: {error}")
sys.stdout.write("\n" + json.dumps(told) + "\n")
