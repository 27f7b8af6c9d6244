"""A small web server on the loopback, with the manners and the bad manners of real ones."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Page:
    """What is behind a path."""

    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    ranges: bool = True
    """Whether parts may be asked for."""
    if_range: bool = True
    """Whether If-Range is heeded; False: the part comes, whatever version it is of."""
    content_range: str = ""
    """What is said of a part; empty: the truth."""
    longest: int = 0
    """Bytes of a part at most; 0: any."""
    cut: int = 0
    """Bytes after which the first so many answers break off; 0: they do not."""
    cuts: int = 0
    length: bool = True
    """Whether the size is said."""


class Web:
    """Serves `pages` (by path, without the query) while the `with` block runs; `asked` are the requests it got: path, headers."""

    def __init__(self) -> None:
        self.pages: dict[str, Page | Callable[[str], Page]] = {}
        self.asked: list[tuple[str, dict[str, str]]] = []

    def __enter__(self) -> Web:
        web = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True  # its wait for an answer costs 40 ms a request

            def do_GET(self) -> None:
                web.answer(self)

            def do_HEAD(self) -> None:
                web.answer(self, body=False)

            def log_message(self, *_: object) -> None:
                return

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    def answer(self, handler: BaseHTTPRequestHandler, body: bool = True) -> None:
        self.asked.append((handler.path, {name.lower(): value for name, value in handler.headers.items()}))
        page = self.pages.get(handler.path.partition("?")[0], Page(b"<html>gone</html>", 404, {"Content-Type": "text/html"}))
        page = page(handler.path) if callable(page) else page
        data, status, more = page.body, page.status, dict(page.headers)
        wanted = handler.headers.get("Range", "")
        tag = handler.headers.get("If-Range", "") if page.if_range else ""
        if page.ranges and wanted and status == 200 and tag in ("", page.headers.get("ETag", ""), page.headers.get("Last-Modified", "")):
            start = int(wanted.removeprefix("bytes=").split("-")[0])
            if start >= len(data):
                status, data = 416, b""
            else:
                end = min(len(data), start + page.longest) if page.longest else len(data)
                more["Content-Range"] = page.content_range or f"bytes {start}-{end - 1}/{len(data)}"
                status, data = 206, data[start:end]
        handler.send_response(status)
        for name, value in more.items():
            handler.send_header(name, value)
        if page.length:
            handler.send_header("Content-Length", str(len(data)))
        else:
            handler.send_header("Connection", "close")
        handler.end_headers()
        if not body:
            return
        if page.cuts > 0 and len(data) > page.cut:
            page.cuts -= 1
            handler.wfile.write(data[:page.cut])
            handler.wfile.flush()
            handler.close_connection = True
            handler.connection.shutdown(2)
            return
        handler.wfile.write(data)
        if not page.length:
            handler.close_connection = True
