"""A description in Markdown as HTML: what people write, and nothing that a page would obey."""

import pytest

from core.utilities.publishing.markdown import html_of


@pytest.mark.parametrize(("text", "wanted"), [
    ("A **green** scarf & <big> eyes.\n\nMade for *trying* out.",
     "<p>A <strong>green</strong> scarf &amp; &lt;big&gt; eyes.</p><p>Made for <em>trying</em> out.</p>"),
    ("one\ntwo", "<p>one<br>two</p>"),
    ("Good at:\n- **cats**\n- rain\n\n1. draw\n2. again",
     "<p>Good at:</p><ul><li><strong>cats</strong></li><li>rain</li></ul><ol><li>draw</li><li>again</li></ol>"),
    ("# Mika #\ntext", "<h2>Mika</h2><p>text</p>"),
    ("`a **b** <c>`, cat_ears_and_tail, 2 * 3 * 4, __very__", "<p><code>a **b** &lt;c&gt;</code>, cat_ears_and_tail, 2 * 3 * 4, "
     "<strong>very</strong></p>"),
    ("[my *page*](https://x.org/_a_?b=1&c=2) and [bad](javascript:alert(1))",
     '<p><a href="https://x.org/_a_?b=1&amp;c=2">my <em>page</em></a> and [bad](javascript:alert(1))</p>'),
    ('[x](https://x.org/"onload="y)<script>', '<p><a href="https://x.org/%22onload=%22y">x</a>&lt;script&gt;</p>'),
    ("![a picture](https://x.org/p.png)", '<p>!<a href="https://x.org/p.png">a picture</a></p>'),
    ("", ""),
])
def test_what_people_write_becomes_html_and_html_stays_words(text, wanted):
    assert html_of(text).replace("\n", "") == wanted
