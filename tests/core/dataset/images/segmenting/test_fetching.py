"""What a click needs is fetched with progress, before the model is opened: meanwhile other models can be used, and it can be stopped."""

import numpy
import pytest
from PIL import Image

from core.base.errors import Cancelled
from core.base.progress import Progress
from core.dataset.images.segmenting.clicking import ClickSettings, click
from core.dataset.images.segmenting.sam import SAMS, Prompt
from core.dataset.images.segmenting.text import FINDERS, TextSegmenter
from core.models.warm import WARM
from tests.core.dataset.images.segmenting.small_sams import save_grounding_dino, save_sam2
from tests.core.models.fake_sites import Blob, Sites

pytestmark = pytest.mark.slow
TINY = ClickSettings(model="sam2.1-tiny", device="cpu")


class Watching(Progress):
    """Tells of each download; asks for the models' loading lock in it."""

    def __init__(self, stop=False):
        super().__init__()
        self.stop, self.loading = stop, []

    def report_start(self):
        if self.what.startswith("Downloading"):
            self.loading.append(WARM._loading.locked())
            if self.stop:
                self.cancel()


@pytest.fixture
def sites(tmp_path, monkeypatch):
    monkeypatch.setenv("LORABOOK_MODELS", str(tmp_path / "models"))
    monkeypatch.setenv("HF_TOKEN_PATH", str(tmp_path / "no-token"))
    for name in ("HF_TOKEN", "HF_HOME", "HF_HUB_CACHE"):
        monkeypatch.delenv(name, raising=False)
    with Sites() as served:
        monkeypatch.setenv("HF_ENDPOINT", served.hub.address)
        for entry, folder in ((SAMS.entry("sam2.1-tiny"), save_sam2(tmp_path / "sam")),
                              (FINDERS["grounding-dino-tiny"], save_grounding_dino(tmp_path / "dino"))):
            served.repos[entry.options["repo_id"]] = {file.name: Blob(file.read_bytes()) for file in folder.iterdir()}
        yield served
    WARM.unload_all()


def test_sam_is_fetched_before_it_is_opened(sites, tmp_path):
    Image.fromarray(numpy.zeros((30, 40, 3), numpy.uint8)).save(tmp_path / "a.png")
    with pytest.raises(Cancelled):
        click(tmp_path / "a.png", Prompt(((5, 5, True),)), TINY, Watching(stop=True))
    assert WARM.list() == []
    progress = Watching()
    assert click(tmp_path / "a.png", Prompt(((5, 5, True),)), TINY, progress).mask.shape == (30, 40)
    assert progress.loading == [False]
    asked = len(sites.hub.asked)
    click(tmp_path / "a.png", Prompt(((6, 6, True),)), TINY, progress)
    assert len(sites.hub.asked) == asked


def test_what_finds_words_is_fetched_before_it_is_opened(sites):
    from core.dataset.images.segmenting import SEGMENTERS
    from core.dataset.images.segmenting.settings import MaskSettings

    progress = Watching()
    settings = MaskSettings.make(segmenter="text", words="cat", device="cpu")
    with TextSegmenter(SEGMENTERS.entry("text"), settings).ready(progress):
        assert len(WARM.list()) == 2
    assert progress.loading == [False, False]
