"""Writes docs/settings.md from the settings classes: python custom/write_settings_page.py"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from core.base.files import write_text
from core.base.paths import ROOT
from core.training.config.page import settings_page


def main() -> int:
    """Write the page."""
    path = ROOT / "docs" / "settings.md"
    write_text(path, settings_page())
    print(f"Written: {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
