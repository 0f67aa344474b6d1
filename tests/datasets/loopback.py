"""A file server on 127.0.0.1 that misbehaves on request: each request consumes one word from the file's script."""

import threading
import time
from collections import defaultdict, deque
from dataclasses import dataclass, field
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from urllib.parse import unquote


@dataclass
class Served:
    """What one path answers."""

    content: bytes
    script: deque[str] = field(default_factory=deque)
    """cut:N, cut-headers, no-range, short-range, html, sly-html, wrong, 404, 500, 503, drip, stall, chunked, bare (no
    validators), bare-cut:N, redirect:ADDRESS, garbage-status, long-length, long-range; a file whose
    script is over is served well."""
    modified: str = "Mon, 01 Jan 2024 00:00:00 GMT"
    content_type: str = "application/octet-stream"

    @property
    def etag(self) -> str:
        return f'"{sha256(self.content).hexdigest()[:16]}"'


class Loopback:
    """Use as a context manager; `requests` records (path, Range header) in order."""

    def __init__(self) -> None:
        self.files: dict[str, Served] = {}
        self.requests: list[tuple[str, str]] = []
        self.sent: dict[str, int] = defaultdict(int)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def serve(self, path: str, content: bytes, *script: str, content_type: str = "application/octet-stream") -> str:
        self.files[path] = Served(content, deque(script), content_type=content_type)
        return f"{self.address}/{path}"

    def __enter__(self) -> "Loopback":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(timeout=5)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        loopback = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, format: str, *args: object) -> None:
                """The test's own assertions say what happened."""

            def do_GET(self) -> None:
                try:
                    _answer(self, loopback)
                except OSError:
                    self.close_connection = True

        return Handler


def _answer(handler: BaseHTTPRequestHandler, loopback: Loopback) -> None:
    path = unquote(handler.path.lstrip("/").split("?")[0])
    wanted = handler.headers.get("Range", "")
    loopback.requests.append((path, wanted))
    served = loopback.files.get(path)
    if served is None:
        handler.send_error(404)
        return
    word = served.script.popleft() if served.script else ""
    if word in ("404", "500", "503"):
        handler.send_error(int(word))
        return
    if word == "cut-headers":
        handler.close_connection = True
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Le")
        return
    if word.startswith("redirect:") or word in _ODD_ANSWERS:
        _answer_oddly(handler, word)
        return
    content, content_type = served.content, served.content_type
    if word == "html":
        content, content_type, wanted = (
            b"<!DOCTYPE html>\n<html>Please log in</html>" * 40,
            "text/html; charset=utf-8",
            "",
        )
    if word == "sly-html":
        content, wanted = b"<!DOCTYPE html>\n<html>Please log in</html>" * 40, ""
    if word == "wrong":
        content = content[:-1] + bytes([content[-1] ^ 1])
    if word == "chunked":
        _send_chunked(handler, content)
        return
    start = _start_of(handler, served, wanted) if word != "no-range" else 0
    if start >= len(content) > 0:
        handler.send_response(416)
        handler.send_header("Content-Range", f"bytes */{len(content)}")
        handler.send_header("Content-Length", "0")
        handler.end_headers()
        return
    handler.send_response(206 if start else 200)
    if start:
        first = start + 7 if word == "short-range" else start
        handler.send_header("Content-Range", f"bytes {first}-{len(content) - 1}/{len(content)}")
    if not word.startswith("bare"):
        handler.send_header("ETag", served.etag)
        handler.send_header("Last-Modified", served.modified)
    handler.send_header("Content-Type", content_type)
    handler.send_header("Content-Length", str(len(content) - start))
    handler.end_headers()
    _send_body(handler, loopback, path, content[start:], word)


_ODD_ANSWERS = {
    "garbage-status": b"HTTP/1.1 ja\tno\rwhat\x07 200\r\n\r\n",
    "long-length": b"HTTP/1.1 200 OK\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\nPK\x03\x04",
    "long-range": b"HTTP/1.1 206 Part\r\nContent-Range: bytes 0-5/" + b"9" * 5000 + b"\r\n\r\nPK\x03\x04",
}


def _answer_oddly(handler: BaseHTTPRequestHandler, word: str) -> None:
    handler.close_connection = True
    target = word.removeprefix("redirect:")
    redirect = f"HTTP/1.1 302 Found\r\nLocation: {target}\r\nContent-Length: 0\r\n\r\n".encode()
    handler.wfile.write(_ODD_ANSWERS.get(word, redirect))


def _start_of(handler: BaseHTTPRequestHandler, served: Served, wanted: str) -> int:
    if not wanted.startswith("bytes="):
        return 0
    condition = handler.headers.get("If-Range", "")
    if condition and condition not in (served.etag, served.modified):
        return 0
    return int(wanted.removeprefix("bytes=").rstrip("-"))


def _send_body(handler: BaseHTTPRequestHandler, loopback: Loopback, path: str, body: bytes, word: str) -> None:
    if "cut:" in word:
        body = body[: int(word.rpartition(":")[2])]
        handler.close_connection = True
    step, pause_s = (len(body) or 1, 0.0)
    if word == "drip":
        step, pause_s = 16384, 0.02
    if word == "stall":
        step, pause_s = 100, 30.0
    for begin in range(0, len(body), step):
        # Counted first: whoever has received the last of it may look at once.
        loopback.sent[path] += len(body[begin : begin + step])
        handler.wfile.write(body[begin : begin + step])
        handler.wfile.flush()
        if pause_s:
            time.sleep(pause_s)


def _send_chunked(handler: BaseHTTPRequestHandler, content: bytes) -> None:
    handler.send_response(200)
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()
    for begin in range(0, len(content), 50000):
        piece = content[begin : begin + 50000]
        handler.wfile.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
    handler.wfile.write(b"0\r\n\r\n")
