"""Download a file from the first mirror that delivers the expected bytes; a broken download is resumed."""

import fcntl
import re
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPException
from pathlib import Path
from typing import IO, Any
from urllib.error import HTTPError
from urllib.parse import urlsplit

from stages.project.console import Refusal, bar, say
from stages.project.files import sha256 as sha256_of

TIMEOUT_SECONDS = 15.0  # to connect, and between two pieces
WINDOW_SECONDS = 30.0  # over which the rate is measured
LOWEST_RATE = 1000.0  # bytes per second; below it the host counts as stalled
ATTEMPTS = 5  # at one host, as long as each brings new bytes
REDIRECTS = 5
LIMIT = 1 << 30  # bytes of a file whose size is not known
_CHUNK = 1 << 16


class FetchFailed(Exception):
    """No mirror delivered the file; `tried` holds each URL and why it failed."""

    def __init__(self, name: str, tried: list[tuple[str, str]]) -> None:
        self.tried = tried
        super().__init__("; ".join(f"{url}: {why}" for url, why in tried) or f"no address is known for {name}")


class _Broken(Exception):
    """One attempt failed; the message says why."""


def fetch(urls: list[str], to: Path, size: int | None, sha256: str | None, limit: int = LIMIT) -> str:
    """Download a file to `to` and return the URL that delivered it.

    Bytes are collected in `<to>.partial`, which outlives a failure or a kill, and get their name only when they
    have the right size and checksum. A partial file is continued (also at another mirror) only where a checksum
    can prove that the pieces belong together.

    Args:
        urls: mirrors of the same file, in the order in which they are tried.
        to: where the file belongs; if it is there already with the right checksum, nothing is fetched.
        size: expected bytes, None if unknown.
        sha256: hexadecimal, the whole or its first digits where only those are published; None if unknown.
        limit: the most bytes to accept where `size` is None.

    Raises:
        FetchFailed: every mirror failed; lists each with its reason.
        Refusal: the disk cannot be written.
    """
    to.parent.mkdir(parents=True, exist_ok=True)
    partial = to.with_name(to.name + ".partial")
    with _alone(to):
        if sha256 and to.exists() and sha256_of(to).startswith(sha256):
            return urls[0]
        tried: list[tuple[str, str]] = []
        for url in urls:
            try:
                _from_one(url, partial, size, sha256, limit)
            except _Broken as broken:
                tried.append((url, str(broken)))
                continue
            partial.replace(to)
            return url
    raise FetchFailed(to.name, tried)


