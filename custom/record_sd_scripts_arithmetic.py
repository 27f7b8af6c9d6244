"""Lets sd-scripts itself count 200 random datasets, and writes what it found as the data that Lorabook's arithmetic is compared with.

    trainers/sd-scripts/.venv/bin/python custom/record_sd_scripts_arithmetic.py trainers/sd-scripts [--out tests/data] [--count 200]

It runs with the Python of an sd-scripts checkout and imports nothing of Lorabook. Of each dataset real PNG files of one colour are
written into a temporary folder; sd-scripts reads their sizes, makes its buckets and its batches, accelerate deals them out to the
processes, and steps and epochs come from the very expressions of `train_network.py`, which are taken from its source. Datasets that
sd-scripts refuses are written down too, beside the 200.
"""

from __future__ import annotations

import argparse
import ast
import json
import logging
import math
import os
import random
import struct
import subprocess
import sys
import tempfile
import zlib
from pathlib import Path
from types import CodeType, SimpleNamespace
from typing import Any

COUNTED = ("args.max_train_steps", "num_update_steps_per_epoch", "num_train_epochs")
"""Assignments of `NetworkTrainer.train` that say how long a run is."""
SIDES = (384, 512, 640, 683, 720, 768, 832, 896, 1000, 1024, 1080, 1200, 1280, 1536, 1920, 2048, 3000)


def random_case(chance: random.Random) -> dict[str, Any]:
    """Settings of a dataset and of a run, as a person could choose them; some of them sd-scripts refuses."""
    resolution = chance.choice([512, 512, 768, 768, 1024, 1024, 640, 96])
    size = [resolution, resolution] if chance.random() < 0.6 else [resolution, chance.choice([256, 512, 704, 768, 1024, 1200])]
    case: dict[str, Any] = {
        "resolution": size, "enable_bucket": chance.random() < 0.85, "min_bucket_reso": chance.choice([256, 256, 256, 320, 200, 64]),
        "max_bucket_reso": chance.choice([1024, 1024, 2048, 1000, 4096]), "bucket_reso_steps": chance.choice([64, 64, 64, 32, 16, 8, 48]),
        "bucket_no_upscale": chance.random() < 0.35, "batch_size": chance.choice([1, 2, 3, 4, 6, 8]),
        "gradient_accumulation_steps": chance.choice([1, 1, 2, 3, 4, 8]), "processes": chance.choice([1, 1, 2, 3, 4])}
    case |= {"max_train_epochs": chance.randint(1, 30)} if chance.random() < 0.6 else {"max_train_steps": chance.randint(1, 5000)}
    if chance.random() < 0.35:
        case |= {"validation_split": chance.choice([0.05, 0.1, 0.15, 0.2, 0.25, 0.5]), "validation_seed": chance.randint(0, 9999)}
    kinds = [False] * chance.choice([1, 1, 2, 3]) + [True] * chance.choice([0, 0, 1, 2])
    case["subsets"] = [{"is_reg": kind, "num_repeats": chance.randint(1, 12), "sizes": [random_size(chance, size) for _ in range(count)]}
                       for kind in kinds for count in [chance.randint(1, 25)]]
    return case


def random_size(chance: random.Random, resolution: list[int]) -> list[int]:
    """Width and height of a picture: a usual one, any, a long one, a tiny one, or the training size itself."""
    kind = chance.random()
    if kind < 0.5:
        return [chance.choice(SIDES), chance.choice(SIDES)]
    if kind < 0.8:
        return [chance.randint(200, 2500), chance.randint(200, 2500)]
    if kind < 0.88:
        long = [chance.randint(1500, 4000), chance.randint(80, 400)]
        return long if chance.random() < 0.5 else long[::-1]
    if kind < 0.94:
        return [chance.randint(40, 200), chance.randint(40, 200)]
    return list(resolution)


