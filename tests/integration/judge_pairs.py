"""Run by the Python of an sd-scripts checkout, in its folder: what its own parsers and dataset schema say of pairs of files.

    python judge_pairs.py < list of [script, config, dataset] as JSON > list of complaints as JSON
"""

import argparse
import importlib
import json
import re
import sys
from pathlib import Path

sys.path.insert(0, ".")


def judge(script, config, dataset):
    """Complaints about one pair; empty where the script takes it."""
    import toml
    from library import train_util
    from library.config_util import BlueprintGenerator, ConfigSanitizer

    module = importlib.import_module(script.removesuffix(".py"))
    parser = module.setup_parser()
    actions = {action.dest: action for action in parser._actions}
    given = {}
    for name, value in toml.load(config).items():
        given.update(value if isinstance(value, dict) else {name: value})
    complaints = []
    for name, value in given.items():
        action = actions.get(name)
        if action is None:
            complaints.append(f"{name} is unknown")
            continue
        for one in value if isinstance(value, list) else [value]:
            if isinstance(action, argparse._StoreTrueAction):
                if not isinstance(one, bool):
                    complaints.append(f"{name} is {one!r}, not a bool")
                continue
            made = action.type(str(one)) if action.type else one
            if type(made) is not type(one) and not (isinstance(made, float) and isinstance(one, int)):
                complaints.append(f"{name} is {one!r}, which the parser makes {made!r}")
            if action.choices is not None and made not in action.choices:
                complaints.append(f"{name} is {one!r}, not one of {action.choices}")
        if (action.nargs in ("*", "+")) != isinstance(value, list):
            complaints.append(f"{name} is {value!r}, with nargs {action.nargs}")
    sys.argv = [script, "--config_file", str(config), "--dataset_config", str(dataset)]
    args = train_util.read_config_from_file(parser.parse_args(), parser)
    source = Path(script).read_text(encoding="utf-8") + Path("train_network.py").read_text(encoding="utf-8")  # the networks' one inherits
    call = re.search(r"ConfigSanitizer\(([^)]*)\)", source)[1]
    values = {"True": True, "False": False, "args.masked_loss": args.masked_loss}
    sanitizer = ConfigSanitizer(*(values[one.strip()] for one in call.split(",")))
    try:
        BlueprintGenerator(sanitizer).generate(toml.load(dataset), args)
    except Exception as error:
        complaints.append(f"dataset: {type(error).__name__}: {error}")
    return complaints


if __name__ == "__main__":
    out, sys.stdout = sys.stdout, sys.stderr
    json.dump([judge(*pair) for pair in json.load(sys.stdin)], out)
