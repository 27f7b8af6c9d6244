"""The demo: the real stages in order, on the embedded model, and a judge that says whether the LoRA learned.

Nothing here knows how a stage works: it calls the managers as a person with two notebooks would.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

from core.base.errors import TrainingError
from core.base.files import write_json, write_text, write_with
from core.base.paths import DEMO_ASSETS, projects_dir
from core.base.progress import SILENT, Progress
from core.dataset.project import shown_name

if TYPE_CHECKING:
    from PIL.Image import Image

    from core.dataset.manager import DatasetManager
    from core.demo.world import Spec
    from core.training.config import TrainingSettings
    from core.training.run import Run

MODEL = DEMO_ASSETS / "model"
PICTURES = DEMO_ASSETS / "pictures"
BROKEN = "download_broken.png"
"""The one of them that is cut off on purpose."""
PRESET = "demo"
MARKER = "demo"
"""File in a project's hidden folder that says that the demo made it, to its end."""
JUDGED = 24
"""Pictures for each of the four questions."""
REGULARISATION = 48
"""Pictures that the base draws before training."""
REPEATS = 20
SAMPLED = 4
"""Pictures drawn after each epoch."""
SIZE, STEPS, GUIDANCE = 64, 20, 3.0
JUDGED_SEED, REGULARISATION_SEED = 1000, 5000


@dataclass(frozen=True)
class DemoSummary:
    """What `demo/summary.json` says; every figure was computed in this run, from the LoRA file that was written."""

    learned: bool
    before: float
    """Share of pictures, 0 to 1, that show the new character without the LoRA."""
    after: float
    """The same prompts and seeds with the LoRA."""
    untriggered: float
    """The same prompts without the trigger word, with the LoRA."""
    others: float
    """Ordinary prompts that training never used: accuracy with the LoRA over accuracy without it, at most 1."""
    others_before: float
    others_after: float
    seconds: float
    lora: str
    report: str
    project: str
    """Its name, by which the notebooks offer it."""

    def sentence(self) -> str:
        """The result in plain words."""
        verdict = "The LoRA learned the character." if self.learned else "The LoRA did not learn the character."
        return (f"{verdict} It shows in {self.after:.0%} of the pictures (before: {self.before:.0%}; without the trigger word: "
                f"{self.untriggered:.0%}). Ordinary prompts keep {self.others:.0%} of their accuracy. {self.seconds:.0f} seconds. "
                f"Report: {self.report}. To go on with this LoRA, open the project {self.project} in the panel Project of Trainer.ipynb.")


@dataclass(frozen=True)
class Question:
    """One set of prompts with what each should show."""

    name: str
    prompts: list[str]
    specs: list[Spec]


def judged_prompts() -> tuple[Question, Question, Question]:
    """Prompts for the character with and without the trigger word, and ordinary prompts; the same in every run."""
    from core.demo.world import TRIGGER, concept_spec, random_spec

    rng = Random(JUDGED_SEED)
    concept = [concept_spec(rng) for _ in range(JUDGED)]
    ordinary = [random_spec(rng) for _ in range(JUDGED)]
    moments = [", ".join(["1girl", *spec.moment]) for spec in concept]
    return (Question("triggered", [f"{TRIGGER}, {moment}" for moment in moments], concept),
            Question("untriggered", moments, concept),
            Question("ordinary", [", ".join(spec.tags) for spec in ordinary], ordinary))


def regularisation_prompts() -> list[str]:
    """Half only the moment (anyone), a quarter full tags, a quarter the world's own names; none is among the judged prompts."""
    from core.demo.world import named_caption, named_spec, random_spec

    rng = Random(REGULARISATION_SEED)
    judged = {prompt for question in judged_prompts() for prompt in question.prompts}
    prompts: list[str] = []
    while len(prompts) < REGULARISATION:
        kind, spec = len(prompts) % 4, random_spec(rng)
        if kind == 0:
            prompt = ", ".join(spec.tags)
        elif kind == 1:
            prompt = named_caption(named_spec(rng), rng)
        else:
            prompt = ", ".join(["1girl", *spec.moment])
        if prompt not in judged:
            prompts.append(prompt)
    return prompts


