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

from vision_pipeline.core.errors import DataError
from vision_pipeline.core.files import sha256_file as sha256_of
from vision_pipeline.core.logging import logger
from vision_pipeline.core.progress import progress_bar

TIMEOUT_SECONDS = 15.0  # to connect, and between two pieces
STALL_WINDOW_SECONDS = 30.0  # over which the rate is measured
MIN_BYTES_PER_SECOND = 1000.0  # bytes per second; below it the host counts as stalled
MAX_ATTEMPTS = 5  # at one host, as long as each brings new bytes
MAX_REDIRECTS = 5
DEFAULT_MAX_BYTES = 1 << 30  # bytes of a file whose size is not known
_CHUNK_BYTES = 1 << 16


class DownloadError(Exception):
    """No mirror delivered the file; `attempts` holds each URL and why it failed."""

    def __init__(self, name: str, attempts: list[tuple[str, str]]) -> None:
        self.attempts = attempts
        super().__init__("; ".join(f"{url}: {reason}" for url, reason in attempts) or f"no address is known for {name}")


class _AttemptFailed(Exception):
    """One attempt failed; the message says why."""


def download_file(
    urls: list[str], path: Path, size: int | None, sha256: str | None, max_bytes: int = DEFAULT_MAX_BYTES
) -> str:
    """Download a file to `path` and return the URL that delivered it.

    Bytes are collected in `<to>.partial`, which outlives a failure or a kill, and get their name only when they
    have the right size and checksum. A partial file is continued (also at another mirror) only where a checksum
    can prove that the pieces belong together.

    Args:
        urls: mirrors of the same file, in the order in which they are tried.
        path: where the file belongs; if it is there already with the right checksum, nothing is fetched.
        size: expected bytes, None if unknown.
        sha256: hexadecimal, the whole or its first digits where only those are published; None if unknown.
        max_bytes: the most bytes to accept where `size` is None.

    Raises:
        FetchFailed: every mirror failed; lists each with its reason.
        DataError: the disk cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    with _lock_download(path):
        if sha256 and path.exists() and sha256_of(path).startswith(sha256):
            return urls[0]
        attempts: list[tuple[str, str]] = []
        for url in urls:
            try:
                _download_from(url, partial, size=size, sha256=sha256, max_bytes=max_bytes)
            except _AttemptFailed as failure:
                attempts.append((url, str(failure)))
                continue
            partial.replace(path)
            return url
    raise DownloadError(path.name, attempts)


@contextmanager
def _lock_download(path: Path) -> Iterator[None]:
    """One process at a time downloads a file; another one waits and says so."""
    with path.with_name(path.name + ".lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            logger.info(f"{path.name} is being downloaded by another process; waiting")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _download_from(url: str, partial: Path, size: int | None, sha256: str | None, max_bytes: int) -> None:
    """Complete and verify `partial` from one URL; try again while every attempt brings new bytes."""
    for attempt in range(1, MAX_ATTEMPTS + 1):
        if sha256 is None:
            partial.unlink(missing_ok=True)
        size_before = _get_size(partial)
        try:
            if not (size and size_before >= size):
                _receive(url, partial, start=size_before, size=size, max_bytes=max_bytes)
            _verify(partial, size, sha256)
            return
        except (OSError, HTTPException, ValueError) as error:
            reason = _format_error(error)
        except _AttemptFailed as failure:
            reason = str(failure)
        # a resumed file that came out wrong is started anew; a fresh one without any gain is given up
        progressed = _get_size(partial) > size_before if partial.exists() else size_before > 0
        if attempt == MAX_ATTEMPTS or not progressed:
            raise _AttemptFailed(reason)


def _get_size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _format_error(error: Exception) -> str:
    if isinstance(error, HTTPError):
        return " ".join(f"HTTP {error.code} {error.reason}".split())
    if isinstance(error, TimeoutError) or isinstance(getattr(error, "reason", None), TimeoutError):
        return f"no answer for {TIMEOUT_SECONDS:g} s"
    return " ".join(str(getattr(error, "reason", None) or error).split()) or type(error).__name__


def _receive(url: str, partial: Path, start: int, size: int | None, max_bytes: int) -> None:
    """Append the bytes from `start` on to `partial`, or rewrite it where the server sends the whole file."""
    request = urllib.request.Request(url, headers={"User-Agent": "vision-pipeline"})
    if start:
        request.add_header("Range", f"bytes={start}-")
    try:
        response = http_opener().open(request, timeout=TIMEOUT_SECONDS)
    except HTTPError as error:
        if error.code == 416:  # our partial file is longer than theirs
            partial.unlink(missing_ok=True)
        raise
    with response:
        start = _resolve_start(response, partial, start, size)
        with _open_for_writing(partial, "ab" if start else "wb") as file:
            _stream_to_file(response, file, received=start, size=size, max_bytes=size or max_bytes, name=partial.name.removesuffix(".partial"))


def _resolve_start(response: Any, partial: Path, start: int, size: int | None) -> int:
    """Where the response's first byte belongs: `start` if the server resumes as asked, else 0."""
    length = response.headers.get("Content-Length")
    if response.status == 206:
        content_range = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+|\*)", response.headers.get("Content-Range", ""))
        if not content_range or int(content_range[1]) != start:
            partial.unlink(missing_ok=True)
            raise _AttemptFailed("resumed at another place than asked for")
        if size and content_range[3] not in ("*", str(size)):
            raise _AttemptFailed(f"offers {content_range[3]} bytes, expected {size}")
        return start
    if response.status != 200:
        raise _AttemptFailed(f"HTTP {response.status}")
    if size and length and length != str(size):
        raise _AttemptFailed(f"offers {length} bytes, expected {size}")
    return 0