def write_png(path: Path, width: int, height: int) -> None:
    """A black picture of that size."""
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = zlib.compress(bytes((1 + (width + 7) // 8) * height), 1)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0))
                     + chunk(b"IDAT", rows) + chunk(b"IEND", b""))


def write_dataset(case: dict[str, Any], folder: Path) -> dict[str, Any]:
    """The pictures of a case, and what `dataset.toml` would say of them."""
    subsets = []
    for number, subset in enumerate(case["subsets"]):
        place = folder / f"{number}"
        place.mkdir()
        for picture, (width, height) in enumerate(subset["sizes"]):
            write_png(place / f"{picture:04}.png", width, height)
        subsets.append({"image_dir": str(place), "num_repeats": subset["num_repeats"], "is_reg": subset["is_reg"], "class_tokens": "a"})
    names = ("resolution", "enable_bucket", "min_bucket_reso", "max_bucket_reso", "bucket_reso_steps", "bucket_no_upscale", "batch_size",
             "validation_split", "validation_seed")
    return {"datasets": [{**{name: case[name] for name in names if name in case}, "subsets": subsets}]}


def expressions(checkout: Path) -> dict[str, CodeType]:
    """The right sides of `COUNTED` in train_network.py, compiled. Raises: SystemExit: one of them is not there exactly once."""
    tree, found = ast.parse((checkout / "train_network.py").read_text(encoding="utf-8")), {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and (name := ast.unparse(node.targets[0])) in COUNTED:
            if name in found:
                raise SystemExit(f"train_network.py sets {name} more than once.")
            found[name] = compile(ast.Expression(node.value), name, "eval")
    if missing := set(COUNTED) - set(found):
        raise SystemExit(f"train_network.py does not set {', '.join(sorted(missing))}.")
    return found


class Counter:
    """sd-scripts' own dataset code, accelerate's dealing out, and train_network's expressions."""

    def __init__(self, checkout: Path) -> None:
        sys.path.insert(0, str(checkout))
        os.chdir(checkout)
        import train_network
        from library import config_util, train_util

        self.config_util = config_util
        self.arguments = train_network.setup_parser().parse_args([])
        train_util.prepare_dataset_args(self.arguments, True)
        self.sanitizer = config_util.ConfigSanitizer(True, True, False, True)
        self.expressions = expressions(checkout)
        logging.disable(logging.WARNING)

    def count(self, case: dict[str, Any], config: dict[str, Any]) -> dict[str, Any]:
        """What a run of this case amounts to, or the error that ends it."""
        try:
            blueprint = self.config_util.BlueprintGenerator(self.sanitizer).generate(config, self.arguments)
            train, validation = self.config_util.generate_dataset_group_by_blueprint(blueprint.dataset_group)
        except (AssertionError, ZeroDivisionError) as error:
            return {"error": type(error).__name__}
        found = {"buckets": buckets_of(train), "images": train.num_train_images, "batches": len(train)}
        found |= self.length(case, train)
        if validation is not None:
            found |= {"validation_buckets": buckets_of(validation), "validation_batches": len(validation)}
        return found

    def length(self, case: dict[str, Any], group: Any) -> dict[str, int]:
        """Steps and epochs by train_network's own expressions, before and after accelerate dealt out the batches."""
        from torch.utils.data import DataLoader

        args = SimpleNamespace(max_train_epochs=case.get("max_train_epochs"), max_train_steps=case.get("max_train_steps"),
                               gradient_accumulation_steps=case["gradient_accumulation_steps"])
        names = {"math": math, "args": args, "accelerator": SimpleNamespace(num_processes=case["processes"])}
        loader = DataLoader(group, batch_size=1, shuffle=True)
        if args.max_train_epochs is not None:
            args.max_train_steps = eval(self.expressions["args.max_train_steps"], {**names, "train_dataloader": loader})
        names["train_dataloader"] = dealt_out(loader, case["processes"])
        steps = eval(self.expressions["num_update_steps_per_epoch"], dict(names))
        epochs = eval(self.expressions["num_train_epochs"], {**names, "num_update_steps_per_epoch": steps})
        return {"batches_of_process": len(names["train_dataloader"]), "steps_per_epoch": steps, "steps": args.max_train_steps,
                "epochs": epochs}


def dealt_out(loader: Any, processes: int) -> Any:
    """The loader of the first process, as `accelerator.prepare` makes it; every process has as many batches."""
    from accelerate.data_loader import prepare_data_loader

    loaders = [prepare_data_loader(loader, num_processes=processes, process_index=index) for index in range(processes)]
    if len({len(one) for one in loaders}) != 1:
        raise SystemExit(f"Processes have different numbers of batches: {[len(one) for one in loaders]}.")
    return loaders[0]


def buckets_of(group: Any) -> dict[str, int]:
    """Pictures with repeats in each training size, "WIDTHxHEIGHT", empty ones left out."""
    sizes: dict[str, int] = {}
    for dataset in group.datasets:
        for (width, height), keys in zip(dataset.bucket_manager.resos, dataset.bucket_manager.buckets, strict=True):
            if keys:
                sizes[f"{width}x{height}"] = sizes.get(f"{width}x{height}", 0) + len(keys)
    return sizes


def commit_of(checkout: Path) -> str:
    """The first eight letters of the checkout's commit."""
    command = ["git", "-C", str(checkout), "rev-parse", "--short=8", "HEAD"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def main() -> int:
    """Record, and write one case a line. Returns: the exit code."""
    parser = argparse.ArgumentParser(description="Let sd-scripts count random datasets, and write down what it found.")
    parser.add_argument("checkout", type=Path)
    parser.add_argument("--out", type=Path, default=Path(__file__).resolve().parents[1] / "tests" / "data")
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    checkout, out = given.checkout.resolve(), given.out.resolve()
    os.environ["TQDM_DISABLE"] = "1"
    chance, counter, lines, counted = random.Random(given.seed), Counter(checkout), [], 0
    while counted < given.count:
        case = random_case(chance)
        with tempfile.TemporaryDirectory() as folder:
            found = counter.count(case, write_dataset(case, Path(folder)))
        counted += "error" not in found
        for subset in case["subsets"]:
            subset["sizes"] = " ".join(f"{width}x{height}" for width, height in subset["sizes"])
        lines.append(json.dumps({**case, "found": found}, separators=(",", ":")))
    path = out / f"sd_scripts_arithmetic_{commit_of(checkout)}.jsonl"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(f"{path}: {counted} datasets and {len(lines) - counted} that are refused, {path.stat().st_size} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
