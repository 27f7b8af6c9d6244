"""Hugging Face, Civitai and the servers that they lead to, on the loopback: their addresses, headers and refusals, and their bad days."""

from __future__ import annotations

import hashlib
import json
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

from tests.tensor_files import head_of

GATED = {"X-Error-Code": "GatedRepo", "X-Error-Message": "Access to model is restricted."}
BLOCK = 16_384


@lru_cache(maxsize=32)
def _hash(name: str, data: bytes) -> str:
    return hashlib.new(name, data).hexdigest()


@dataclass
class Blob:
    """A file on the far server, and how that behaves."""

    data: bytes
    name: str = ""
    """Said in Content-Disposition; empty: nothing is said."""
    tag: str = ""
    """ETag; empty: made of the content."""
    ranges: bool = True
    if_range: bool = True
    length: bool = True
    kind: str = "application/octet-stream"
    cut: int = 0
    """Bytes after which an answer breaks off, as long as `cuts` last."""
    cuts: int = 0
    dead: bool = False
    """Whether it says how large the file is, and then nothing more."""
    block: int = BLOCK
    """Bytes that are sent at a time."""
    per_second: int = 0
    """Bytes that one connection gets in a second; 0: any."""
    most: int = 0
    """Connections at once; 0: any. Others are told 503."""
    lasts: int = -1
    """Requests after which a signed address has run out; -1: never."""
    digest: str = ""
    """The SHA-256 that is published; empty: the true one."""
    published: bool = True
    """Whether one is."""
    open: int = 0
    turned_away: int = 0
    """Requests that were told 503."""

    @property
    def sha256(self) -> str:
        return self.digest or _hash("sha256", self.data)

    @property
    def etag(self) -> str:
        return self.tag or f'"{_hash("md5", self.data)}"'


