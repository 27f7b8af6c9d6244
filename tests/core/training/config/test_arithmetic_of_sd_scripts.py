"""What sd-scripts itself counted of 200 random datasets (custom/record_sd_scripts_arithmetic.py), counted here."""

import json
from pathlib import Path

import pytest

from core.base.buckets import BucketRule, fill_buckets
from core.base.errors import ConfigError
from core.training.config import TrainingSettings
from core.training.config.counting import count_steps, repeats_of_images, split_of

DATA = Path(__file__).parents[3] / "data" / "sd_scripts_arithmetic_48d368fa.jsonl"
CASES = [json.loads(line) for line in DATA.read_text(encoding="utf-8").splitlines()]
RULE = ("enable_bucket", "min_bucket_reso", "max_bucket_reso", "bucket_reso_steps", "bucket_no_upscale")


def is_thinner_than_a_step(case):
    """sd-scripts makes a bucket of no width of it, and stops when it cuts the picture; here it is said before."""
    return any("0" in size.split("x") for kind in ("buckets", "validation_buckets") for size in case["found"].get(kind, ()))


COUNTED = [case for case in CASES if "error" not in case["found"] and not is_thinner_than_a_step(case)]
THIN = [case for case in CASES if is_thinner_than_a_step(case)]
REFUSED = [case for case in CASES if "error" in case["found"]]


def rule_of(case):
    return BucketRule(tuple(case["resolution"]), *(case[name] for name in RULE)).checked()


def sizes_of(subset):
    return [tuple(map(int, size.split("x"))) for size in subset["sizes"].split()]


def settings_of(case):
    subsets = [{"image_dir": f"/{number}", "num_repeats": subset["num_repeats"], "is_reg": subset["is_reg"]}
               for number, subset in enumerate(case["subsets"])]
    schedule = {name: case.get(name) for name in ("max_train_epochs", "max_train_steps", "gradient_accumulation_steps")}
    held_back = {name: case[name] for name in ("validation_split", "validation_seed") if name in case}
    return TrainingSettings().with_values(data={"subsets": subsets, "batch_size": case["batch_size"], **held_back}, schedule=schedule)


def taken(case, validation=False):
    """Sizes of the pictures that are learned (or measured), folder by folder."""
    split, seed = case.get("validation_split", 0.0), case.get("validation_seed")
    found = []
    for subset in case["subsets"]:
        sizes = sizes_of(subset)
        places = split_of(len(sizes), 0.0 if subset["is_reg"] else split, seed)
        chosen = (() if subset["is_reg"] else places.validated) if validation else places.learned
        found.append([sizes[place] for place in chosen])
    return found


def filled(case):
    folders = taken(case)
    repeats = repeats_of_images(settings_of(case).data.subsets, [len(folder) for folder in folders])
    pictures = [pair for sizes, times in zip(folders, repeats, strict=True) for pair in zip(sizes, times, strict=True)]
    return fill_buckets(pictures, rule_of(case))


def worded(buckets):
    return {f"{width}x{height}": count for (width, height), count in buckets.items()}


def test_enough_of_every_kind_was_recorded():
    assert len(COUNTED) + len(THIN) == 200 and len(COUNTED) > 190 and len(REFUSED) > 20
    assert sum("validation_split" in case for case in COUNTED) > 40 and sum(case["processes"] > 1 for case in COUNTED) > 80
    assert sum(case["bucket_no_upscale"] and case["enable_bucket"] for case in COUNTED) > 40
    assert sum(not case["enable_bucket"] for case in COUNTED) > 15


@pytest.mark.parametrize("number", range(len(COUNTED)))
def test_a_dataset_is_counted_as_sd_scripts_counts_it(number):
    case, found = COUNTED[number], COUNTED[number]["found"]
    buckets = filled(case)
    counts = [len(sizes_of(subset)) for subset in case["subsets"]]
    totals = count_steps(settings_of(case), counts, buckets, case["processes"])
    learned = sum(len(sizes) * subset["num_repeats"] for subset, sizes in zip(case["subsets"], taken(case), strict=True)
                  if not subset["is_reg"])
    ours = {"buckets": worded(buckets), "images": learned, "batches": totals.batches_per_epoch,
            "batches_of_process": totals.batches_of_process, "steps_per_epoch": totals.steps_per_epoch, "steps": totals.steps,
            "epochs": totals.epochs}
    assert ours == {name: found[name] for name in ours}
    assert totals.images == sum(found["buckets"].values())


@pytest.mark.parametrize("number", [number for number, case in enumerate(COUNTED) if "validation_split" in case])
def test_what_is_held_back_is_what_sd_scripts_holds_back(number):
    case = COUNTED[number]
    buckets = fill_buckets([(size, 1) for folder in taken(case, validation=True) for size in folder], rule_of(case))
    assert worded(buckets) == case["found"].get("validation_buckets", {})


@pytest.mark.parametrize("number", range(len(REFUSED)))
def test_what_sd_scripts_refuses_is_refused_here(number):
    with pytest.raises(ConfigError):
        filled(REFUSED[number])


@pytest.mark.parametrize("number", range(len(THIN)))
def test_a_picture_thinner_than_a_step_is_named(number):
    with pytest.raises(ConfigError, match=r"narrow|smaller than bucket_reso_steps"):
        filled(THIN[number])
