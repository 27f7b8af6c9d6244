"""What every tagger in ONNX shares: a session, its list of tags, batches of the model's own layout, and scores by category."""

from __future__ import annotations

import csv
import io
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from core.base.errors import ModelError, require
from core.base.files import read_text
from core.base.hub import WAY_OUT, hub_trouble
from core.base.paths import hub_cache, typed_path
from core.dataset.captions.scores import TagScores, rounded
from core.dataset.captions.taggers import SCORE_FLOOR
from core.models.onnx_sessions import open_session, run_session

if TYPE_CHECKING:
    import numpy
    from PIL.Image import Image as Picture

MODEL_FILE, TAGS_FILE = "model.onnx", "selected_tags.csv"
CATEGORIES = {9: "rating", 0: "general", 4: "character"}
"""Numbers in selected_tags.csv (Danbooru's tag categories; 9 is the rating)."""


@dataclass(frozen=True)
class OnnxFiles:
    """A tagger's files on this disk."""

    model: Path
    tags: Path
    stated: str
    """Repository and commit, or folder."""
    revision: str
    opener: type[OnnxTagger]
    further: dict[str, Path] = field(default_factory=dict)
    """Other files of the model, by name; those that the repository does not have are left out."""

    @property
    def identity(self) -> str:
        """A commit names a downloaded model, with its further files; local files are named by place, size and time."""
        if self.revision:
            return ":".join([self.stated, *sorted(self.further)])
        facts = [(path, path.stat()) for path in (self.model, self.tags, *(self.further[name] for name in sorted(self.further)))]
        return ":".join([str(self.model.resolve()), *(f"{path.name}:{stat.st_size}:{stat.st_mtime_ns}" for path, stat in facts)])

    def open(self, device: str = "auto") -> Any:
        """Load it. Raises: ModelError, ConfigError, MissingDependency."""
        return self.opener(self, device)


class OnnxTagger(ABC):
    """One ONNX session and its list of tags. A subclass says how a picture becomes the model's input."""

    kind: ClassVar[str] = "tagger"
    """What it is called in an error: "It is not a WD tagger."."""
    squeezes: bool = False
    """Whether a picture's longer side is squeezed to the model's, rather than white laid beside the shorter one."""

    def __init__(self, files: OnnxFiles, device: str = "auto") -> None:
        import numpy

        self.tags = read_tags(files.tags)
        self.session, self.provider = open_session(files.model, device)
        node = self.session.get_inputs()[0]
        self.size = self.side_of(node.shape, files)
        self.output = self.choose_output([one.name for one in self.session.get_outputs()])
        count = next(one for one in self.session.get_outputs() if one.name == self.output).shape[-1]
        if isinstance(count, int) and count != len(self.tags):
            raise ModelError(f"{files.model} answers with {count} tags, but {files.tags.name} lists {len(self.tags)}.",
                             "The two files belong to different models; fetch both again.")
        self._columns = {category: numpy.array([column for column, (_, kind) in enumerate(self.tags) if kind == category], dtype=int)
                         for category in CATEGORIES.values()}

    # What a subclass says

    @abstractmethod
    def side_of(self, shape: list[Any], files: OnnxFiles) -> int:
        """Side of the square input. Raises: ModelError: the shape is not that of such a tagger."""

    def choose_output(self, names: list[str]) -> str:
        """Which of the outputs are the probabilities."""
        return names[0]

    @abstractmethod
    def new_batch(self, count: int) -> numpy.ndarray:
        """Room for so many pictures, in the model's own layout (float32)."""

    @abstractmethod
    def prepare(self, picture: Picture, into: numpy.ndarray) -> None:
        """Write an RGB picture of any size into one place of a batch. Called from several threads."""

    # What all share

    def scores(self, batch: numpy.ndarray) -> list[TagScores]:
        """A filled batch → per image, category → tag → probability.

        Kept are scores of at least `SCORE_FLOOR`, the best one below it (so that the largest gap can be found again), all ratings.

        Raises: ModelError: the model failed; of no memory only when a single image is too much.
        """
        rows = run_session(self.session, self.output, batch, failed=("The tagger failed on one image", "Choose a smaller tagger."),
                           refused=("The tagger refused its input", f"It is not a {self.kind}."))
        return [self._by_category(row) for row in rows]

    def _by_category(self, row: numpy.ndarray) -> TagScores:
        found: TagScores = {}
        for category, columns in self._columns.items():
            values = row[columns]
            above = (values >= SCORE_FLOOR).nonzero()[0] if category != "rating" else range(len(values))
            kept = [(rounded(float(values[place])), self.tags[columns[place]][0]) for place in above]
            if category != "rating" and len(kept) < len(values):
                below = values.copy()
                below[above] = -1
                place = int(below.argmax())
                kept.append((rounded(float(values[place])), self.tags[columns[place]][0]))
            found[category] = {name: score for score, name in sorted(kept, key=lambda pair: (-pair[0], pair[1]))}
        return found


