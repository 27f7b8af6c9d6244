"""The page of a LoRA on Hugging Face: values on top that the Hub reads, then pictures, trigger, use, settings, licence and hashes.

Sources: https://huggingface.co/docs/hub/model-cards (base_model, license with license_name and license_link, not-for-all-audiences),
https://huggingface.co/docs/hub/model-cards-components (widget and <Gallery />), https://huggingface.co/docs/hub/models-adapters
(base_model_relation); the tag template:sd-lora and instance_prompt as in diffusers' own cards (examples/dreambooth).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from core.base.cards import BEGIN, END, is_ours, plain, split_card, with_part, without_keys, yaml
from core.base.errors import ConfigError, require
from core.base.licences import Licence
from core.base.words import told_size
from core.utilities.inspecting.about import training_table
from core.utilities.publishing.civitai import description_text
from core.utilities.publishing.private import cleaned, user_names
from core.utilities.publishing.release import IMAGES, Release
from core.utilities.publishing.repository import repository_of
from core.utilities.publishing.using import diffusers_code, in_words

FAMILY_TAGS = {"sd15": ("stable-diffusion",), "sd2": ("stable-diffusion",), "sdxl": ("stable-diffusion-xl",), "sd3": ("sd3",),
               "flux1": ("flux",), "flux2_dev": ("flux2",), "flux2_klein": ("flux2",), "qwen_image": ("qwen-image",)}
ADULTS = "not-for-all-audiences"
SHORT_NAME = re.compile(r"[a-z0-9][a-z0-9.+\-]*")
"""How Hugging Face's identifiers of licences are written."""
OWN_SAMPLE = re.compile(rf"{IMAGES}/\d\d\.(?:png|jpg|webp)")
LATER = "counted when it is published"
OURS = ("license", "license_name", "license_link", "base_model", "base_model_relation", "tags", "instance_prompt", "widget", "pipeline_tag",
        "library_name")
"""Keys on top of a page that are written anew; all others stay."""


def card_of(release: Release, repository: str, sha256: Mapping[str, str], before: str = "") -> str:
    """The page.

    Args: repository: owner/name. sha256: of each published file by its name; of those that lack it, it is still to be counted.
        before: the page that is there; what somebody wrote in it stays.
    Raises: ConfigError: the values on top of the page that is there cannot be read.
    """
    head, body = split_card(before)
    values = front_matter(release)
    values["tags"] = list(dict.fromkeys([*_tags_of(head), *_list(values["tags"])]))
    theirs = without_keys(head, dict.fromkeys(OURS)).lstrip()
    return f"---\n{yaml(values)}{theirs}---\n{with_part(body, text_of(release, repository, sha256))}"


def _list(value: object) -> Sequence[str]:
    return value if isinstance(value, list) else []


def _tags_of(head: str) -> list[str]:
    """The tags on a page that is there."""
    tags = _values_of(head).get("tags") or []
    return [str(tag) for tag in tags if tag != ADULTS] if isinstance(tags, list) else [str(tags)]


def samples_on(page: str) -> list[str]:
    """Our own samples that a page of ours shows, by their names there. Raises: ConfigError: as `card_of`."""
    widget = _values_of(split_card(page)[0]).get("widget") if is_ours(page) else None
    outputs = [one.get("output") for one in widget if isinstance(one, dict)] if isinstance(widget, list) else []
    names = [str(output.get("url", "")) for output in outputs if isinstance(output, dict)]
    return [name for name in dict.fromkeys(names) if OWN_SAMPLE.fullmatch(name)]


def _values_of(head: str) -> Mapping[str, Any]:
    """The values on top of a page. Raises: ConfigError: they cannot be read."""
    reader = require("yaml", needed_for="The page on Hugging Face")
    try:
        return dict(reader.safe_load(head) or {})
    except (reader.YAMLError, TypeError, ValueError) as error:
        raise ConfigError(f"The values on top of the page that is there cannot be read ({str(error).splitlines()[0]}).",
                          "Mend the page on Hugging Face, then publish again.") from error


def preview(release: Release) -> str:
    """What will stand on the page, before anything is published."""
    if release.settings.to != "hub":
        return description_text(release)
    known = {file.name: file.hashes.sha256 for file in release.files if not file.is_copied}
    return card_of(release, repository_of(release), known)


