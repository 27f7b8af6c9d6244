"""The page `docs/settings.md`: every training setting, from the settings classes themselves."""

from __future__ import annotations

from typing import Any

from pydantic.fields import FieldInfo

from core.base.settings import SET, SEVERAL, Settings, choices_of, field_extra
from core.training.config.data import DataSettings, Subset
from core.training.config.facts import described_commit
from core.training.config.machines import MachinesSettings
from core.training.config.presets import find_presets
from core.training.config.sampling import SamplePrompt
from core.training.config.training import PARTS

INTRODUCTION = """# Training settings

Every setting carries the name of sd-scripts' argument, so that advice for sd-scripts applies as it stands. A setting that is shown is
a setting that is written: into `config.toml` or `dataset.toml` of the run, which both the built-in trainer and sd-scripts read (the
names describe sd-scripts at commit {commit}; for families of musubi-tuner they are translated). Empty means that nothing is said and the
trainer's own default holds.

A preset is a whole set: what its file names, and the defaults below for the rest. Choosing another one keeps only what is yours:
model, folders, sample prompts, name and metadata. Before a run starts, combinations that a trainer would refuse or ignore are named
with a remedy, and the folders are looked at.

A setting that does not act with the others as they are (of another model family, of another type of network) is greyed in the form with
the reason, and is not written. What the form does not have goes into `extra_options`, which are checked against the script's own parser.

This page is written by `python custom/write_settings_page.py`.
"""


def settings_page() -> str:
    """The page as Markdown."""
    parts = [INTRODUCTION.format(commit=f"`{described_commit()[:8]}`"), "## Presets\n\n| preset | for |\n|---|---|"]
    parts += [f"| `{preset.name}`: {preset.title} | {preset.purpose} |" for preset in find_presets().values()]
    classes: list[tuple[str, type[Settings]]] = [(f"`[{part.section}]` of `config.toml`", part) for part in PARTS.values()]
    classes[1] = ("`[general]` and `[[datasets]]` of `dataset.toml`; caches and loader processes as `[data]` of `config.toml`",
                  DataSettings)
    classes = [("options of accelerate's launcher in the run's command", cls) if cls is MachinesSettings else (place, cls)
               for place, cls in classes]
    classes.insert(2, ("`[[datasets.subsets]]` of `dataset.toml`", Subset))
    classes.append(("a line of `sample_prompts.txt`", SamplePrompt))
    for place, cls in classes:
        parts += ["", f"## {cls.title}", "", f"{(cls.__doc__ or '').splitlines()[0]} Written as {place}.", "",
                  "| setting | title | default | what it does | shown |", "|---|---|---|---|---|"]
        parts += [_row(name, field) for name, field in cls.fields().items()]
    return "\n".join(parts) + "\n"


def _row(name: str, field: FieldInfo) -> str:
    unit = field_extra(field, "unit")
    choices = choices_of(field)
    help_text = field.description or ""
    if len(choices) > 1:
        help_text += f" One of {', '.join(str(choice) for choice in choices)}."
    if words := _acts_with(field):
        help_text += f" Acts only with {words}."
    cells = (f"`{name}`", field.title or "", f"{_default(field)}{f' {unit}' if unit and field.default is not None else ''}", help_text,
             field_extra(field, "level"))
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _acts_with(field: FieldInfo) -> str:
    """The other settings on which it hangs: "`family` sd15 or sdxl; `noise_offset` set"."""
    def values(wanted: list[Any]) -> str:
        known = {SET: "set", SEVERAL: "more than 1"}.get(tuple(wanted))
        return known or ", ".join(str(one) for one in wanted)

    return "; ".join(f"`{other}` {values(wanted)}" for other, wanted in field_extra(field, "only", {}).items())


def _default(field: FieldInfo) -> str:
    value: Any = field.get_default(call_default_factory=True)
    if field.is_required():
        return "must be given"
    if value is None or value == [] or value == "":
        return "empty"
    if isinstance(value, bool):
        return "on" if value else "off"
    return f"{value:g}" if isinstance(value, float) else str(value)
