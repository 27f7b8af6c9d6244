"""What the trainer prints before its first step is understood by the monitor."""

import sys

import torch

from core.training.builtin.events import Reporter
from core.training.monitor.lines import LogParser
from core.training.monitor.norms import NormsReader
from core.training.run import Run
from tests.core.training.fakes import events_of


def test_caching_is_shown_with_its_count():
    lines = ["caching latents..."]
    reporter = Reporter(None, lines.append)
    for done in (0, 3, 8):
        reporter.preparing(done, 8)
    parser = LogParser()
    parser.feed(lines)
    assert parser.facts.phase == "Caching latents (8 of 8)"


def test_nothing_to_cache_prints_no_bar():
    lines = []
    Reporter(None, lines.append).preparing(0, 0)
    assert lines == []


def test_gradients_and_layers_are_told_as_of_the_other_trainers(tmp_path):
    layer = torch.nn.Linear(4, 4)
    optimizer, reporter = torch.optim.AdamW(layer.parameters(), lr=1e-3), Reporter(tmp_path, lambda line: None)
    reporter.watch([("lora_unet_x", list(layer.parameters()))], 5)
    for step in (6, 7, 8):
        layer(torch.ones(1, 4)).sum().backward()
        if step != 7:  # as with fp16, where a gradient that is no number lets the optimizer out
            optimizer.step()
        reporter.step(step, 8, 1, 0.5, 0.5, {}, 0.1)
    reporter.close()
    norms = NormsReader(tmp_path).read()
    assert [(step, length is None) for step, length, _ in norms.gradient] == [(6, False), (7, True), (8, False)]
    assert [row["step"] for row in events_of(Run(tmp_path), "step")] == [6, 7, 8]
    Reporter(None, print).watch([], 0)
    assert not sys.modules["torch.optim.optimizer"]._global_optimizer_pre_hooks