def facts_of(release: Release, seen: bool | None) -> list[tuple[str, str]]:
    """What is published, for a person. Args: seen: whether everybody sees it; None: not known."""
    base, licence, settings = release.found_base.base, release.licence, release.settings
    files = [(f"File {number}" if len(release.files) > 1 else "File",
              f"{file.name}, {told_size(file.size)}, AutoV3 {file.hashes.autov3}") for number, file in enumerate(release.files, 1)]
    where = {"hub": f"Hugging Face, {repository_of(release)}", "folder": "a folder for Civitai", "zip": "a zip for Civitai"}[settings.to]
    if settings.to == "hub":
        where += ", as a pull request" if settings.pull_request else ""
        where += ", everybody can see it" if seen else ", private" if seen is not None else ""
    return [("Title", release.title), *files, ("Trigger words", release.trigger or "none"),
            ("Base model", base.title if base is not None else "not known"), ("Licence", licence.title if licence is not None else "none"),
            ("Samples", str(len(release.samples))), ("Goes to", where)]


def front_matter(release: Release) -> dict[str, object]:
    """The values on top of the page."""
    base, first = release.found_base.base, release.first
    library = {"library_name": "diffusers"} if first.loads_in_diffusers else {}
    tags = ["text-to-image", "lora", *(["diffusers"] if library else []), "template:sd-lora", *FAMILY_TAGS.get(first.family.name, ()),
            *release.tags, *([ADULTS] if release.settings.adults else [])]
    widget = [{"text": sample.prompt or "-", **({"parameters": {"negative_prompt": sample.negative}} if sample.negative else {}),
               "output": {"url": release.image_name(number)}} for number, sample in enumerate(release.samples)]
    return {**_licence_values(release.licence), **library, "pipeline_tag": "text-to-image",
            **({"base_model": base.hub, "base_model_relation": "adapter"} if base is not None and base.hub else {}), "tags": tags,
            **({"instance_prompt": release.trigger} if release.trigger else {}), **({"widget": widget} if widget else {})}


def _licence_values(licence: Licence | None) -> dict[str, object]:
    if licence is None:
        return {}
    if licence.hub != "other":
        return {"license": licence.hub}
    if not licence.link and SHORT_NAME.fullmatch(licence.title):
        return {"license": licence.title}
    name = re.sub(r"[^a-z0-9.\-]+", "-", (licence.hub_name or licence.title).lower()).strip("-")
    return {"license": "other", "license_name": name, **({"license_link": licence.link} if licence.link else {})}


def text_of(release: Release, repository: str, sha256: Mapping[str, str]) -> str:
    """Our part of the page, in Markdown."""
    code = diffusers_code(release, repository)
    parts = [f"# {plain(release.title)}", "<Gallery />" if release.samples else "", _without_marks(release.description),
             f"By {plain(release.author)}." if release.author else "", _trigger(release),
             "## How to use it", *in_words(release), f"**diffusers**:\n\n```python\n{code}```" if code else "",
             *_training(release), "## Base model and licence", *_licence(release), "## Files",
             _table(("File", "Size", "AutoV2", "AutoV3", "SHA-256"), [
                 (f"`{file.name}`", told_size(file.size), *(_short(sha256.get(file.name, ""), file.hashes.autov3)))
                 for file in release.files])]
    return "\n\n".join(filter(None, parts))


def _short(sha256: str, autov3: str) -> tuple[str, str, str]:
    return (f"`{sha256[:10]}`", f"`{autov3}`", f"`{sha256}`") if sha256 else (LATER, f"`{autov3}`", LATER)


def _trigger(release: Release) -> str:
    strength = f"Usual strength: {release.settings.strength:g}."
    code = release.trigger.replace("`", "'")
    return f"## Trigger words\n\nWrite `{code}` into the prompt. {strength}" if code else f"## Strength\n\n{strength}"


def _training(release: Release) -> list[str]:
    """How it was trained, under the titles of the form; folded, for it is long. Nothing private stands in it, whatever the file tells."""
    rows = [(plain(what), plain(value)) for what, value in training_table(cleaned(release.first.metadata, user_names()))]
    if not rows:
        return []
    return ["## Training", f"<details><summary>{len(rows)} settings and facts</summary>\n\n{_table(('What', 'Value'), rows)}\n\n</details>"]


def _licence(release: Release) -> list[str]:
    base, own = release.found_base.base, release.licence
    lines = []
    if base is not None:
        name = f"[{plain(base.title)}](https://huggingface.co/{base.hub})" if base.hub else plain(base.title)
        under = f" ({_linked(base.licence)})" if base.licence is not None else ""
        lines.append(f"Trained on {name}{under}.")
    if own is not None:
        lines.append(f"Licence of this LoRA: {_linked(own)}." + ("" if own.commercial else " Not for commercial use."))
    if base is not None and base.licence is not None and base.licence.passes_on == "restrictions":
        lines.append(f"The restrictions of use of {_linked(base.licence)} hold for it too.")
    return lines or ["Neither is named."]


def _linked(licence: Licence) -> str:
    return f"[{plain(licence.title)}]({licence.link})" if licence.link else plain(licence.title)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _without_marks(text: str) -> str:
    return text.replace(BEGIN, "").replace(END, "").strip()
