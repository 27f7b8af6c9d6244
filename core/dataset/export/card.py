"""The page of a data set on Hugging Face: what it is, its licence, its numbers (https://huggingface.co/docs/hub/datasets-cards)."""

from __future__ import annotations

from core.base.cards import yaml

SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))


def card(readme: str, statistics: str, pictures: int, licence: str, about: str, trigger: str) -> str:
    """The text of its README.md.

    Args: readme, statistics: as the export wrote them. licence: Hugging Face's short name; empty: none was chosen. trigger: empty for none.
    """
    head: dict[str, object] = {"license": licence} if licence else {}
    head |= {"task_categories": ["text-to-image"], "size_categories": [size_category(pictures)], "tags": ["lora"]}
    title, _, rest = readme.partition("\n")
    told = [title, about.strip(), rest.strip(), "" if licence else "No licence was chosen.",
            f"In a prompt, `{trigger}` calls what these pictures show." if trigger else "", statistics.replace("# ", "## ").strip()]
    return f"---\n{yaml(head)}---\n" + "\n\n".join(filter(None, told)) + "\n"


def size_category(pictures: int) -> str:
    """Hugging Face's name for how large a data set is."""
    return next((name for most, name in SIZES if pictures < most), "1M<n<10M")
