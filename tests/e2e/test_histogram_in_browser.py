"""The histogram's slider before a kernel that answers late, in a real browser."""

import json

import pytest

from tests.e2e.lab import Browser
from widgets.components.assembling import module_text

pytestmark = [pytest.mark.browser, pytest.mark.slow]
LATE = 300
"""Milliseconds until the pretended kernel answers: each answer comes while later places are on their way."""
PAGE = """async ([text, late]) => {
  const { default: component } = await import(URL.createObjectURL(new Blob([text], { type: "text/javascript" })));
  const state = { counts: [1, 2, 3], cut: 0.9, bad: "low", title: "Side", low: "0", high: "1000", words: "", answered: 0 };
  const heard = {};
  const change = (values) => {
    Object.assign(state, values);
    for (const name of Object.keys(values)) (heard[`change:${name}`] ?? []).forEach((act) => act());
  };
  window.taken = [];
  window.change = change;
  component.render({ el: document.body, model: {
    get: (name) => state[name],
    on: (name, act) => (heard[name] ??= []).push(act),
    off: () => {},
    send: ({ cut, turn }) => setTimeout(() => {
      window.taken.push([turn, cut]);
      change({ answered: turn, cut, words: `below ${cut}` });
    }, late),
  } });
}"""


def test_late_answers_never_pull_the_slider_back_from_the_hand_that_moves_it():
    with Browser(600, 400) as context:
        page = context.new_page()
        page.evaluate(PAGE, [module_text("histogram"), LATE])
        slider = page.get_by_role("slider")
        slider.focus()
        for _ in range(150):
            page.keyboard.press("ArrowLeft")
            page.wait_for_timeout(5)
        assert slider.input_value() == "750"
        page.wait_for_function("() => taken.length && taken.at(-1)[1] === 0.75")
        taken = page.evaluate("() => taken")
        assert [turn for turn, _ in taken] == list(range(1, len(taken) + 1)), json.dumps(taken)
        assert slider.input_value() == "750" and context.errors == []

        page.evaluate("() => change({ cut: 0.2 })")  # a cut that was typed moves it again
        assert slider.input_value() == "200"
