"""Tracked files whose line ends git has changed on the way into the working folder (core.autocrlf)."""

from stages.commands.pipeline.commit import missing_commit
from stages.tracking.git import git

# `git checkout` alone writes nothing: git takes the files for unchanged
FIX = (
    "git config core.autocrlf false && git rm -rq --cached . && git reset -q --hard (drops what is not committed, "
    "which `git diff --ignore-cr-at-eol` shows), or clone anew"
)


def converted_files() -> list[str]:
    """Return the tracked files that have CRLF here and LF in git; none where git has no commit of this folder."""
    if missing_commit():
        return []
    entries = [entry.partition("\t") for entry in git("ls-files", "--eol", "-z").split("\0")]
    return [path for ends, _, path in entries if ends.startswith("i/lf") and "w/lf" not in ends]


def converted(files: list[str]) -> str:
    """Return what to say of them."""
    more = f" and {len(files) - 1} more" if len(files) > 1 else ""
    return f"{files[0]}{more} have the line ends CRLF here, LF in git: DVC takes them for changed"
