"""A prepared trainer on a tiny model, for this folder's tests."""

from core.diffusion import load_model
from core.training.builtin.dataset import read_datasets
from core.training.builtin.events import Reporter
from core.training.builtin.loop import Trainer
from core.training.builtin.options import read_options
from core.training.config.pair import read_tables
from tests.tiny_models import make_pictures, write_training_pair


def make_trainer(folder, model_folder, sizes=((64, 64),) * 4, dataset=None, subset=None, prepare=True, **config):
    """A Trainer as `main` makes it, on the CPU; its pictures lie in folder/images."""
    images = make_pictures(folder / "images", list(sizes))
    config_file, dataset_file = write_training_pair(folder, model_folder, images, dataset, subset, **config)
    options = read_options(config_file)
    lines = []
    reporter = Reporter(folder, lines.append)
    datasets = read_datasets(read_tables(dataset_file), options.raw, reporter.warn)
    trainer = Trainer(options, load_model(model_folder, device="cpu"), datasets, reporter, folder)
    if prepare:
        trainer.prepare()
    return trainer
