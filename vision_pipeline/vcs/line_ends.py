"""Find files whose line ends git changed on the way into the working folder (core.autocrlf), here and in dvc.lock."""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from vision_pipeline.core.text import join_limited
from vision_pipeline.vcs.git import explain_missing_commit, git_or_empty

_Conversion = Callable[[bytes], bytes]

# `git checkout` alone writes nothing, because git takes the files for unchanged
LINE_ENDS_FIX = (
    "git config core.autocrlf false && git rm -rq --cached . && git reset -q --hard (drops what is not committed, "
    "which `git diff --ignore-cr-at-eol` shows), or clone anew"
)


def find_converted_files() -> list[str]:
    """Return the tracked files that have CRLF here and LF in git; none where git has no commit of this folder."""
    if explain_missing_commit():
        return []
    entries = [entry.partition("\t") for entry in git_or_empty("ls-files", "--eol", "-z").split("\0")]
    return [path for ends, _, path in entries if ends.startswith("i/lf") and "w/lf" not in ends]


def describe_converted(files: list[str]) -> str:
    """Return the line for files of `find_converted_files`."""
    return f"{join_limited(files, 1)} have the line ends CRLF here, LF in git: DVC takes them for changed"


def find_other_line_ends(root: Path, recorded: Mapping[str, str]) -> list[str]:
    """Return the paths whose recorded MD5 is that of other line ends than they have here.

    Args:
        root: the folder of a fresh clone.
        recorded: the MD5 in dvc.lock by path; a folder's is that of its list of files and ends with `.dir`.
    """
    existing = {path: md5 for path, md5 in recorded.items() if (root / path).exists()}
    return [
        path
        for path, md5 in existing.items()
        if _compute_dvc_md5(root / path, bytes) != md5
        and md5 in (_compute_dvc_md5(root / path, _to_crlf), _compute_dvc_md5(root / path, _to_lf))
    ]


def explain_line_ends(paths: Iterable[str]) -> list[str]:
    """Return one line for files of `find_other_line_ends`; no line without such a file."""
    if not (files := list(paths)):
        return []
    return [
        f"line ends: {join_limited(files, 1)} had other line ends (CRLF or LF) when dvc.lock was made than the commit "
        "has; `vision doctor` there says how to mend it"
    ]


def _to_crlf(text: bytes) -> bytes:
    return _to_lf(text).replace(b"\n", b"\r\n")


def _to_lf(text: bytes) -> bytes:
    return text.replace(b"\r\n", b"\n")


def _compute_dvc_md5(path: Path, convert: _Conversion) -> str:
    """Return the MD5 that DVC would record for a file or folder after `convert` on its text files."""
    if path.is_file():
        content = path.read_bytes()
        return _md5_hex(content if b"\0" in content else convert(content))  # git converts no binary file
    files = sorted(file.relative_to(path).as_posix() for file in path.rglob("*") if file.is_file())
    entries = [{"md5": _compute_dvc_md5(path / file, convert), "relpath": file} for file in files]
    return f"{_md5_hex(json.dumps(entries, sort_keys=True).encode())}.dir"


def _md5_hex(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()
