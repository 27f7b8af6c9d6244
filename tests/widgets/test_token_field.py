"""A token that is typed is kept, and stands nowhere."""

from widgets.session import Session
from widgets.utilities.publish import PublishPanel


def test_what_is_typed_is_taken_and_no_panel_says_it(tmp_path, monkeypatch):
    monkeypatch.setenv("LORABOOK_LORAS", str(tmp_path))
    panel = PublishPanel(Session())
    panel.token.widget.value = "hf_SECRETsecretSECRET42"
    panel.loop.soon(lambda: None)
    assert panel.token.widget.value == "" and panel.token.take() == "hf_SECRETsecretSECRET42"
    assert "SECRET" not in str(panel.status.get_state())
