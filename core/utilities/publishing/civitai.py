"""What Civitai asks for when a LoRA is uploaded there by hand: texts to be pasted, and a list of what is to be filled in.

Civitai has no interface by which a program could upload a model. Sources: civitai/civitai, src/shared/constants/base-model.constants.ts
(names of base models) and prisma/schema.prisma (ModelType: LORA, LoCon, DoRA).
"""

from __future__ import annotations

import html

from core.base.words import told_size
from core.utilities.publishing.markdown import html_of
from core.utilities.publishing.release import Release
from core.utilities.publishing.sample import prompt_name

OTHER_KINDS = ("LoHa", "LoKr", "LoCon", "GLoRA", "(IA)³", "OFT", "BOFT")
STYLE = "body{font:16px/1.5 sans-serif;max-width:46em;margin:2em auto;padding:0 1em}"


def description_text(release: Release) -> str:
    """The description in plain text."""
    return "\n\n".join(f"{title}\n{text}" if title else text for title, text in _parts(release)) + "\n"


def description_html(release: Release) -> str:
    """The same as a page: opened in a browser, marked and copied, it keeps its form in Civitai's field."""
    (_, description), *rest = _parts(release)
    parts = html_of(description) + "".join(f"<h2>{html.escape(title)}</h2><p>{html.escape(text).replace(chr(10), '<br>')}</p>"
                                           for title, text in rest)
    title = html.escape(release.title)
    return f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title><style>{STYLE}</style><body>{parts}</body></html>\n'


def _parts(release: Release) -> list[tuple[str, str]]:
    base, licence, settings = release.found_base.base, release.licence, release.settings
    use = [f"Trigger words: {release.trigger}" if release.trigger else "No trigger words are needed.", f"Strength: {settings.strength:g}",
           f"In prompts: <lora:{prompt_name(release.first.stem)}:{settings.strength:g}>"]
    made = [f"Base model: {base.title}" if base is not None else "", f"By {release.author}" if release.author else "",
            f"Licence: {licence.title}{f' ({licence.link})' if licence.link else ''}" if licence is not None else ""]
    return [("", release.description or release.title), ("How to use it", "\n".join(use)),
            ("About it", "\n".join(filter(None, made)))]


def checklist(release: Release) -> str:
    """What is filled in by hand, field by field as Civitai asks for it."""
    base, licence, first, about = release.found_base.base, release.licence, release.first, release.about
    told = dict(about.training)
    trained = ", ".join(f"{name} {told[name]}" for name in ("Epochs", "Steps", "Clip skip", "CLIP skip") if name in told)
    lines = [
        "What to fill in on https://civitai.com/models/create", "",
        f"[ ] Name: {release.title}", f"[ ] Type: {_type_words(first.kinds)}",
        f"[ ] Tags: {', '.join(release.tags) or '(yours to choose)'}",
        "[ ] Description: open description.html in a browser, mark all, copy, paste (description.txt is the same without its form)",
        f"[ ] Permissions: {_permissions(release)}",
        f"[ ] Mature content: {'yes' if release.settings.adults else 'no'}; say also whether it shows a real person or a minor",
        "", "Version", f"[ ] Base model: {base.civitai if base is not None else '(choose it)'}"
        + ("" if release.found_base.by != "family" else " (taken from the layers alone: look whether it is right)"),
        f"[ ] Trigger words: {release.trigger or '(none)'}", f"[ ] Usual strength: {release.settings.strength:g}",
        f"[ ] Training: {trained or '(not known)'}", "", "Files"]
    lines += [f"[ ] {file.name} ({told_size(file.size)}; AutoV3 {file.hashes.autov3})" for file in release.files]
    lines += ["", "Pictures", f"[ ] Upload the {len(release.samples)} pictures of images/. Those whose making is known say so by "
              "themselves and are linked to the LoRA by its AutoV3; the prompts stand in prompts.txt." if release.samples else
              "[ ] Civitai wants at least one picture: draw some in Before and after."]
    if licence is not None and licence.asks:
        lines += ["", f"Licence: {licence.title}. {licence.asks} {licence.link}"]
    return "\n".join(lines) + "\n"


def model_type(kinds: frozenset[str]) -> str:
    """What Civitai calls such a file."""
    if any("DoRA" in kind for kind in kinds):
        return "DoRA"
    return "LyCORIS" if any(kind in OTHER_KINDS for kind in kinds) else "LoRA"


def _type_words(kinds: frozenset[str]) -> str:
    """The type, explained where nobody would look for it under that word."""
    others = [kind for kind in OTHER_KINDS if kind in kinds]
    kind = model_type(kinds)
    return f"{kind} (so Civitai calls a LoRA with layers of {', '.join(others)})" if kind == "LyCORIS" else kind


def _permissions(release: Release) -> str:
    licence = release.licence
    if licence is None:
        return "(yours to choose; no licence was named)"
    if not licence.commercial:
        return f"{licence.title}: switch everything off that is for money (selling pictures, services, selling the model)"
    return f"as {licence.title} allows"


def prompts_text(release: Release) -> str:
    """Prompt and negative prompt of each sample."""
    parts = []
    for number, sample in enumerate(release.samples):
        negative = f"\nNegative prompt: {sample.negative}" if sample.negative else ""
        parts.append(f"{release.image_name(number).rpartition('/')[2]}\n{sample.prompt or '(not known)'}{negative}")
    return "\n\n".join(parts) + "\n"
