"""Models of the picture tools, by name: upscalers, face restorers, what finds a background or a face, what paints anew.

Each is one file, pinned by its SHA-256; who drops a file of his own into the same folder of models/ finds it in the lists too.
"""

from __future__ import annotations

from collections.abc import Mapping

from core.models.catalog import NamedModel

UPSCALERS: tuple[NamedModel, ...] = ()
RESTORERS: tuple[NamedModel, ...] = ()
SEGMENTERS: tuple[NamedModel, ...] = ()
INPAINTERS: tuple[NamedModel, ...] = ()
DETECTORS: tuple[NamedModel, ...] = ()
IMAGE_CATALOG: Mapping[str, NamedModel] = {model.name: model for model in (*UPSCALERS, *RESTORERS, *SEGMENTERS, *INPAINTERS, *DETECTORS)}
