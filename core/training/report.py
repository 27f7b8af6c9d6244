"""One offline page about a run: settings, dataset, loss, samples, before and after, files with their hashes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.base.errors import DatasetError, StudioError
from core.base.files import sha256, write_text
from core.base.words import told_size
from core.training.evaluated import EvaluationReport
from core.training.monitor.samples import label_of
from core.training.monitor.status import RunStatus, duration, read_status
from core.training.report_parts import escape, page, picture, picture_table, table
from core.training.report_watched import compared, course, log_lines
from core.training.run import Run

if TYPE_CHECKING:
    from core.training.comparing import Comparison

THUMBNAILS = 12
MOST_COLUMNS, MOST_PICTURES = 12, 96
"""Epochs of samples that are shown, evenly chosen, and pictures in all: with many prompts fewer epochs."""


def write_report(run: Run, first: Sequence[tuple[str, str]] = (), place: Path | None = None, comparison: Comparison | None = None) -> Path:
    """Write `report.html` into the run's folder; it shows what there is, also for a run that failed or still goes on.

    Args:
        first: sections of the caller's own, shown before the others: title, and HTML made with `report_parts`.
        place: another file to write.
        comparison: with other runs.

    Returns: its place. Raises: DiskError.
    """
    status = read_status(run)
    place = place or run.folder / "report.html"
    write_text(place, page(f"{run.output_name}: training report", _body(run, status, first, comparison)))
    return place


def _body(run: Run, status: RunStatus, first: Sequence[tuple[str, str]], comparison: Comparison | None) -> Iterator[str]:
    yield f"<h1>{escape(run.output_name)}</h1>"
    created = datetime.fromtimestamp(float(run.info.get("created", 0.0))).strftime("%Y-%m-%d %H:%M")
    yield f'<p class="state">Run {escape(run.id)}, {escape(created)}. {escape(status.sentence())}</p>'
    if status.cause is not None:
        yield f'<p class="cause"><strong>{escape(status.cause.sentence)}</strong> {escape(status.cause.hint)}</p>'
    yield from _section("Changed on the way", "".join(f"<p>{escape(sentence)}</p>" for sentence in status.retries))
    for title, content in first:
        yield from _section(title, content)
    yield from _section("Before and after", _comparison(run))
    yield from (part for title, content in course(status) for part in _section(title, content))
    yield from _section("Samples during training", _samples(status))
    yield from _section("Compared with other runs", compared(comparison) if comparison is not None else "")
    yield from _section("In numbers", _numbers(run, status))
    yield from _section("Dataset", _dataset(run))
    yield from _section("Settings", _settings(run))
    yield from _section("Files", _files(run, status))
    yield from _section("Log", log_lines(run, status))


def _section(title: str, content: str) -> Iterator[str]:
    if content:
        yield f"<section><h2>{escape(title)}</h2>{content}</section>"


def _numbers(run: Run, status: RunStatus) -> str:
    rows: list[tuple[object, object]] = [("Trainer", status.backend)]
    if status.total:
        rows.append(("Steps", f"{status.step} of {status.total}"))
    if status.epochs:
        rows.append(("Epochs", f"{status.epoch} of {status.epochs}"))
    if status.smoothed_loss is not None:
        rows.append(("Smoothed loss at the end", f"{status.smoothed_loss:.4g}"))
    if status.validation_loss is not None:
        rows.append(("Validation loss", f"{status.validation_loss:.4g}"))
    if status.seconds_per_step:
        rows.append(("Seconds per step", f"{status.seconds_per_step:.3g}"))
    if status.spending.seconds:
        rows.append(("Time", duration(status.spending.seconds)))
    if status.spending.price is not None:
        rows.append(("Price", status.spending.words()))
    if status.memory_reserved:
        rows.append(("Most GPU memory held by torch", f"{status.memory_reserved / 2**30:.1f} GiB"))
    rows += [("Graphics card", gpu["name"]) for gpu in run.heartbeat().get("gpus", [])]
    if status.attempt > 1:
        rows.append(("Attempts", status.attempt))
    return table(rows)


def _samples(status: RunStatus) -> str:
    """A row per prompt with its words under it, a column per step or epoch."""
    moments = list(dict.fromkeys(sample.moment for sample in status.samples))
    numbers = sorted({sample.number for sample in status.samples})[:MOST_PICTURES // 2]
    most = min(MOST_COLUMNS, max(2, MOST_PICTURES // max(1, len(numbers))))
    if len(moments) > most:
        stride = (len(moments) - 1) / (most - 1)
        moments = [moments[round(place * stride)] for place in range(most)]
    rows = []
    for number in numbers:
        mine = {sample.moment: sample for sample in status.samples if sample.number == number}
        prompt = next((sample.prompt for sample in mine.values() if sample.prompt), f"prompt {number + 1}")
        rows.append((prompt, [mine[moment].path if moment in mine else None for moment in moments]))
    return picture_table(moments, rows, below=True) if rows else ""


def _comparison(run: Run) -> str:
    """The pictures of the last evaluation, and what was measured in them."""
    found = EvaluationReport.read(run.folder / "evaluation")
    if found is None:
        return ""
    rows = []
    for prompt, seed in dict.fromkeys((shown.prompt, shown.seed) for shown in found.pictures):
        mine = {shown.column: Path(found.folder) / shown.path for shown in found.pictures if (shown.prompt, shown.seed) == (prompt, seed)}
        rows.append((f"{prompt} (seed {seed})", [mine.get(number) for number in range(len(found.columns))]))
    measured = table((column.label, f"{column.applied} of {column.in_file} modules, pictures differ by {column.changed:.1%}")
                     for column in found.columns if column.lora)
    remarks = "".join(f"<p>{escape(warning)}</p>" for warning in found.warnings)
    shown = picture_table([column.label for column in found.columns], rows)
    return f"{shown}{remarks}<details><summary>Measured</summary>{measured}</details>"


def _settings(run: Run) -> str:
    """A table per part, every setting by its title and its name; folders of this machine are left out."""
    try:
        settings = run.settings()
    except StudioError as error:
        return f"<p>{escape(error)}</p>"
    parts = []
    for name, field in type(settings).fields().items():
        part = getattr(settings, name)
        rows = [(f"{inner.title} ({key})", _value(key, getattr(part, key))) for key, inner in type(part).fields().items()
                if key not in ("output_dir", "logging_dir", "subsets") and getattr(part, key) not in (None, "", [])]
        parts.append(f"<details><summary>{escape(field.title)}</summary>{table(rows)}</details>")
    return "".join(parts)


PATHS = ("pretrained_model_name_or_path", "vae", "resume", "network_weights", "tokenizer_cache_dir")
"""Settings that name a file or folder; a report is shown to others, so only the last part of them stands in it."""


def _value(key: str, value: Any) -> str:
    if key in PATHS:
        return Path(str(value)).name
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return "\n".join(str(getattr(one, "prompt", one)) for one in value)
    return str(value)


def _dataset(run: Run) -> str:
    """Folders, sizes, the most frequent tags, and a few of the pictures."""
    from core.dataset.captions.files import read_caption_text
    from core.dataset.images.files import image_files

    rows: list[tuple[object, object]] = []
    shown: list[Path] = []
    tags: Counter[str] = Counter()
    try:
        data = run.settings().data
    except StudioError:
        return ""
    for subset in data.subsets:
        try:
            images = image_files(Path(subset.image_dir))
        except DatasetError as error:
            rows.append((subset.image_dir, str(error)))
            continue
        kind = "regularisation pictures" if subset.is_reg else "pictures"
        captions = [read_caption_text(path.with_suffix(subset.caption_extension)) for path in images]
        rows.append((Path(subset.image_dir).name, f"{len(images)} {kind}, {sum(1 for caption in captions if caption)} with a caption, "
                                                  f"seen {subset.num_repeats} times each epoch"))
        if not subset.is_reg:
            tags.update(tag.strip() for caption in captions if caption for tag in caption.split(",") if tag.strip())
            shown += images
    width, height = data.size
    rows += [("Size", f"{width} x {height} px"), ("Batch size", data.batch_size)]
    if tags:
        rows.append(("Most frequent tags", ", ".join(f"{tag} ({count})" for tag, count in tags.most_common(24))))
    stride = max(1, -(-len(shown) // THUMBNAILS))
    thumbs = "".join(picture(path, path.name, 192) for path in shown[::stride])
    return table(rows) + (f'<div class="thumbs">{thumbs}</div>' if thumbs else "")


def _files(run: Run, status: RunStatus) -> str:
    """Every LoRA file with its size and SHA-256, so that a copy can be told from another."""
    lines = []
    files = [(label_of(checkpoint.path, run.output_name), checkpoint.path) for checkpoint in status.checkpoints]
    if status.output is not None and status.output.is_file():
        files.append(("in the project's output", status.output))
    for label, path in files:
        shown = path.relative_to(run.project_folder) if path.is_relative_to(run.project_folder) else path.name
        lines.append(f'<tr><th scope="row">{escape(label)}</th><td><code>{escape(shown)}</code></td>'
                     f"<td>{told_size(path.stat().st_size)}</td><td><code>{sha256(path)}</code></td></tr>")
    head = "<tr><th></th><th>File</th><th>Size</th><th>SHA-256</th></tr>"
    return f'<div class="scroll"><table>{head}{"".join(lines)}</table></div>' if lines else ""
