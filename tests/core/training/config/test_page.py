"""The page of settings is what the classes say."""

from core.base.paths import ROOT
from core.training.config import PARTS
from core.training.config.page import settings_page


def test_the_page_of_settings_is_up_to_date():
    assert (ROOT / "docs" / "settings.md").read_text(encoding="utf-8") == settings_page(), "run: python custom/write_settings_page.py"


def test_every_setting_is_on_the_page():
    page = settings_page()
    assert all(f"| `{name}` |" in page for cls in PARTS.values() for name in cls.fields())
