"""Changes are sent page by page; tags that are pressed are told."""

from widgets.components.changes import PAGE, ChangesView, TextChange
from widgets.components.tag_bars import MOST, TagBar, TagBars


def test_only_the_page_that_is_looked_at_is_sent():
    view = ChangesView()
    view.show([TextChange(f"{number}", "a", "b") for number in range(60)], "Changes")
    assert (view.total, view.place, len(view.rows)) == (60, 0, PAGE)
    view._asked(view, {"place": 50}, [])
    assert view.place == 50 and [row["name"] for row in view.rows] == [f"{number}" for number in range(50, 60)]
    view._asked(view, {"place": 900}, [])
    assert view.place == 50
    view._asked(view, {"place": -3}, [])
    assert view.place == 0
    view.clear()
    assert (view.total, view.rows) == (0, [])


def test_a_press_on_a_tag_is_told_and_a_very_long_list_is_cut():
    heard = []
    bars = TagBars(lambda tag, choose: heard.append((tag, choose)))
    bars._heard(bars, {"tag": "hat", "choose": True}, [])
    bars._heard(bars, {"something": 1}, [])
    assert heard == [("hat", True)]
    bars.show([TagBar(f"{number}", 1) for number in range(MOST + 5)], 10, ["hat"])
    assert len(bars.tags) == MOST and bars.left_out == 5 and bars.chosen == ["hat"]
