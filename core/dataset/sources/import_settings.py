"""From where pictures are imported, and what becomes of unusual ones."""

from __future__ import annotations

from typing import Literal

from core.base.http import shown_address
from core.base.settings import Settings, setting
from core.dataset.sources.gallery import GallerySettings
from core.dataset.sources.huggingface import HubSettings
from core.dataset.sources.url import UrlSettings


class ImportSettings(Settings):
    """From where, and what becomes of unusual images."""

    title = "Import"

    kind: Literal["auto", "folder", "archive", "drive", "url", "huggingface", "gallery"] = setting(
        "auto", "From", "auto looks at what is there.")
    source: str = setting(..., "Folder or archive", "A folder with images, or a zip or tar archive. It is never changed. Of other "
                          "kinds: the address, the repository, or the tags that are looked for.", min_length=1)
    recursive: bool = setting(True, "With subfolders", "Also take the images of its subfolders.")
    captions: bool = setting(True, "With captions", "Bring the captions that stand beside the images: .txt, .caption "
                             "and .json files, metadata.jsonl and metadata.csv.")
    keep_lines: bool = setting(False, "Keep the lines of captions", "What becomes of a caption of several lines. On: it keeps them, for "
                               "training with wildcards, which draws one each time. Off: they become one line, since without wildcards "
                               "only the first is read.", level="advanced")
    transparency: Literal["keep", "white"] = setting(
        "keep", "Transparency", "keep: transparent images stay so. white: they are laid over white.", level="advanced")
    min_side: int = setting(32, "Smallest side", "Images with a shorter side are skipped.", ge=1, le=4096, unit="px", level="advanced")
    max_megapixels: float = setting(120.0, "Largest image", "Larger images are skipped before they are decoded.", gt=0, le=1000,
                                    unit="megapixels", level="expert")
    workers: int = setting(0, "Images at once", "How many are decoded at once; 0 chooses.", ge=0, le=64, level="expert", unit="threads")
    url: UrlSettings = setting(UrlSettings(), "Address")
    huggingface: HubSettings = setting(HubSettings(), "Hugging Face")
    gallery: GallerySettings = setting(GallerySettings(), "Picture site")

    def to_keep(self) -> ImportSettings:
        """An address without what is secret in it."""
        scheme, mark, _ = self.source.partition("://")
        if not mark:
            return self
        try:
            return self.changed(source=shown_address(self.source))
        except ValueError:  # nobody can read it; the source itself says so
            return self.changed(source=f"{scheme}://***")
