"""What git knows, asked without a checkout."""

import io
import subprocess
import tarfile
from collections.abc import Sequence
from pathlib import Path

from stages.project.console import Refusal
from stages.project.files import write_bytes

_SECONDS = 10  # for what a training asks; a command that reads many commits may take longer


def git(*arguments: str, seconds: float | None = _SECONDS) -> str:
    """Return git's answer, stripped; empty where it has found nothing.

    Raises:
        Refusal: git did not answer; the message has its own, which often names the fix.
    """
    return _run(*arguments, seconds=seconds).decode(errors="replace").strip()


def patch(*arguments: str) -> str:
    """Return `git diff` as `git apply` takes it, whatever the user's settings; empty where nothing differs.

    Raises:
        Refusal: as `git`.
    """
    plain = ("--binary", "--no-color", "--no-ext-diff", "--src-prefix=a/", "--dst-prefix=b/")
    return _run("diff", *plain, *arguments, seconds=_SECONDS).decode(errors="replace")


def asked_git(*arguments: str) -> str:
    """Return git's answer, as it is.

    Raises:
        Refusal: as `git`, or it has found nothing.
    """
    return _run(*arguments, nothing=False).decode(errors="replace")


def file_of(commit: str, path: Path) -> str:
    """A text file's content in a commit.

    Raises:
        Refusal: as `asked_git`.
    """
    return asked_git("show", _object(commit, path))


def contents(files: Sequence[tuple[str, Path]]) -> list[str | None]:
    """The text of each file of a commit; None where the commit has no such file. One call for all of them."""
    names = "\n".join(_object(commit, path) for commit, path in files)
    answer, found = _run("cat-file", "--batch", given=names.encode()), list[str | None]()
    for _ in files:
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
    with tarfile.open(fileobj=io.BytesIO(_run("archive", commit, folder.as_posix()))) as archive:
        for member in archive:
            file = archive.extractfile(member) if member.isfile() else None
            if file and ".." not in Path(member.name).parts and not Path(member.name).is_absolute():
                write_bytes(into / member.name, file.read())
    return into / folder


def _object(commit: str, path: Path) -> str:
    """Return git's name of a file in a commit. Without `./` the path would count from git's top folder."""
    return f"{commit}:./{path.as_posix()}"


def top_and_project() -> tuple[Path, Path]:
    """Return git's top folder and, relative to it, the project's: `.`, or a folder of a monorepo.

    Raises:
        Refusal: as `asked_git`.
    """
    top, project = (asked_git("rev-parse", one).removesuffix("\n") for one in ("--show-toplevel", "--show-prefix"))
    return Path(top), Path(project)


def _run(*arguments: str, given: bytes = b"", seconds: float | None = None, nothing: bool = True) -> bytes:
    """Return what git prints; with `nothing`, that it has found nothing is an answer: exit code 1, or no message."""
    command = f"`git {' '.join(arguments)}`"
    try:
        done = subprocess.run(["git", *arguments], input=given, capture_output=True, timeout=seconds, check=False)
    except OSError as error:
        raise Refusal(f"git cannot be run ({error.strerror}); put it on PATH, as by `apt install git`") from None
    except subprocess.TimeoutExpired:
        raise Refusal(f"{command} took over {seconds} s; run it once by hand, which often makes it quick") from None
    said = " ".join(done.stderr.decode(errors="replace").split())
    if done.returncode == 0 or (nothing and (done.returncode == 1 or (done.returncode > 0 and not said))):
        return done.stdout
    raise Refusal(f"{command} failed: {said or f'exit code {done.returncode}'}")