@contextmanager
def _open_for_writing(path: Path, mode: str) -> Iterator[IO[bytes]]:
    try:
        file = path.open(mode, buffering=0)  # what a full disk refuses is refused where it is written, not at the end
    except OSError as error:
        raise DataError(f"{path} cannot be written: {error}") from error
    with file:
        yield file


def _stream_to_file(response: Any, file: IO[bytes], received: int, size: int | None, max_bytes: int, name: str) -> None:
    """Write what comes, until the end, the size bound, or a stall."""
    expected = response.length  # what the headers promise; None where they do not
    total = size or (received + expected if expected is not None else None)
    window_start, window_bytes = time.monotonic(), 0
    with progress_bar(total, name, "B", unit_scale=True) as pbar:
        pbar.update(received)
        while piece := response.read1(_CHUNK_BYTES):
            received, window_bytes = received + len(piece), window_bytes + len(piece)
            if received > max_bytes:
                file.truncate(0)
                raise _AttemptFailed(f"sent more than {max_bytes} bytes")
            _write_all(file, piece)
            pbar.update(len(piece))
            if (seconds := time.monotonic() - window_start) >= STALL_WINDOW_SECONDS:
                if window_bytes < MIN_BYTES_PER_SECOND * seconds:
                    raise _AttemptFailed(f"stalled: {window_bytes} bytes in {seconds:.0f} s")
                window_start, window_bytes = time.monotonic(), 0
    if total is not None and received < total:
        raise _AttemptFailed(f"ended after {received} of {total} bytes")


def _write_all(file: IO[bytes], piece: bytes) -> None:
    remaining = memoryview(piece)
    try:
        while remaining:
            remaining = remaining[file.write(remaining) :]
    except OSError as error:
        raise DataError(f"{file.name} cannot be written: {error}") from error


def _verify(partial: Path, size: int | None, sha256: str | None) -> None:
    """Raise and remove the file if it is not what was expected."""
    if size and _get_size(partial) != size:
        mismatch = f"{_get_size(partial)} bytes, expected {size}"
    elif sha256 and not (digest := sha256_of(partial)).startswith(sha256):
        mismatch = f"the SHA-256 is {digest}, expected {sha256}"
    else:
        return
    partial.unlink()
    raise _AttemptFailed(mismatch)


class _SafeRedirectHandler(urllib.request.HTTPRedirectHandler):
    """Follow a few redirects, to http and https only, and never from https to http."""

    max_redirections = MAX_REDIRECTS
    max_repeats = 2

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
        """Refuse what leaves http(s) or drops the encryption."""
        scheme = urlsplit(newurl).scheme
        if scheme not in ("http", "https") or (urlsplit(req.full_url).scheme == "https" and scheme != "https"):
            raise HTTPError(newurl, code, f"redirected to {newurl}, which is refused", headers, fp)
        following = super().redirect_request(req, fp, code, msg, headers, newurl)
        fp.close()  # or all that the redirect's body sends would be read
        return following


def http_opener() -> urllib.request.OpenerDirector:
    """An opener for http and https only (urllib's own would also open ftp:, file: and data:)."""
    director = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.UnknownHandler(),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(),
        urllib.request.HTTPDefaultErrorHandler(),
        _SafeRedirectHandler(),
        urllib.request.HTTPErrorProcessor(),
    ):
        director.add_handler(handler)
    return director
