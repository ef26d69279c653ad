"""Read and write whole files: a file is written under a temporary name, then renamed."""

import csv
import errno
import hashlib
import io
import json
import os
import pwd
import re
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from vision_pipeline.core.errors import ArtifactError

# the temporary name of a file or folder; a file's contains the number of the process that writes it
PARTIAL_FILE_PATTERN = re.compile(r"\..+?(?:\.(\d+))?\.partial")
_UNWRITABLE_ERRNOS = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM}
_PERMISSION_ERRNOS = {errno.EACCES, errno.EPERM}
_BAD_NAME_ERRNOS = {errno.EISDIR, errno.ENOTDIR, errno.EEXIST, errno.ENOTEMPTY, errno.ENAMETOOLONG}


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; rename it onto `path` when the block succeeds."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with annotate_os_error(path):
            yield partial
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def atomic_dir(path: Path) -> Iterator[Path]:
    """Yield an empty folder beside `path`; it replaces `path` when the block succeeds.

    The temporary name is always the same, so that the next run removes the folder that a killed run left.
    """
    partial = path.with_name(f".{path.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        with annotate_os_error(path):
            yield partial
        shutil.rmtree(path, ignore_errors=True)
        partial.replace(path)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


@contextmanager
def annotate_os_error(path: Path) -> Iterator[None]:
    """Add the name of the file to an error of the disk, because the system names it only when a file is opened."""
    try:
        yield
    except OSError as error:
        if error.errno in _UNWRITABLE_ERRNOS and error.filename is None:
            error.filename = str(path)
        raise


def format_os_error(error: OSError) -> str | None:
    """Return the line for a full or read-only disk, a file closed to this user, or a name that no file can have.

    Args:
        error: any error of the system; None is returned for all others.
    """
    path = error.filename2 or error.filename or "a file"  # the second file of a copy is the one that is written
    if error.errno in _BAD_NAME_ERRNOS:
        return f"{path}: {error.strerror}; name another file"
    if error.errno not in _UNWRITABLE_ERRNOS:
        return None
    if error.errno in _PERMISSION_ERRNOS and (unreadable := _explain_unreadable(Path(path))):
        return unreadable
    return f"{path}: {error.strerror}; make room or let it be written, and run this again: nothing is left half-written"


def _explain_unreadable(path: Path) -> str | None:
    """Return who may not read which file or folder, and the fix; None where reading is permitted."""
    for folder in reversed(path.absolute().parents):
        if not os.access(folder, os.X_OK):
            return _format_permission_fix(folder)
    access_mode = os.R_OK | os.X_OK if path.is_dir() else os.R_OK
    return _format_permission_fix(path) if path.exists() and not os.access(path, access_mode) else None


def _format_permission_fix(path: Path) -> str:
    status = path.stat()
    return (
        f"{path}: user {_get_user_name(os.geteuid())} may not read it, because it belongs to "
        f"{_get_user_name(status.st_uid)} (mode {status.st_mode & 0o777:03o}); `sudo chmod -R a+rX {path}` allows it"
    )


def _get_user_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:  # in a container a user may have no name
        return str(uid)


def write_bytes(path: Path, content: bytes | memoryview) -> None:
    """Write `content` to `path` atomically."""
    with atomic_path(path) as partial:
        partial.write_bytes(content)


def write_text(path: Path, content: str) -> None:
    """Write `content` as UTF-8 to `path` atomically."""
    write_bytes(path, content.encode())


def write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Write rows of cells as CSV; floats to 8 significant digits, None as nothing.

    A carriage return, which a file's name may hold, becomes U+FFFD: it is not quoted, and pandas ends a row there.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows([f"{cell:.8g}" if isinstance(cell, float) else cell for cell in row] for row in rows)
    write_text(path, text.getvalue().replace("\r", "\ufffd"))


def write_json(path: Path, content: Any) -> None:
    """Write `content` as indented JSON.

    Raises:
        ValueError: a number is NaN or infinite, which JSON does not have.
    """
    text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False)
    write_text(path, text + "\n")


class MissingKeyError(ArtifactError, KeyError):
    """A key that a file lacks; also a KeyError, because templates catch that to test for a key."""

    __str__ = Exception.__str__  # a KeyError would put the message in quotes


class JsonObject(dict[str, Any]):
    """The content of a JSON file. A missing key is an error that names the file, which may be damaged or old."""

    path = "what was read"  # for a copy, which has no file

    def __missing__(self, key: str) -> Any:
        raise MissingKeyError(f"{self.path} has no {key!r}; `dvc repro` makes it again once it is deleted")


def read_json(path: Path) -> JsonObject:
    """Read a JSON object that the pipeline wrote to `path`.

    Raises:
        ArtifactError: the file is missing or is not JSON, or holds no object; the message names it.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ArtifactError(f"{path} is missing; `dvc repro` makes it") from None
    except ValueError as error:
        raise ArtifactError(f"{path} is not valid JSON: {error}") from error
    if not isinstance(content, dict):
        kind = type(content).__name__
        raise ArtifactError(f"{path} is not valid: it holds a {kind}, not an object of keys and values")
    json_object = JsonObject(content)
    json_object.path = str(path)
    return json_object


def sha256_file(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