@contextmanager
def _alone(to: Path) -> Iterator[None]:
    """One process at a time downloads a file; another one waits and says so."""
    with to.with_name(to.name + ".lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"{to.name} is being downloaded by another process; waiting")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _from_one(url: str, partial: Path, size: int | None, sha256: str | None, limit: int) -> None:
    """Complete and verify `partial` from one URL; try again while every attempt brings new bytes."""
    for attempt in range(1, ATTEMPTS + 1):
        if sha256 is None:
            partial.unlink(missing_ok=True)
        before = _length(partial)
        try:
            if not (size and before >= size):
                _receive(url, partial, before, size, limit)
            _verify(partial, size, sha256)
            return
        except (OSError, HTTPException, ValueError) as error:
            why = _reason(error)
        except _Broken as broken:
            why = str(broken)
        # a resumed file that came out wrong is started anew; a fresh one without any gain is given up
        gained = _length(partial) > before if partial.exists() else before > 0
        if attempt == ATTEMPTS or not gained:
            raise _Broken(why)


def _length(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _reason(error: Exception) -> str:
    if isinstance(error, HTTPError):
        return " ".join(f"HTTP {error.code} {error.reason}".split())
    if isinstance(error, TimeoutError) or isinstance(getattr(error, "reason", None), TimeoutError):
        return f"no answer for {TIMEOUT_SECONDS:g} s"
    return " ".join(str(getattr(error, "reason", None) or error).split()) or type(error).__name__


def _receive(url: str, partial: Path, start: int, size: int | None, limit: int) -> None:
    """Append the bytes from `start` on to `partial`, or rewrite it where the server sends the whole file."""
    request = urllib.request.Request(url, headers={"User-Agent": "vision-pipeline"})
    if start:
        request.add_header("Range", f"bytes={start}-")
    try:
        response = opener().open(request, timeout=TIMEOUT_SECONDS)
    except HTTPError as error:
        if error.code == 416:  # our partial file is longer than theirs
            partial.unlink(missing_ok=True)
        raise
    with response:
        start = _agreed_start(response, partial, start, size)
        with _writable(partial, "ab" if start else "wb") as file:
            _copy(response, file, start, size, size or limit, partial.name.removesuffix(".partial"))


def _agreed_start(response: Any, partial: Path, start: int, size: int | None) -> int:
    """Where the response's first byte belongs: `start` if the server resumes as asked, else 0."""
    length = response.headers.get("Content-Length")
    if response.status == 206:
        told = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+|\*)", response.headers.get("Content-Range", ""))
        if not told or int(told[1]) != start:
            partial.unlink(missing_ok=True)
            raise _Broken("resumed at another place than asked for")
        if size and told[3] not in ("*", str(size)):
            raise _Broken(f"offers {told[3]} bytes, expected {size}")
        return start
    if response.status != 200:
        raise _Broken(f"HTTP {response.status}")
    if size and length and length != str(size):
        raise _Broken(f"offers {length} bytes, expected {size}")
    return 0


@contextmanager
def _writable(path: Path, mode: str) -> Iterator[IO[bytes]]:
    try:
        file = path.open(mode, buffering=0)  # what a full disk refuses is refused where it is written, not at the end
    except OSError as error:
        raise Refusal(f"{path} cannot be written: {error}") from error
    with file:
        yield file


def _copy(response: Any, file: IO[bytes], done: int, size: int | None, most: int, name: str) -> None:
    """Write what comes, until the end, the size bound, or a stall."""
    expected = response.length  # what the headers promise; None where they do not
    goal = size or (done + expected if expected is not None else None)
    since, arrived = time.monotonic(), 0
    with bar(goal, name, "B", scale=True) as shown:
        shown.update(done)
        while piece := response.read1(_CHUNK):
            done, arrived = done + len(piece), arrived + len(piece)
            if done > most:
                file.truncate(0)
                raise _Broken(f"sent more than {most} bytes")
            _write(file, piece)
            shown.update(len(piece))
            if (seconds := time.monotonic() - since) >= WINDOW_SECONDS:
                if arrived < LOWEST_RATE * seconds:
                    raise _Broken(f"stalled: {arrived} bytes in {seconds:.0f} s")
                since, arrived = time.monotonic(), 0
    if goal is not None and done < goal:
        raise _Broken(f"ended after {done} of {goal} bytes")


def _write(file: IO[bytes], piece: bytes) -> None:
    left = memoryview(piece)
    try:
        while left:
            left = left[file.write(left) :]
    except OSError as error:
        raise Refusal(f"{file.name} cannot be written: {error}") from error


def _verify(partial: Path, size: int | None, sha256: str | None) -> None:
    """Raise and remove the file if it is not what was expected."""
    if size and _length(partial) != size:
        wrong = f"{_length(partial)} bytes, expected {size}"
    elif sha256 and not (found := sha256_of(partial)).startswith(sha256):
        wrong = f"the SHA-256 is {found}, expected {sha256}"
    else:
        return
    partial.unlink()
    raise _Broken(wrong)


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follow a few redirects, to http and https only, and never from https to http."""

    max_redirections = REDIRECTS
    max_repeats = 2

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
        """Refuse what leaves http(s) or drops the encryption."""
        scheme = urlsplit(newurl).scheme
        if scheme not in ("http", "https") or (urlsplit(req.full_url).scheme == "https" and scheme != "https"):
            raise HTTPError(newurl, code, f"redirected to {newurl}, which is refused", headers, fp)
        following = super().redirect_request(req, fp, code, msg, headers, newurl)
        fp.close()  # or all that the redirect's body sends would be read
        return following


def opener() -> urllib.request.OpenerDirector:
    """An opener for http and https only (urllib's own would also open ftp:, file: and data:)."""
    director = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.UnknownHandler(),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(),
        urllib.request.HTTPDefaultErrorHandler(),
        _Redirects(),
        urllib.request.HTTPErrorProcessor(),
    ):
        director.add_handler(handler)
    return director
