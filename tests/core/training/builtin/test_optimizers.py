"""Optimizers by sd-scripts' names; what cannot be made is said with its name."""

import pytest
import torch

from core.base.errors import ConfigError, MissingDependency
from core.training.builtin.optimizers import make_optimizer
from core.training.builtin.options import make_options


def made(kind, *arguments):
    options = make_options({"pretrained_model_name_or_path": "m", "output_dir": "o", "optimizer_type": kind,
                            "optimizer_args": list(arguments)})
    parameter = torch.nn.Parameter(torch.ones(3, 3))
    optimizer = make_optimizer(options, [{"params": [parameter], "lr": 1e-3, "name": "unet"}])
    parameter.grad = torch.ones_like(parameter)
    optimizer.step()
    assert not torch.equal(parameter, torch.ones(3, 3))
    return optimizer


@pytest.mark.parametrize(("kind", "arguments"), [
    ("AdamW", ()), ("adamw", ("weight_decay=0.1", "betas=(0.9, 0.99)")), ("", ()), ("Adafactor", ()),
    ("Adafactor", ("relative_step=False", "scale_parameter=False")), ("torch.optim.SGD", ("momentum=0.9",)),
    ("AdamW", ("foreach=True",)), ("AdamW", ("differentiable=False",)), ("AdamW", ("fused=False", "foreach=True")),
    ("AdamW", ("amsgrad=True",)),
])
def test_every_sound_choice_makes_a_step(kind, arguments):
    made(kind, *arguments)


def test_the_fused_kernel_is_used_unless_another_is_asked_for():
    assert made("AdamW").defaults["fused"] is True
    assert not made("AdamW", "foreach=True").defaults["fused"]


@pytest.mark.parametrize(("kind", "argument", "words"), [
    ("AdamW", "weight_decai=0.1", r"takes no 'weight_decai' in optimizer_args. Did you mean 'weight_decay'\?"),
    ("Adafactor", "momentum=0.9", "takes no 'momentum'"), ("torch.optim.SGD", "beta=0.9", "takes no 'beta'"),
    ("AdamW", "betas=(2.0, 0.9)", r"betas=\(2.0, 0.9\)"), ("AdamW", "betas='wide'", "betas='wide'"),
    ("AdamW", "weight_decay=-1", "weight_decay=-1"), ("AdamW", "params=[]", "takes no 'params'"),
    ("torch.optim.None", "lr=1", "no optimizer 'None'"), ("Adamm", "lr=1", "knows no optimizer 'Adamm'"),
])
def test_what_cannot_be_made_is_named(kind, argument, words):
    with pytest.raises(ConfigError, match=words):
        made(kind, argument)


def test_fused_and_foreach_together_are_refused_in_words():
    with pytest.raises(ConfigError, match="fused=True, foreach=True"):
        made("AdamW", "fused=True", "foreach=True")


def test_a_package_that_is_not_here_is_named():
    with pytest.raises(MissingDependency, match="needs 'no_such_package'\\. Run"):
        made("no_such_package.sub.Optimizer")
