"""A local server that misbehaves in every way that real ones do."""

import hashlib
import re
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

CONTENT = bytes(range(256)) * 2000
SIZE = len(CONTENT)
DIGEST = hashlib.sha256(CONTENT).hexdigest()


class Handler(BaseHTTPRequestHandler):
    """The path says how to answer; `server.log` holds (path, Range, bytes sent)."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        """Quiet."""

    def do_GET(self) -> None:
        """Answer as the path says."""
        self.sent = 0
        self.close_connection = True
        try:
            getattr(self, "answer_" + self.path.strip("/").split("/")[0])()
        except OSError:  # the client has hung up
            pass
        finally:
            self.server.log.append((self.path, self.headers.get("Range"), self.sent))  # type: ignore[attr-defined]

    def head(self, status: int, **headers: object) -> None:
        """Status and headers; `Content_Range` for `Content-Range`."""
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()

    def body(self, content: bytes) -> None:
        """Send and count."""
        self.wfile.write(content)
        self.sent += len(content)

    def start(self) -> int:
        """The first byte that the Range header asks for."""
        requested = re.match(r"bytes=(\d+)-", self.headers.get("Range", ""))
        return int(requested[1]) if requested else 0

    def ranged(self, until: int = SIZE) -> None:
        """The rest of the content up to byte `until`, as an honest server sends it, cut off there."""
        start = self.start()
        if start >= SIZE:
            self.head(416, Content_Range=f"bytes */{SIZE}", Content_Length=0)
        elif start:
            self.head(206, Content_Length=SIZE - start, Content_Range=f"bytes {start}-{SIZE - 1}/{SIZE}")
            self.body(CONTENT[start:until])
        else:
            self.head(200, Content_Length=SIZE)
            self.body(CONTENT[:until])

    def answer_good(self) -> None:
        """All is well."""
        self.ranged()

    def answer_half(self) -> None:
        """Breaks off at the half, whatever is asked."""
        self.ranged(SIZE // 2)

    def answer_flaky(self) -> None:
        """Breaks off after every third of the whole."""
        self.ranged(self.start() + SIZE // 3 + 1)

    def answer_norange(self) -> None:
        """Does not know Range."""
        self.head(200, Content_Length=SIZE)
        self.body(CONTENT)

    def answer_elsewhere(self) -> None:
        """Resumes at another byte than asked for."""
        if start := self.start():
            self.head(206, Content_Length=SIZE - 1, Content_Range=f"bytes 1-{SIZE - 1}/{SIZE}")
            self.body(CONTENT[1:])
        else:
            self.ranged(start + SIZE)

    def answer_corrupt(self) -> None:
        """The right size, one bit wrong."""
        self.head(200, Content_Length=SIZE)
        self.body(CONTENT[:-1] + b"\x00")

    def answer_toolong(self) -> None:
        """More than there should be, without saying how much."""
        self.head(200)
        self.body(CONTENT + CONTENT)

    def answer_othersize(self) -> None:
        """Says at once that it has another file."""
        self.head(200, Content_Length=5)
        self.body(b"hello")

    def answer_unknownlength(self) -> None:
        """Does not say how long the file is, and breaks off."""
        self.head(200)
        self.body(CONTENT[:1000])

    def answer_missing(self) -> None:
        """404."""
        self.head(404, Content_Length=0)

    def answer_error(self) -> None:
        """500."""
        self.head(500, Content_Length=0)

    def answer_redirect(self) -> None:
        """To the good file."""
        self.head(302, Location="/good/file", Content_Length=0)

    def answer_loop(self) -> None:
        """To itself."""
        self.head(302, Location="/loop", Content_Length=0)

    def answer_endless(self) -> None:
        """Sends a redirect's body for ever, until the client hangs up."""
        self.head(302, Location="/good", Content_Length=1 << 40)
        while True:
            self.body(bytes(1 << 16))

    def answer_hops(self) -> None:
        """Ever further."""
        number = int(self.path.rsplit("/", 1)[1])
        self.head(302, Location=f"/hops/{number + 1}", Content_Length=0)

    def answer_tofile(self) -> None:
        """Out of HTTP."""
        self.head(302, Location="file:///etc/hostname", Content_Length=0)

    def answer_silent(self) -> None:
        """Accepts, and never answers."""
        self.server.over.wait(20)  # type: ignore[attr-defined]

    def answer_stall(self) -> None:
        """Sends a little, then nothing."""
        self.head(200, Content_Length=SIZE)
        self.body(CONTENT[:100])
        self.wfile.flush()
        self.server.over.wait(20)  # type: ignore[attr-defined]

    def answer_drip(self) -> None:
        """A few bytes now and then, so that no single wait is long."""
        self.head(200, Content_Length=SIZE)
        while not self.server.over.wait(0.05):  # type: ignore[attr-defined]
            self.body(b"x")
            self.wfile.flush()


class Server:
    """A running server and what it was asked."""

    def __init__(self) -> None:
        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.http.log = []  # type: ignore[attr-defined]
        self.http.over = threading.Event()  # type: ignore[attr-defined]
        threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def url(self, path: str) -> str:
        """The address of a path."""
        return f"http://127.0.0.1:{self.http.server_address[1]}/{path}"

    def log(self, requests: int) -> list[tuple[str, str | None, int]]:
        """The log, once it holds `requests` entries (an entry is made after the client has its bytes)."""
        log: list[tuple[str, str | None, int]] = self.http.log  # type: ignore[attr-defined]
        for _ in range(1000):
            if len(log) >= requests:
                break
            time.sleep(0.01)
        return log

    def stop(self) -> None:
        """Stop serving and let waiting answers go."""
        self.http.over.set()  # type: ignore[attr-defined]
        self.http.shutdown()
        self.http.server_close()
