"""Download a file from the first mirror that delivers the expected bytes; a broken download is resumed."""

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

from vision_pipeline.core.errors import UserError
from vision_pipeline.core.files import sha256_file
from vision_pipeline.core.locks import file_lock
from vision_pipeline.core.logging import logger
from vision_pipeline.core.progress import progress_bar

TIMEOUT_SECONDS = 15.0  # to connect, and between two pieces
STALL_WINDOW_SECONDS = 30.0  # for the measurement of the rate
MIN_BYTES_PER_SECOND = 1000.0  # a slower host counts as stalled
MAX_ATTEMPTS = 5  # at one host, as long as each attempt brings new bytes
MAX_REDIRECTS = 5
DEFAULT_MAX_BYTES = 1 << 30  # of a file of unknown size
_CHUNK_BYTES = 1 << 16


class DownloadError(Exception):
    """No mirror delivered the file; `attempts` holds each URL and why it failed."""

    def __init__(self, name: str, attempts: list[tuple[str, str]]) -> None:
        self.attempts = attempts
        super().__init__("; ".join(f"{url}: {reason}" for url, reason in attempts) or f"no address is known for {name}")


class _AttemptFailed(Exception):
    """One attempt failed; the message says why."""


def download_file(
    urls: list[str], path: Path, *, size: int | None, sha256: str | None, max_bytes: int = DEFAULT_MAX_BYTES
) -> str:
    """Download a file to `path` and return the URL that delivered it.

    Bytes are collected in `<path>.partial`, which outlives a failure or a kill; it is renamed when it has the right
    size and checksum. A partial file is resumed (also at another mirror) only where a checksum can prove that the
    pieces belong together. One process at a time downloads a file; others wait.

    Args:
        urls: mirrors of the same file, in the order in which they are tried.
        path: the file to write; if it exists with the right checksum, nothing is downloaded.
        size: expected bytes, None if unknown.
        sha256: hexadecimal, the whole or its first digits where only those are published; None if unknown.
        max_bytes: the most bytes to accept where `size` is None.

    Raises:
        DownloadError: every mirror failed; lists each with its reason.
        UserError: the disk cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    with file_lock(f"download-{path.parent.name}-{path.name}", f"downloads {path.name}"):
        if sha256 and path.exists() and sha256_file(path).startswith(sha256):
            return urls[0]
        attempts: list[tuple[str, str]] = []
        for url in urls:
            try:
                _download_from(url, partial, size=size, sha256=sha256, max_bytes=max_bytes)
            except _AttemptFailed as failure:
                logger.debug(f"{url}: {failure}")
                attempts.append((url, str(failure)))
                continue
            partial.replace(path)
            return url
    raise DownloadError(path.name, attempts)


def _download_from(url: str, partial: Path, *, size: int | None, sha256: str | None, max_bytes: int) -> None:
    """Complete and verify `partial` from one URL; retry while every attempt brings new bytes."""
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
        # a resumed file with a wrong checksum is downloaded again; one that gained no byte is given up
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


def _receive(url: str, partial: Path, *, start: int, size: int | None, max_bytes: int) -> None:
    """Append the bytes from `start` on to `partial`, or rewrite it where the server sends the whole file."""
    request = urllib.request.Request(url, headers={"User-Agent": "vision-pipeline"})
    if start:
        request.add_header("Range", f"bytes={start}-")
    try:
        response = http_opener().open(request, timeout=TIMEOUT_SECONDS)
    except HTTPError as error:
        if error.code == 416:  # the partial file is longer than the published one
            partial.unlink(missing_ok=True)
        raise
    with response:
        start = _resolve_start(response, partial, start, size)
        with _open_for_writing(partial, "ab" if start else "wb") as file:
            name = partial.name.removesuffix(".partial")
            _stream_to_file(response, file, received=start, size=size, max_bytes=size or max_bytes, name=name)


def _resolve_start(response: Any, partial: Path, start: int, size: int | None) -> int:
    """Return the offset of the response's first byte: `start` if the server resumes there, else 0."""
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
        file = path.open(mode, buffering=0)  # unbuffered: a full disk fails at the write, not at the end
    except OSError as error:
        raise UserError(f"{path} cannot be written: {error}") from error
    with file:
        yield file


def _stream_to_file(
    response: Any, file: IO[bytes], *, received: int, size: int | None, max_bytes: int, name: str
) -> None:
    """Write the response to the file, until its end, the size bound, or a stall."""
    expected = response.length  # from the headers; None where they name no length
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
        raise UserError(f"{file.name} cannot be written: {error}") from error


def _verify(partial: Path, size: int | None, sha256: str | None) -> None:
    """Check the size and checksum of a complete file; remove it and raise if one is wrong."""
    if size and _get_size(partial) != size:
        mismatch = f"{_get_size(partial)} bytes, expected {size}"
    elif sha256 and not (digest := sha256_file(partial)).startswith(sha256):
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
        """Return the request to follow; raise HTTPError where it would leave http(s) or drop the encryption."""
        scheme = urlsplit(newurl).scheme
        if scheme not in ("http", "https") or (urlsplit(req.full_url).scheme == "https" and scheme != "https"):
            raise HTTPError(newurl, code, f"redirected to {newurl}, which is refused", headers, fp)
        following = super().redirect_request(req, fp, code, msg, headers, newurl)
        fp.close()  # otherwise the whole body of the redirect would be read
        return following


def http_opener() -> urllib.request.OpenerDirector:
    """Return an opener for http and https only (urllib's own also opens ftp:, file: and data:)."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.UnknownHandler(),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(),
        urllib.request.HTTPDefaultErrorHandler(),
        _SafeRedirectHandler(),
        urllib.request.HTTPErrorProcessor(),
    ):
        opener.add_handler(handler)
    return opener
