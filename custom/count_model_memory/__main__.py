"""Counts what each model family takes in memory, and writes it as the data that Lorabook's estimate of GPU memory uses.

    trainers/sd-scripts/.venv/bin/python custom/count_model_memory --checkout trainers/sd-scripts     families of sd-scripts
    .venv/bin/python custom/count_model_memory                                                        the others, through diffusers

Nothing is downloaded and no weight is made: the models of sd-scripts (or diffusers) are built of fake tensors, which have a shape and
a type but no numbers. A LoRA of rank 16 on every layer that sd-scripts gives one is put on them, one training step is taken, and each
storage is counted from the moment it is made until it goes. What autocast does on CUDA and not on a CPU, norms in full precision, is
done here too. At two sizes of the picture, so that a line can be laid through them.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from counting import count, count_text, count_vae

DATA = Path(__file__).resolve().parents[2] / "core" / "training" / "data" / "model_memory.json"


def main() -> int:
    """Count, and write. Returns: the exit code."""
    parser = argparse.ArgumentParser(description="Count what each model family takes in memory.")
    parser.add_argument("--checkout", type=Path, help="an sd-scripts checkout; without it, the families of diffusers")
    parser.add_argument("--only", nargs="*", default=[])
    given = parser.parse_args()
    if given.checkout:
        sys.path.insert(0, str(given.checkout.resolve()))
        import of_sd_scripts as source
    else:
        import of_diffusers as source
    work = [("models", name, count, family) for name, family in source.families().items()]
    work += [("vaes", name, count_vae, vae) for name, vae in source.vaes().items()]
    work += [("texts", name, count_text, text) for name, text in getattr(source, "texts", dict)().items()]
    for kind, name, counted, thing in work:
        if not given.only or name in given.only:
            found = counted(thing)
            print(name, found, flush=True)
            facts = json.loads(DATA.read_text(encoding="utf-8")) if DATA.exists() else {"models": {}, "vaes": {}, "texts": {}}
            facts[kind][name] = found
            DATA.write_text(json.dumps(facts, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