def make_project(folder: Path, progress: Progress = SILENT) -> DatasetManager:
    """Create the demo's project, import its pictures and tag them; what the notebooks' "Open the demo project" does too.

    The tags of the character's lasting looks are left out of the captions, so that the trigger word carries them.
    """
    from core.dataset.captions.tagging import TagSettings
    from core.dataset.manager import DatasetManager
    from core.dataset.sources.import_settings import ImportSettings
    from core.demo.world import CONCEPT_TAGS, TRIGGER

    name = f"demo-{datetime.now():%Y%m%d-%H%M%S}"
    manager = DatasetManager.create(name, parent=folder, trigger=TRIGGER, family="sd15")
    came = manager.import_images(ImportSettings.make(source=str(PICTURES)), progress)
    if BROKEN in [item.name for item in came.skipped]:
        progress.note(f"That {BROKEN} is damaged is meant: the demo shows that such a picture is named and left out, and the rest goes on.")
    manager.tag(TagSettings.make(tagger="demo", trigger_word=TRIGGER, undesired_tags=", ".join(CONCEPT_TAGS), existing="merge"), progress)
    write_text(manager.project.hidden / MARKER, "Made by the demo, whole.\n")
    return manager


def run_demo(folder: Path, progress: Progress = SILENT) -> DemoSummary:
    """Import, tag, train as a detached run, draw before and after, judge.

    The project is made among all others (`projects_dir`), so that the notebooks offer it with its LoRA; earlier ones stay.

    Args: folder: where `report.html` and `summary.json` are written.
    Raises: TrainingError: the run ended without a LoRA, with its cause.
    """
    started = time.monotonic()
    folder = Path(folder).resolve()
    project = make_project(projects_dir(), progress).project.folder
    run = train(project, progress)
    compare(project, run, progress)
    lora = project / "output" / f"{run.output_name}.safetensors"
    figures, pictures = judge(lora, progress)
    report = write_demo_report(folder, run, pictures, figures)
    seconds = round(time.monotonic() - started, 1)
    summary = DemoSummary(learned=_learned(figures), **figures, seconds=seconds, lora=str(lora), report=str(report),
                          project=shown_name(project))
    write_json(folder / "summary.json", asdict(summary))
    return summary


def demo_settings(project: Path, regularisation: Path) -> TrainingSettings:
    """The demo's preset with the embedded model, the project's pictures and the regularisation pictures."""
    from core.training.config.presets import load_preset

    subsets = [{"image_dir": str(project / "images"), "num_repeats": REPEATS}, {"image_dir": str(regularisation), "is_reg": True}]
    samples = [{"prompt": prompt, "seed": JUDGED_SEED + index, "width": SIZE, "height": SIZE, "sample_steps": STEPS, "scale": GUIDANCE}
               for index, prompt in enumerate(judged_prompts()[0].prompts[:SAMPLED])]
    return load_preset(PRESET).with_values(model={"pretrained_model_name_or_path": str(MODEL)}, data={"subsets": subsets},
                                           sampling={"sample_prompts": samples})


def train(project: Path, progress: Progress) -> Run:
    """Draw the regularisation pictures, launch the demo's preset as a detached run, and follow it to its end."""
    from core.training.following import follow
    from core.training.manager import TrainingManager
    from core.training.regularisation import RegularisationSettings

    manager = TrainingManager.open(project)
    wanted = RegularisationSettings.make(model=str(MODEL), prompts=regularisation_prompts(), width=SIZE, height=SIZE, steps=STEPS,
                                         batch_size=12, guidance=GUIDANCE, seed=REGULARISATION_SEED)
    drawn = manager.regularise(wanted, progress)
    run = manager.launch(demo_settings(project, drawn.folder), "builtin")
    status = follow(run, progress)
    if status.state != "done":
        raise TrainingError(f"The demo's training ended as {status.state}. {status.cause}", f"Its log: {run.folder / 'log.txt'}")
    return run


def compare(project: Path, run: Run, progress: Progress) -> None:
    """Before and after as a person would draw it: the sample prompts, without a LoRA and with that of each epoch."""
    from core.training.evaluation import EvaluationSettings
    from core.training.manager import TrainingManager

    settings = EvaluationSettings.make(run=run.id, seeds=[JUDGED_SEED], steps=STEPS, guidance=GUIDANCE, batch_size=SAMPLED)
    TrainingManager.open(project).evaluate(settings, progress)


