"""What git knows, asked without a checkout."""

import io
import subprocess
import tarfile
from collections.abc import Sequence
from pathlib import Path

from stages.project.console import Refusal
from stages.project.files import write_bytes

_SECONDS = 10


def git(*arguments: str) -> str:
    """Git's answer, stripped; empty where it has none."""
    return _asked(*arguments).decode(errors="replace").strip()


def patch(*arguments: str) -> str:
    """`git diff` as `git apply` takes it, whatever the user's settings; empty where nothing differs."""
    plain = ("--binary", "--no-color", "--no-ext-diff", "--src-prefix=a/", "--dst-prefix=b/")
    return _asked("diff", *plain, *arguments).decode(errors="replace")


def asked_git(*arguments: str) -> str:
    """Git's answer, as it is.

    Raises:
        Refusal: it failed; the message has its own.
    """
    done = subprocess.run(["git", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise Refusal(f"`git {' '.join(arguments)}` failed: {done.stderr.strip()}")
    return done.stdout


def file_of(commit: str, path: Path) -> str:
    """A text file's content in a commit.

    Raises:
        Refusal: as `asked_git`.
    """
    return asked_git("show", f"{commit}:{path.as_posix()}")


def contents(objects: Sequence[str]) -> list[str | None]:
    """The text of each object, named as `COMMIT:PATH`; None where there is no such one. One call for all of them."""
    answer, found = _asked("cat-file", "--batch", given="\n".join(objects).encode()), list[str | None]()
    for _ in objects:
        head, _, rest = answer.partition(b"\n")
        *_, size = head.split()
        if not size.isdigit():  # "missing"
            found.append(None)
            answer = rest
            continue
        found.append(rest[: int(size)].decode(errors="replace"))
        answer = rest[int(size) + 1 :]
    return found


def unpack(commit: str, folder: Path, into: Path) -> Path:
    """Write the files of `folder` in a commit below `into`; the folder that they lie in."""
    with tarfile.open(fileobj=io.BytesIO(_asked("archive", commit, folder.as_posix()))) as archive:
        for member in archive:
            file = archive.extractfile(member) if member.isfile() else None
            if file and ".." not in Path(member.name).parts and not Path(member.name).is_absolute():
                write_bytes(into / member.name, file.read())
    return into / folder


def _asked(*arguments: str, given: bytes = b"") -> bytes:
    try:
        done = subprocess.run(["git", *arguments], input=given, capture_output=True, timeout=_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return b""
    return done.stdout if done.returncode == 0 else b""
