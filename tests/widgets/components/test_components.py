"""The components' Python side: what they send, what they refuse."""

import math
from array import array

import pytest
import traitlets

from widgets.components.caption_editor import CaptionEditor, Shown, Wish
from widgets.components.chart import Chart, Curve, thin
from widgets.components.log import LogView
from widgets.components.run_log import RunLog
from widgets.components.samples import Picture, Samples
from widgets.components.status import StatusLine


def test_the_status_line_knows_only_its_fixed_states():
    line = StatusLine()
    line.say("working", "Working 3 of 40", 3 / 40, "about 2 min left")
    assert (line.state, line.fraction, line.left) == ("working", 3 / 40, "about 2 min left")
    with pytest.raises(Exception, match="state"):
        line.say("busy", "Busy")


def test_the_log_keeps_its_last_lines():
    log = LogView()
    log.show("\n".join(str(number) for number in range(1000)))
    assert log.text.splitlines()[0] == "600" and log.text.splitlines()[-1] == "999"
    log.append("end")
    assert log.text.splitlines()[-1] == "end"


def test_a_thinned_curve_keeps_its_ends_and_its_peaks():
    x = list(range(10_000))
    y = [math.sin(step / 50) for step in x]
    y[5000], y[7001] = 9.0, math.nan
    thin_x, thin_y = thin(x, y, 1000)
    assert len(thin_x) <= 1000 and (thin_x[0], thin_x[-1]) == (0, 9999)
    assert 9.0 in thin_y and thin_x == sorted(thin_x)


def test_curves_go_to_the_browser_as_packed_floats():
    chart = Chart(panes=["Loss"])
    chart.show([Curve("loss", [1, 2], [0.5, math.nan])])
    sent = array("f")
    sent.frombytes(chart.curves[0]["y"])
    assert sent[0] == 0.5 and math.isnan(sent[1])
    with pytest.raises(ValueError, match="2 x and 1 y"):
        chart.show([Curve("loss", [1, 2], [0.5])])


def test_samples_are_loaded_only_by_keys_that_are_shown(tmp_path):
    asked = []
    samples = Samples(lambda key: asked.append(key) or b"data")
    samples.show(["a"], ["Epoch 1"], [Picture(0, 0, "one.png", "a")])
    sent = []
    samples.send = lambda content, buffers: sent.append((content, buffers))
    samples._asked(samples, {"want": "/etc/passwd"}, [])
    samples._asked(samples, {"want": "one.png"}, [])
    assert asked == ["one.png"] and sent == [({"picture": "one.png", "there": True}, [b"data"])]


def test_a_save_carries_the_id_and_revision_that_were_shown():
    wishes = []
    editor = CaptionEditor(wishes.append)
    editor.show(Shown("a", "r1", "cat", "1 of 2", "a.png"))
    editor._heard(editor, {"kind": "next", "id": "a", "revision": "r1", "text": "cat, hat", "changed": True, "token": "0.5"}, [])
    editor._heard(editor, {"kind": "delete everything"}, [])
    assert wishes == [Wish("next", "a", "r1", "cat, hat", True, token="0.5")]
    editor.answered(wishes[0])
    assert editor.answer == "0.5"


def test_a_late_answer_for_another_picture_changes_nothing_on_screen():
    editor = CaptionEditor(lambda wish: None)
    editor.show(Shown("b", "r1", "dog", "2 of 2", "b.png"))
    editor.saved("a", "r9", "cat", after="r1")
    assert editor.shown["caption"] == "dog" and editor.shown["revision"] == "r1"


def test_a_picture_that_comes_late_is_not_put_beside_another_caption():
    editor = CaptionEditor(lambda wish: None)
    editor.show(Shown("a", "r1", "cat", "1 of 2", "a.png", "here"))
    editor.show_picture("a", "here", b"picture of a")
    editor.show(Shown("b", "r1", "dog", "2 of 2", "b.png", "here"))
    assert editor.picture == b""
    editor.show_picture("a", "here", b"late")
    editor.show_picture("b", "another project", b"late")
    assert editor.picture == b""
    editor.show_picture("b", "here", b"", "b.png is damaged.")
    assert editor.unseen == "b.png is damaged."


def test_the_log_of_a_run_takes_lines_with_known_levels_only():
    log = RunLog(title="Log of the run")
    log.show([("error", "it broke"), ("info", "a line")], "All 2 lines of the log.")
    assert log.lines == [["error", "it broke"], ["info", "a line"]] and log.note == "All 2 lines of the log."
    assert log.levels == ["error", "warning", "info", "progress"] and not log.opened
    with pytest.raises(traitlets.TraitError):
        log.levels = ["loud"]
