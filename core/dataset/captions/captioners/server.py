"""Captions by any server that speaks OpenAI's chat interface: vLLM, Ollama, LM Studio, llama.cpp, OpenRouter, OpenAI.

The key comes from an environment variable, travels in a header and goes to the given address alone: redirects are not followed.
"""

from __future__ import annotations

import base64
import http.client
import io
import json
import os
import re
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from core.base.errors import ConfigError, DatasetError, ModelError
from core.base.registry import Entry
from core.dataset.captions.captioners import CutText, PictureDeclined, Request, RequestRefused
from core.dataset.captions.captioners.schema import SCHEMA

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

TRIES = 3
PAUSE = 1.0
"""Seconds before the second try; doubled before each further one."""
TIMEOUT = 180.0
FOR_ALL = {401: "It wants a key", 404: "It does not know the address or the model", 405: "It does not take requests there"}
"""Answers that would be the same for every picture."""
PERHAPS_FOR_ALL = {400: "It refused the request", 403: "It forbids this", 422: "It refused the request"}
"""Answers that may be about one picture alone."""
FILTERED = re.compile(rb"content.?(?:filter|policy|management)|moderation|safety|flagged", re.IGNORECASE)
"""What a refusal says that is about what the picture shows."""


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A key must not travel to another host."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


class ServerCaptioner:
    """Sends each picture as a JPEG with its prompt. Several requests may be under way."""

    batch_size = 1

    def __init__(self, entry: Entry, request: Request) -> None:
        address = urlsplit(request.server_url.strip())
        if address.scheme not in ("http", "https") or not address.netloc:
            raise ConfigError(f"The server's address (server_url) must begin with http:// or https://, but is {request.server_url!r}.",
                              "For Ollama: http://localhost:11434/v1")
        if address.username or address.password:
            raise ConfigError("The server's address holds a name or password, which would stand in the saved notebook.",
                              f"Put the key into the environment variable {request.key_variable}.")
        if not request.server_model.strip():
            raise ConfigError("No model was named for the server (server_model).", "For example: qwen3-vl:8b")
        base = request.server_url.strip().rstrip("/")
        self.address = base if base.endswith("/chat/completions") else f"{base}/chat/completions"
        self.request, self.provider, self.parallel = request, address.netloc, request.parallel
        self._opener = urllib.request.build_opener(_NoRedirect)

    def describe(self, pictures: Sequence[Picture], prompts: Sequence[str]) -> list[str]:
        """One request each."""
        return [self._ask(picture, prompt) for picture, prompt in zip(pictures, prompts, strict=True)]

    def close(self) -> None:
        """Nothing is held."""

    def _ask(self, picture: Picture, prompt: str) -> str:
        answer = self._send(json.dumps(self._body(picture, prompt)).encode("utf-8"))
        try:
            choice = json.loads(answer)["choices"][0]
            text = choice["message"]["content"]
        except (ValueError, LookupError, TypeError) as error:
            raise RequestRefused(f"{self.provider} answered with something that is no chat answer: {_beginning(answer)}",
                                 "Check the address; it usually ends in /v1.") from error
        if choice.get("finish_reason") == "content_filter":
            raise PictureDeclined("The server's filter refused the picture.")
        said = text if isinstance(text, str) else ""
        return CutText(said) if choice.get("finish_reason") == "length" else said

    def _body(self, picture: Picture, prompt: str) -> dict[str, Any]:
        buffer = io.BytesIO()
        picture.save(buffer, "JPEG", quality=92)
        image = "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
        body: dict[str, Any] = {
            "model": self.request.server_model.strip(), "max_tokens": self.request.max_new_tokens, "temperature": self.request.temperature,
            "messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": image}},
                                                      {"type": "text", "text": prompt}]}]}
        if self.request.temperature:
            body["top_p"] = self.request.top_p
        if self.request.schema:
            body["response_format"] = {"type": "json_schema", "json_schema": {"name": "character", "strict": True, "schema": SCHEMA}}
        return body

    def _send(self, body: bytes) -> bytes:
        headers = {"Content-Type": "application/json"}
        if key := os.environ.get(self.request.key_variable, "").strip():
            headers["Authorization"] = f"Bearer {key}"
        pause, last = PAUSE, ""
        for attempt in range(TRIES):
            if attempt:
                time.sleep(pause)
                pause *= 2
            try:
                with self._opener.open(urllib.request.Request(self.address, body, headers), timeout=TIMEOUT) as response:
                    return bytes(response.read())
            except urllib.error.HTTPError as error:
                said = error.read()
                last = f"HTTP {error.code}: {_beginning(said)}"
                if error.code in PERHAPS_FOR_ALL:
                    if FILTERED.search(said):
                        raise PictureDeclined(f"The server's filter refused the picture ({last}).") from error
                    raise RequestRefused(f"{self.provider} refused: {PERHAPS_FOR_ALL[error.code]} ({last})",
                                         self._hint(error.code)) from error
                if error.code in FOR_ALL or 300 <= error.code < 400:
                    words = FOR_ALL.get(error.code, "It sends to another address, which is not followed")
                    raise ModelError(f"{self.provider} refused: {words} ({last})", self._hint(error.code)) from error
                after = error.headers.get("Retry-After", "")
                pause = min(60.0, float(after)) if after.isdecimal() else pause
            except urllib.error.URLError as error:
                if isinstance(error.reason, ConnectionRefusedError) or "name resolution" in str(error.reason).lower():
                    raise ModelError(f"Nobody answers at {self.provider} ({error.reason}).",
                                     "Start the server, or check its address.") from error
                last = str(error.reason)
            except (TimeoutError, ConnectionError, http.client.HTTPException) as error:
                last = f"{type(error).__name__}: {error}"
        raise DatasetError(f"{self.provider} failed {TRIES} times ({last}).")

    def _hint(self, code: int) -> str:
        if code in (401, 403):
            return f"Set the environment variable {self.request.key_variable} to its key before the notebook is started."
        return "Check the address and the model's name." if code in (404, 405) else "Check the settings against the server's own log."


def _beginning(data: bytes) -> str:
    text = " ".join(data[:400].decode("utf-8", "replace").split())
    return text[:200] or "an empty answer"
