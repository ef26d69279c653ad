"""Files of a commit whose hashes dvc.lock took while they had other line ends, as core.autocrlf makes them."""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

_Change = Callable[[bytes], bytes]


def with_other_line_ends(root: Path, recorded: Mapping[str, str]) -> list[str]:
    """Return the paths whose recorded MD5 is that of other line ends than they have here.

    Args:
        root: of a clone, as git has made it.
        recorded: by path, the MD5 of dvc.lock; of a folder that of its list of files, which ends with `.dir`.
    """
    here = {path: md5 for path, md5 in recorded.items() if (root / path).exists()}
    return [
        path
        for path, md5 in here.items()
        if _md5(root / path, bytes) != md5 and md5 in (_md5(root / path, _to_crlf), _md5(root / path, _to_lf))
    ]


def likely_cause(paths: Iterable[str]) -> list[str]:
    """Return one line of the files whose line ends were others; none without such a file."""
    first, *more = [*paths, ""]
    if not first:
        return []
    others = f" and {len(more) - 1} more" if len(more) > 1 else ""
    return [
        f"line ends: {first}{others} had other line ends (CRLF or LF) when dvc.lock was made than the commit has; "
        "`vision doctor` there says how to mend it"
    ]


def _to_crlf(text: bytes) -> bytes:
    return _to_lf(text).replace(b"\n", b"\r\n")


def _to_lf(text: bytes) -> bytes:
    return text.replace(b"\r\n", b"\n")


def _md5(path: Path, change: _Change) -> str:
    """Return what DVC would call a file or a folder whose texts were changed."""
    if path.is_file():
        content = path.read_bytes()
        return _hash(content if b"\0" in content else change(content))  # git converts no binary file
    files = sorted(file.relative_to(path).as_posix() for file in path.rglob("*") if file.is_file())
    listed = [{"md5": _md5(path / file, change), "relpath": file} for file in files]
    return f"{_hash(json.dumps(listed, sort_keys=True).encode())}.dir"


def _hash(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()