class Server:
    """One loopback server; `asked` are the requests that it got: method, path with query, headers."""

    def __init__(self, act: Callable[[BaseHTTPRequestHandler], None]) -> None:
        self.asked: list[tuple[str, str, dict[str, str]]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True  # its wait for an answer costs 40 ms a request

            def do_GET(self) -> None:
                outer.asked.append((self.command, self.path, {name.lower(): value for name, value in self.headers.items()}))
                try:
                    act(self)
                except (BrokenPipeError, ConnectionResetError):
                    self.close_connection = True

            do_HEAD = do_GET

            def log_message(self, *_: object) -> None:
                return

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


def say(handler: BaseHTTPRequestHandler, status: int, body: bytes = b"", **headers: str) -> None:
    """One small answer."""
    handler.send_response(status)
    for name, value in {"Content-Length": str(len(body)), **{name.replace("_", "-"): value for name, value in headers.items()}}.items():
        handler.send_header(name, value)
    handler.end_headers()
    if handler.command != "HEAD":
        handler.wfile.write(body)


@dataclass
class Sites:
    """All of them. Set HF_ENDPOINT to `hub.address` and CIVITAI_ENDPOINT to `civitai.address`."""

    repos: dict[str, dict[str, Blob]] = field(default_factory=dict)
    """Repository → path → file."""
    gated: set[str] = field(default_factory=set)
    tokens: set[str] = field(default_factory=lambda: {"hf_good", "civ_good"})
    versions: dict[str, Blob] = field(default_factory=dict)
    """Civitai's versions by number."""
    models: dict[str, list[str]] = field(default_factory=dict)
    """Civitai's models by number: their versions, newest first."""
    login: set[str] = field(default_factory=set)
    """Versions that are only given to those who log in."""
    login_page: bool = False
    """Whether that is said by sending the page, as Civitai does to browsers."""
    base_model: str = "Illustrious"

    def __enter__(self) -> Sites:
        self.blobs: dict[str, Blob] = {}
        self.lock = threading.Lock()
        self.cdn, self.hub, self.civitai = Server(self._cdn), Server(self._hub), Server(self._civitai)
        return self

    def __exit__(self, *_: object) -> None:
        for server in (self.cdn, self.hub, self.civitai):
            server.close()

    def signed(self, blob: Blob) -> str:
        key = f"{id(blob):x}"
        self.blobs[key] = blob
        return f"{self.cdn.address}/blob/{key}?X-Amz-Signature=cdnsecret"

    def _token(self, handler: BaseHTTPRequestHandler) -> str:
        return handler.headers.get("Authorization", "").removeprefix("Bearer ")

    def _hub(self, handler: BaseHTTPRequestHandler) -> None:
        parts, token = unquote(urlsplit(handler.path).path).strip("/").split("/"), self._token(handler)
        listing = parts[:2] == ["api", "models"]
        repo = "/".join(parts[2:4] if listing else parts[:2])
        if token and token not in self.tokens:
            return say(handler, 401, X_Error_Message="Invalid credentials in Authorization header")
        if repo not in self.repos:
            return say(handler, 404 if token else 401, X_Error_Code="RepoNotFound")
        if listing:
            entries = [{"type": "file", "path": path, "size": len(blob.data)} for path, blob in self.repos[repo].items()]
            return say(handler, 200, json.dumps(entries).encode(), Content_Type="application/json")
        if repo in self.gated and token != "hf_good":
            return say(handler, 403 if token else 401, **{name.replace("-", "_"): value for name, value in GATED.items()})
        blob = self.repos[repo].get("/".join(parts[4:]))
        if blob is None:
            return say(handler, 404, X_Error_Code="EntryNotFound")
        linked = {"X-Linked-Etag": f'"{blob.sha256}"'} if blob.published else {}
        handler.send_response(302)
        for name, value in {"Location": self.signed(blob), "X-Repo-Commit": "c0ffee", "X-Linked-Size": str(len(blob.data)), **linked,
                            "Content-Length": "0"}.items():
            handler.send_header(name, value)
        handler.end_headers()
        return None

    def _civitai(self, handler: BaseHTTPRequestHandler) -> None:
        path, token = urlsplit(handler.path).path, self._token(handler)
        number = path.rsplit("/", 1)[-1]
        if path.startswith("/login"):
            return say(handler, 200, b"<html>log in</html>", Content_Type="text/html; charset=utf-8")
        if path.startswith("/api/v1/models/") and number in self.models:
            versions = [{"id": int(version)} for version in self.models[number]]
            return say(handler, 200, json.dumps({"id": int(number), "modelVersions": versions}).encode(), Content_Type="application/json")
        blob = self.versions.get(number)
        if blob is None:
            return say(handler, 404, b'{"error": "Not found"}', Content_Type="application/json")
        if path.startswith("/api/v1/model-versions/"):
            return say(handler, 200, json.dumps(self._facts(number, blob)).encode(), Content_Type="application/json")
        if number in self.login and token != "civ_good":
            if self.login_page:
                return say(handler, 307, Location="/login?reason=download-auth")
            body = {"error": "Unauthorized", "message": "The creator of this asset requires you to be logged in to download it"}
            return say(handler, 401, json.dumps(body).encode(), Content_Type="application/json")
        return say(handler, 307, Location=self.signed(blob))

    def _facts(self, number: str, blob: Blob) -> dict:
        file = {"id": 9, "name": blob.name or "model.safetensors", "type": "Model", "primary": True, "sizeKB": len(blob.data) / 1024,
                "metadata": {"fp": "fp16", "size": "pruned", "format": "SafeTensor"},
                "hashes": {"SHA256": blob.sha256.upper()} if blob.published else {},
                "downloadUrl": f"{self.civitai.address}/api/download/models/{number}"}
        other = {"id": 8, "name": "vae.safetensors", "type": "VAE", "metadata": {"format": "SafeTensor"}, "hashes": {}}
        return {"id": int(number), "modelId": 1, "baseModel": self.base_model, "files": [other, file]}

    def _cdn(self, handler: BaseHTTPRequestHandler) -> None:
        parts = urlsplit(handler.path)
        blob = self.blobs.get(parts.path.rsplit("/", 1)[-1])
        if blob is None or "cdnsecret" not in parse_qs(parts.query).get("X-Amz-Signature", []):
            return say(handler, 403)
        with self.lock:
            if blob.lasts == 0:
                blob.lasts = -1
                del self.blobs[parts.path.rsplit("/", 1)[-1]]
                return say(handler, 403)
            blob.lasts -= blob.lasts > 0
            if blob.most and blob.open >= blob.most:
                blob.turned_away += 1
                return say(handler, 503)
            blob.open += 1
        try:
            return self._send(handler, blob)
        finally:
            blob.open -= 1

    def _send(self, handler: BaseHTTPRequestHandler, blob: Blob) -> None:
        data, status, more = blob.data, 200, {"ETag": blob.etag, "Content-Type": blob.kind}
        if blob.name:
            more["Content-Disposition"] = f'attachment; filename="{blob.name}"'
        wanted, tag = handler.headers.get("Range", ""), handler.headers.get("If-Range", "") if blob.if_range else ""
        if blob.dead and wanted != "bytes=0-0":
            handler.close_connection = True
            handler.connection.shutdown(2)
            return None
        if blob.ranges and wanted and tag in ("", blob.etag):
            first, _, last = wanted.removeprefix("bytes=").partition("-")
            start, end = int(first), min(int(last or len(data)) + 1, len(data))
            if start >= len(data):
                return say(handler, 416)
            data, status = data[start:end], 206
            more["Content-Range"] = f"bytes {start}-{end - 1}/{len(blob.data)}"
        handler.send_response(status)
        for name, value in {**more, **({"Content-Length": str(len(data))} if blob.length else {"Connection": "close"})}.items():
            handler.send_header(name, value)
        handler.end_headers()
        cut = blob.cut if blob.cuts > 0 and len(data) > blob.cut else 0
        blob.cuts -= bool(cut)
        begun = time.monotonic()
        view, step = memoryview(data), blob.block
        for at in range(0, cut or len(data), step):
            handler.wfile.write(view[at:min(at + step, cut or len(data))])
            if blob.per_second:
                time.sleep(max(0.0, begun + (at + step) / blob.per_second - time.monotonic()))
        handler.close_connection = handler.close_connection or bool(cut) or not blob.length
        if cut:
            handler.connection.shutdown(2)
        return None


def weights(names: tuple[str, ...], size: int = 0, seed: int = 1, shape: tuple[int, ...] = (4, 4)) -> bytes:
    """A safetensors file of small tensors with these names, and bytes by chance behind them, as many more as are asked for."""
    shapes = dict.fromkeys(names, shape) | ({"filler": (size // 2,)} if size else {})
    head, length = head_of(shapes)
    filler = size // 2 * 2
    return head + bytes(length - filler) + random.Random(seed).randbytes(filler)


SDXL = ("model.diffusion_model.input_blocks.0.0.weight", "conditioner.embedders.1.model.token_embedding.weight")
