"""One page (a file of HTML) behind two buttons: open it in a tab of its own, or download it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import anywidget
import traitlets

HERE = Path(__file__).parent


class PageView(anywidget.AnyWidget):
    """Fetches the page from the kernel when a button is pressed, so that it works wherever the notebook is shown.

    A link would need the address of the file on the notebook server, which no kernel knows, and which Colab does not have.

    Attributes:
        name: under which it is downloaded; empty hides the buttons.
        what: it in words: "report".
    """

    _esm = HERE / "page.js"
    _css = HERE / "page.css"

    name = traitlets.Unicode("").tag(sync=True)
    what = traitlets.Unicode("page").tag(sync=True)

    def __init__(self, read: Callable[[], bytes | None], what: str = "page") -> None:
        """Args: read: the page as it is now, None where it is gone."""
        super().__init__(what=what)
        self._read = read
        self.on_msg(self._asked)

    def _asked(self, widget: Any, message: Mapping[str, Any], buffers: Sequence[bytes]) -> None:
        if "want" not in message:
            return
        data = self._read() if self.name else None
        self.send({"page": message["want"], "there": data is not None}, [data or b""])
