"""One LoRA file is chosen for all panels that work on one; nothing that a person typed goes by it."""

import pytest

from tests.widgets.utilities.conftest import choose
from widgets.utilities.inspect import InspectPanel
from widgets.utilities.merge import MergePanel
from widgets.utilities.resize import ResizePanel


@pytest.fixture
def panels(session):
    made = InspectPanel(session), ResizePanel(session), MergePanel(session)
    yield made
    for panel in made:
        panel.close()


def test_a_path_that_was_mistyped_stays_where_it_was_typed(panels, lora, session):
    inspect, resize, merge = panels
    choose(inspect, lora.with_name("mka.safetensors"))
    assert (resize.file, merge.files.files, session.chosen_lora) == ("", (), "")
    choose(inspect, lora)
    assert (resize.file, merge.files.files, session.chosen_lora) == (str(lora), (str(lora),), str(lora))


def test_the_first_row_of_a_list_follows_until_something_is_chosen_there(panels, lora):
    inspect, _, merge = panels
    others = [lora.with_name(f"{name}.safetensors") for name in ("one", "two", "three")]
    for other in others:
        other.write_bytes(lora.read_bytes())
    choose(inspect, lora)
    choose(inspect, others[0])
    assert merge.files.files == (str(others[0]),)
    merge.files.rows[0].amount.write(0.5)
    choose(inspect, others[1])
    assert merge.files.files == (str(others[0]),) and merge.files.weights == (0.5,)


def test_what_was_typed_a_moment_ago_is_not_written_over_by_an_earlier_choice(panels, lora, session):
    _, resize, _ = panels
    other = lora.with_name("other.safetensors")
    other.write_bytes(lora.read_bytes())
    choose(resize, lora)
    resize.form._filling = True  # the kernel has the text, the panel has not heard of it yet
    choose(resize, other)
    resize.form._filling = False
    session.tell()
    assert resize.file == str(other)
    session.chosen_lora = str(lora.with_name("a third.safetensors"))
    session.tell()
    assert resize.file == str(other)
    resize.inputs_changed()
    assert session.chosen_lora == str(other)
