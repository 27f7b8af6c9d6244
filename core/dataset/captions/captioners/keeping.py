"""A captioner that stays open between single pictures, until another one is wanted or its memory is."""

from __future__ import annotations

import threading

from core.base.words import model_words
from core.dataset.captions.captioners import CAPTIONERS, CaptionerModel, Request, identity_of, open_captioner


class KeptCaptioner:
    """At most one open captioner. Its memory goes back with `close`, and before another one is opened."""

    def __init__(self) -> None:
        self._model: CaptionerModel | None = None
        self._name: tuple[str, ...] = ()
        self._lock = threading.RLock()

    def open(self, name: str, request: Request) -> CaptionerModel:
        """The captioner, loaded only where it is not the one that is open. Raises: as `open_captioner`."""
        wanted = (name, identity_of(name, request), request.device, request.download_dir)
        with self._lock:
            if self._model is not None and self._name == wanted and self.holds:
                self._model.request = request  # how it is asked may have changed
                return self._model
            self.close()
            self._model = open_captioner(name, request)
            self._name = wanted
            return self._model

    @property
    def holds(self) -> str:
        """The captioner whose memory is held, in words; empty when none is. A server takes none."""
        if self._model is None or not any(CAPTIONERS.entry(self._name[0]).options["memory"].values()):
            return ""
        return model_words(CAPTIONERS.entry(self._name[0]).title, self._model.request.model_dir)

    def close(self) -> None:
        """Let go of it, and of its memory."""
        with self._lock:
            model, self._model = self._model, None
            if model is not None:
                model.close()
