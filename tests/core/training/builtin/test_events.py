"""What the trainer prints before its first step is understood by the monitor."""

from core.training.builtin.events import Reporter
from core.training.monitor.lines import LogParser


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
