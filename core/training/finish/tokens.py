"""The token of Hugging Face that a finish uploads with: one that was typed goes past the trainer, which must not have it."""

from __future__ import annotations

import os

TYPED = "LORABOOK_FINISH_TOKEN"
"""The supervisor's variable with a token that was typed. A trainer, and whatever packages it loads, has no need of a right to write."""


def for_supervisor(token: str) -> dict[str, str] | None:
    """Variables of a supervisor that begins a finish with that token. Args: token: empty: none was typed."""
    return {TYPED: token} if token else None


def for_finish(token: str) -> dict[str, str] | None:
    """Variables of the finish itself."""
    return {"HF_TOKEN": token} if token else None


def take_typed() -> str:
    """The typed token, out of this process's environment: what it starts from now on does not inherit it. Empty: there is none."""
    return os.environ.pop(TYPED, "")


def is_set_here() -> bool:
    """Whether this process has a token: of its environment, or of 'hf auth login'."""
    from core.setup.doctor import check_tokens

    return not any(finding.remedy for finding in check_tokens(os.environ) if "Hugging Face" in finding.what)
