"""What the fake scripts share: parsers as the real ones declare them, small files, and a mode that a test sets."""

import argparse
import json
import os
import struct
import sys
import time
from pathlib import Path

import tomllib

KINDS = {"str": str, "Path": Path, "int": int, "float": float, "int_or_float": float}


def make_parser(script):
    """A parser with the arguments of the real script of that name."""
    facts = json.loads(Path(os.environ["FAKE_FACTS"]).read_text(encoding="utf-8"))
    parser = argparse.ArgumentParser()
    for name in facts["scripts"][script]["args"]:
        one = facts["definitions"][name]
        if one["action"] == "StoreTrue":
            parser.add_argument(*one["options"], dest=one["dest"], action="store_true")
        else:
            parser.add_argument(*one["options"], dest=one["dest"], type=KINDS[one["type"]], default=one["default"], nargs=one["nargs"],
                                choices=one["choices"], required=one["required"])
    return parser


def write_safetensors(path, value=1.0, metadata=None):
    """A file with one tensor."""
    said = {"__metadata__": metadata} if metadata else {}
    header = json.dumps({**said, "lora_unet_x.lora_up.weight": {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}}).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header + struct.pack("<4f", *[value] * 4))


def obey(stage):
    """Do what a test wants of a stage: `fail STAGE`, `hang STAGE`, or nothing."""
    wish, _, which = Path(os.environ["FAKE_MODE"]).read_text().partition(" ")
    if which != stage:
        return
    if wish == "fail":
        print(f"ValueError: {stage} went wrong", file=sys.stderr, flush=True)
        sys.exit(7)
    print(f"hanging in {stage}", flush=True)
    time.sleep(300)


def encode(script, stage, name):
    """A cache script: a file for each picture, in the dataset's own folder."""
    args = make_parser(script).parse_args()
    datasets = tomllib.loads(Path(args.dataset_config).read_text(encoding="utf-8"))["datasets"]
    assert len({dataset["cache_directory"] for dataset in datasets}) == len(datasets)
    obey(stage)
    for dataset in datasets:
        for caption in sorted(Path(dataset["image_directory"]).glob("*" + dataset["caption_extension"])):
            print(f"{stage} of {caption.stem}, version {args.model_version}", flush=True)
            write_safetensors(Path(dataset["cache_directory"]) / name.format(caption.stem))
