"""Trains."""

import argparse
from pathlib import Path

import tomllib

from musubi_tuner.files import make_parser
from musubi_tuner.training.trainer_base import NetworkTrainer


def main():
    parser = make_parser("flux_2_train_network.py")
    args = parser.parse_args()
    config = tomllib.loads(Path(args.config_file).read_text(encoding="utf-8"))
    flat = {name: value for table in config.values() for name, value in (table.items() if isinstance(table, dict) else [])}
    flat |= {name: value for name, value in config.items() if not isinstance(value, dict)}
    unknown = set(flat) - set(vars(args))
    assert not unknown, unknown
    NetworkTrainer().train(parser.parse_args(namespace=argparse.Namespace(**flat)))


if __name__ == "__main__":
    main()
