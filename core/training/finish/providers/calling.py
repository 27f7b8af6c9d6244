"""One request to a provider: JSON over HTTPS, a few tries, no redirects, and every refusal in words that hold no key."""

from __future__ import annotations

import http.client
import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from core.base.errors import ConfigError, TrainingError
from core.training.finish.clock import rest

PAUSES = (2.0, 8.0, 20.0)
"""Seconds before the second, third and fourth try."""
LONGEST_PAUSE = 60.0
TIMEOUT = 30.0
LOOPBACK = ("127.0.0.1", "localhost", "::1")


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect would carry the key to another address."""

    def redirect_request(self, *_: Any) -> None:
        """None is followed."""
        return


@dataclass(frozen=True)
class Caller:
    """Speaks to one provider's REST interface."""

    title: str
    """What people call the provider."""
    base: str
    """Address without the last slash; https, or a server on this very machine."""
    key: str
    variable: str
    """The environment variable that the key was read from, for messages."""

    def __repr__(self) -> str:
        return f"Caller({self.title!r}, {self.base!r})"

    def call(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Send one request, up to four times where the provider or the network fails for a while.

        Returns: the answer's JSON object, {} where it is none.
        Raises: TrainingError: refused or not reached, in words. ConfigError: the address is not safe for a key.
        """
        address = urlsplit(self.base)
        if address.scheme != "https" and address.hostname not in LOOPBACK:
            raise ConfigError(f"The address {self.base} is not https, so the key of {self.title} is not sent there.")
        last = ""
        for pause in (0.0, *PAUSES):
            rest(pause)
            try:
                return self._send(method, path, body)
            except urllib.error.HTTPError as error:
                last = self._refused(error)
                after = str(error.headers.get("Retry-After", ""))
                if after.isdecimal():
                    rest(min(LONGEST_PAUSE, float(after)))
            except (urllib.error.URLError, TimeoutError, ConnectionError, http.client.HTTPException) as error:
                last = f"{self.title} could not be reached ({self._clean(str(getattr(error, 'reason', '') or type(error).__name__))})"
        raise TrainingError(f"{last}, also after {len(PAUSES) + 1} tries.", "Look at the machine on the provider's own page.")

    def _send(self, method: str, path: str, body: Mapping[str, Any] | None) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self.key}", "Accept": "application/json", "User-Agent": "lorabook"}
        data = None if body is None else json.dumps(body).encode()
        if data is not None:
            headers["Content-Type"] = "application/json"
        request = urllib.request.Request(f"{self.base}{path}", data, headers, method=method)
        with urllib.request.build_opener(_NoRedirect).open(request, timeout=TIMEOUT) as response:
            answer = response.read(1 << 20)
        try:
            value = json.loads(answer)
        except ValueError:
            return {}
        return value if isinstance(value, dict) else {}

    def _refused(self, error: urllib.error.HTTPError) -> str:
        """The words for an answer after which it may be tried again. Raises: TrainingError: it would be the same each time."""
        said = self._clean(" ".join(error.read(2000).decode("utf-8", "replace").split())[:200])
        if error.code == 429 or error.code >= 500:
            return f"{self.title} {'asks to wait' if error.code == 429 else 'failed'} (HTTP {error.code}{f': {said}' if said else ''})"
        words = {401: "does not accept the key", 403: "does not allow it with this key", 404: "does not know this machine"}
        raise TrainingError(f"{self.title} {words.get(error.code, 'refused')} (HTTP {error.code}{f': {said}' if said else ''}).",
                            f"Look at the key in {self.variable}, and at the machine on the provider's own page.") from error

    def _clean(self, text: str) -> str:
        return text.replace(self.key, "***") if self.key else text