def find_files(opener: type[OnnxTagger], folder: str = "", repo_id: str = "", revision: str = "", download_dir: str = "",
               force_download: bool = False, further: tuple[str, ...] = ()) -> OnnxFiles:
    """The files of a tagger: in a local folder, or fetched from Hugging Face.

    Args:
        folder: a local folder that holds the two files; nothing is fetched then.
        repo_id, revision: repository, and branch, tag or commit; empty: the newest, whose commit is stated.
        download_dir: where downloads are kept; empty: the models folder.
        further: other files that are taken along where the model has them.

    Raises: ModelError: a file is missing or could not be fetched.
    """
    if folder:
        place = typed_path(folder)
        if not place.is_dir():
            raise ModelError(f"The folder {place} does not exist.", f"Choose one with {MODEL_FILE} and {TAGS_FILE}, or none.")
        missing = [name for name in (MODEL_FILE, TAGS_FILE) if not (place / name).is_file()]
        if missing:
            raise ModelError(f"{place} has no {' and no '.join(missing)}.", f"A tagger's folder holds {MODEL_FILE} and {TAGS_FILE}.")
        return OnnxFiles(place / MODEL_FILE, place / TAGS_FILE, str(place), "", opener,
                         {name: place / name for name in further if (place / name).is_file()})
    return _fetch(opener, repo_id, revision, download_dir, force_download, further)


def _fetch(opener: type[OnnxTagger], repo_id: str, revision: str, download_dir: str, force: bool, further: tuple[str, ...]) -> OnnxFiles:
    hub = require("huggingface_hub", needed_for="Fetching a tagger")
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, RemoteEntryNotFoundError

    cache = hub_cache(download_dir)
    found: dict[str, Path] = {}
    for name in (TAGS_FILE, MODEL_FILE, *further):
        try:
            found[name] = Path(hub.hf_hub_download(repo_id, name, revision=revision or None, cache_dir=cache, force_download=force))
        except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError) as error:
            if name in further and isinstance(error, RemoteEntryNotFoundError):
                continue  # this one the model does not have; a lost connection is another error
            raise ModelError(f"The tagger {repo_id} could not be fetched from Hugging Face: {hub_trouble(error)}.",
                             f"{WAY_OUT}, in 'Local model folder' under 'Show more settings'.") from error
    commit = found[MODEL_FILE].parent.name  # …/snapshots/<commit>/model.onnx
    return OnnxFiles(found[MODEL_FILE], found[TAGS_FILE], f"{repo_id}@{commit}", commit, opener,
                     {name: path for name, path in found.items() if name in further})


def read_tags(path: Path) -> list[tuple[str, str]]:
    """(name, category) per output column, as selected_tags.csv lists them; names with underscores.

    Raises: ModelError: the columns `name` and `category` are missing.
    """
    rows: list[dict[str, Any]] = list(csv.DictReader(io.StringIO(read_text(path))))
    try:
        if not rows:
            raise KeyError("name")
        return [(row["name"], CATEGORIES.get(int(row["category"]), "other")) for row in rows]
    except (KeyError, TypeError, ValueError) as error:
        raise ModelError(f"{path} is not a WD tag list: it needs the columns name and category.", "Fetch it again.") from error
