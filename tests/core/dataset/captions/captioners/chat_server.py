"""A server on loopback that speaks OpenAI's chat interface, and says which colour a picture has."""

import base64
import io
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from PIL import Image


class Chat(ThreadingHTTPServer):
    """Answers, while the `with` block runs, with the colour of the picture it was sent; `answers` are given first, as (status, body,
    headers) or text."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[dict] = []
        self.headers: list[dict] = []
        self.answers: list = []
        self.under_way = self.most = 0
        self.lock = threading.Lock()

    def __enter__(self) -> "Chat":
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"


class Handler(BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_POST(self):
        server: Chat = self.server
        with server.lock:
            server.under_way += 1
            server.most = max(server.most, server.under_way)
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with server.lock:
            server.asked.append(body)
            server.headers.append(dict(self.headers))
            answer = server.answers.pop(0) if server.answers else None
        status, headers = 200, {}
        if isinstance(answer, tuple):
            status, text, headers = answer
        else:
            said = answer if isinstance(answer, str) else f"A {colour_of(body)} picture."
            text = json.dumps({"choices": [{"message": {"content": said}, "finish_reason": "stop"}]})
        threading.Event().wait(0.03)
        with server.lock:
            server.under_way -= 1
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(text.encode())


def colour_of(body) -> str:
    address = body["messages"][0]["content"][0]["image_url"]["url"]
    image = Image.open(io.BytesIO(base64.b64decode(address.removeprefix("data:image/jpeg;base64,"))))
    pixel = image.getpixel((image.width // 2, image.height // 2))
    return ("red", "green", "blue")[pixel.index(max(pixel))]
