"""Writing to Hugging Face: who may, into which repository, and in words why it failed."""

from __future__ import annotations

import contextlib
import importlib
import os
import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from core.base.errors import ConfigError, StudioError, require
from core.base.hub import hub_trouble
from core.base.progress import SILENT, Progress

T = TypeVar("T")
PAUSES = (5.0, 20.0)
"""Seconds before the second and the third try."""
NEEDED_FOR = "Uploading to Hugging Face"
AGAIN = "Look at the connection and the repository's page, then try it again."


CHANGED_MEANWHILE = (409, 412)
"""Answers where somebody else wrote at the same moment: what is there is to be read again before another try."""


class HubError(StudioError):
    """Hugging Face said no, or could not be reached."""

    status: int | None = None
    """Of its answer; None: there was none."""


def hub_api(hint: str = "") -> Any:
    """huggingface_hub's own interface, with the token of the environment.

    Args: hint: where a token is given, if there is none.
    Raises: ConfigError: there is none. MissingDependency: huggingface_hub is not installed.
    """
    hub = require("huggingface_hub", needed_for=NEEDED_FOR)
    token = hub.get_token()
    if not token:
        raise ConfigError("There is no token for Hugging Face, so nothing can be uploaded.", hint or
                          "Set HF_TOKEN (one with the right to write) in the environment before the notebook is started.")
    return hub.HfApi(endpoint=(os.environ.get("HF_ENDPOINT") or "https://huggingface.co").rstrip("/"), token=token)


def open_repository(api: Any, wanted: str, private: bool, kind: str = "model",
                    kindly: Callable[[str, Callable[[], Any]], Any] | None = None) -> str:
    """Make a repository, or find it.

    Args: wanted: owner/name, or a name alone. kind: "model" or "dataset". kindly: as `ask_hub`.
    Returns: owner/name. Raises: HubError: it cannot be written, or everybody could see it though it should be private.
    """
    ask, what = kindly or ask_hub, f"The repository {wanted!r}"
    made = ask(what, lambda: api.create_repo(wanted, private=private, exist_ok=True, repo_type=kind))
    info = ask(what, lambda: api.repo_info(made.repo_id, repo_type=kind))
    if private and not info.private:
        raise HubError(f"The repository {made.repo_id} is there already, and everybody can see it; nothing was uploaded.",
                       "Choose another name, make it private on its page, or switch 'Private repository' off.")
    return str(made.repo_id)


def ask_hub(what: str, act: Callable[[], T], progress: Progress = SILENT, hint: str = AGAIN,
            rest: Callable[[float], None] = time.sleep, once: bool = False) -> T:
    """Ask Hugging Face, again where the network or the far end failed for a while.

    Args: what: the beginning of the sentence, where it fails. hint: what to do then. rest: waits so many seconds between two tries.
        once: whether it is not tried again.
    Raises: HubError: in words. Cancelled: between two tries.
    """
    kinds = _known_errors()
    for pause in (None,) if once else (*PAUSES, None):
        try:
            with _without_bars():
                return act()
        except kinds as error:
            status = _status(error)
            if pause is None or (status is not None and status < 500 and status != 429):
                status = status or _status(error.__cause__)
                failure = HubError(*_words(what, error, status, hint))
                failure.status = status
                raise failure from error
        rest(pause)
        progress.check()
    raise AssertionError("unreachable")


def _status(error: BaseException | None) -> int | None:
    """The number of an answer that was a refusal; None: there was no answer, or another trouble."""
    return getattr(getattr(error, "response", None), "status_code", None)


def _words(what: str, error: BaseException, status: int | None, hint: str) -> tuple[str, str]:
    """A failure at the far end, and what to do."""
    if status == 401:
        return f"{what}: Hugging Face does not accept the token (error 401).", "Make a new one with the right to write, and set HF_TOKEN."
    if status == 403:
        return (f"{what}: the token has no right to write there (error 403).",
                "Give it the right to write, or name a repository of your own.")
    if status == 429:
        return f"{what}: Hugging Face asks to wait (error 429).", "Try it again in some minutes."
    if status in CHANGED_MEANWHILE:
        return f"{what}: somebody else wrote there at the same moment (error {status}).", hint
    if status == 413:
        return (f"{what}: that is more than Hugging Face takes at once (error 413).",
                "Look on its page how much room the account has, or publish fewer or smaller files.")
    said = " ".join(str(getattr(error, "server_message", None) or "").split()).rstrip(".")
    if said and status is not None and 400 <= status < 500 and status != 404:
        return f"{what}: Hugging Face does not take it: {said} (error {status}).", hint
    return f"{what}: {hub_trouble(error)}.", hint


def _known_errors() -> tuple[type[Exception], ...]:
    """What huggingface_hub and its packages raise where network, far end or a given name is at fault."""
    errors = require("huggingface_hub.errors", needed_for=NEEDED_FOR)
    kinds: list[type[Exception]] = [errors.HfHubHTTPError, errors.HFValidationError, errors.OfflineModeIsEnabled, OSError, ValueError,
                                    RuntimeError]  # RuntimeError: hf_xet's
    for name in ("httpx", "httpx2"):
        with contextlib.suppress(ImportError):
            kinds.append(importlib.import_module(name).HTTPError)
    return tuple(kinds)


@contextlib.contextmanager
def _without_bars() -> Iterator[None]:
    """Its progress bars would fill the log."""
    bars = require("huggingface_hub.utils", needed_for=NEEDED_FOR)
    bars.disable_progress_bars()
    yield