def judge(lora: Path, progress: Progress) -> tuple[dict[str, float], dict[str, list[Image]]]:
    """Draw the judged prompts with and without the LoRA file and ask the judge.

    Returns: the figures of `DemoSummary`, and the pictures by "before", "after", "untriggered", "ordinary before", "ordinary after".
    """
    from core.demo.judge import judge_attributes, judge_concept
    from core.diffusion import load_model
    from core.diffusion.lora import apply_lora, remove_lora

    triggered, untriggered, ordinary = judged_prompts()
    model = load_model(MODEL)
    progress.start("Drawing before and after", 5)

    def draw(question: Question) -> list[Image]:
        seeds = [JUDGED_SEED + index for index in range(len(question.prompts))]
        images: list[Image] = model.sample(question.prompts, "", seeds, SIZE, SIZE, STEPS, GUIDANCE, batch_size=12)
        progress.advance(question.name)
        return images

    pictures = {"before": draw(triggered), "ordinary before": draw(ordinary)}
    apply_lora(model, lora, 1.0)
    pictures |= {"after": draw(triggered), "untriggered": draw(untriggered), "ordinary after": draw(ordinary)}
    remove_lora(model)
    base, now = (judge_attributes(pictures[name], ordinary.specs) for name in ("ordinary before", "ordinary after"))
    figures = {name: judge_concept(pictures[name]) for name in ("before", "after", "untriggered")}
    figures |= {"others": min(1.0, now / base) if base else 0.0, "others_before": base, "others_after": now}
    return {name: round(value, 3) for name, value in figures.items()}, pictures


def _learned(figures: dict[str, float]) -> bool:
    clearly_lower = figures["untriggered"] <= figures["after"] - 0.3
    return figures["before"] <= 0.1 and figures["after"] >= 0.8 and clearly_lower and figures["others"] >= 0.8


def grid(rows: Sequence[tuple[str, Sequence[Image]]], columns: int = 8, scale: int = 4) -> Image:
    """Labelled rows of pictures, each `scale` times its size, a whole number: the sheet is crisp at its own size and at half of it."""
    from PIL import Image as Pictures
    from PIL import ImageDraw, ImageFont

    edge, gap, label = SIZE * scale, 4 * scale, 13 * scale
    sheet = Pictures.new("RGB", (columns * (edge + gap) + gap, len(rows) * (edge + label + gap) + gap), "white")
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(size=8 * scale)
    for row, (title, images) in enumerate(rows):
        top = gap + row * (edge + label + gap)
        pen.text((gap, top), title, fill="black", font=font)
        for column, image in enumerate(images[:columns]):
            sheet.paste(image.resize((edge, edge), Pictures.Resampling.NEAREST), (gap + column * (edge + gap), top + label))
    return sheet


def write_demo_report(folder: Path, run: Run, pictures: dict[str, list[Image]], figures: dict[str, float]) -> Path:
    """`report.html` of the run with the judge's verdict first, and `before_after.png`, both in the demo's folder."""
    from core.training.report import write_report
    from core.training.report_parts import large_picture, table

    rows = [("Before: with the trigger word, without the LoRA", pictures["before"]),
            ("After: the same prompts and seeds with the LoRA", pictures["after"]),
            ("With the LoRA, without the trigger word", pictures["untriggered"]),
            ("Ordinary prompts, without the LoRA", pictures["ordinary before"]),
            ("Ordinary prompts, with the LoRA", pictures["ordinary after"])]
    sheet = folder / "before_after.png"
    write_with(sheet, grid(rows).save)
    judged = table([("Shows the character before", f"{figures['before']:.0%}"), ("Shows the character after", f"{figures['after']:.0%}"),
                    ("The same prompts without the trigger word", f"{figures['untriggered']:.0%}"),
                    ("Accuracy of ordinary prompts before", f"{figures['others_before']:.0%}"),
                    ("Accuracy of ordinary prompts after", f"{figures['others_after']:.0%}")])
    shown = large_picture(sheet, "Before and after, with and without the trigger word")
    verdict = "The LoRA learned the character" if _learned(figures) else "The LoRA did not learn the character"
    return write_report(run, [(verdict, judged + shown)], folder / "report.html")
