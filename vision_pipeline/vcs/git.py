"""Calls of git that need no checkout."""

import io
import os
import subprocess
import tarfile
from collections.abc import Sequence
from pathlib import Path

from vision_pipeline.core.errors import UserError
from vision_pipeline.core.files import write_bytes
from vision_pipeline.core.logging import logger

_TIMEOUT_S = 10  # for the calls of a training; a command that reads many commits may take longer
_COMMIT_FIX = "git add -A && git commit -m 'As downloaded'"
_INIT_FIX = f"git init && {_COMMIT_FIX}"


def git_or_empty(*arguments: str, seconds: float | None = _TIMEOUT_S) -> str:
    """Return git's output, stripped; empty where it has no result.

    Raises:
        UserError: git failed; the line contains git's own message, which often names the fix.
    """
    return _run_git(*arguments, seconds=seconds).decode(errors="replace").strip()


def git_diff(*arguments: str) -> str:
    """Return `git diff` as `git apply` takes it, whatever the user's settings; empty where nothing differs.

    Raises:
        UserError: git failed.
    """
    options = ("--binary", "--no-color", "--no-ext-diff", "--src-prefix=a/", "--dst-prefix=b/")
    return _run_git("diff", *options, *arguments, seconds=_TIMEOUT_S).decode(errors="replace")


def git_checked(*arguments: str) -> str:
    """Return git's output unchanged.

    Raises:
        UserError: git failed or has no result.
    """
    return _run_git(*arguments, allow_empty=False).decode(errors="replace")


def show_file(commit: str, path: Path) -> str:
    """Return a text file's content in a commit.

    Raises:
        UserError: git failed, or the commit has no such file.
    """
    return git_checked("show", _make_object_name(commit, path))


def cat_files(files: Sequence[tuple[str, Path]]) -> list[str | None]:
    """Return the text of each file of a commit; None where the commit has no such file. One call for all of them."""
    names = "\n".join(_make_object_name(commit, path) for commit, path in files)
    output, texts = _run_git("cat-file", "--batch", stdin=names.encode()), list[str | None]()
    for _ in files:
        head, _, rest = output.partition(b"\n")
        *_, size = head.split()
        if not size.isdigit():  # "missing"
            texts.append(None)
            output = rest
            continue
        texts.append(rest[: int(size)].decode(errors="replace"))
        output = rest[int(size) + 1 :]
    return texts


def extract_tree(commit: str, folder: Path, target: Path) -> Path:
    """Write the files of `folder` in a commit below `target`; return the folder that contains them."""
    with tarfile.open(fileobj=io.BytesIO(_run_git("archive", commit, folder.as_posix()))) as archive:
        for member in archive:
            file = archive.extractfile(member) if member.isfile() else None
            if file and ".." not in Path(member.name).parts and not Path(member.name).is_absolute():
                write_bytes(target / member.name, file.read())
    return target / folder


def _make_object_name(commit: str, path: Path) -> str:
    """Return git's name of a file in a commit. Without `./` the path would count from git's top folder."""
    return f"{commit}:./{path.as_posix()}"


def locate_project() -> tuple[Path, Path]:
    """Return git's top folder and, relative to it, the project's: `.`, or a folder of a monorepo.

    Raises:
        UserError: git failed.
    """
    top, project = (
        git_checked("rev-parse", option).removesuffix("\n") for option in ("--show-toplevel", "--show-prefix")
    )
    return Path(top), Path(project)


def _run_git(*arguments: str, stdin: bytes = b"", seconds: float | None = None, allow_empty: bool = True) -> bytes:
    """Return git's output; with `allow_empty`, no result (exit code 1, or no message) is an empty output."""
    command = f"`git {' '.join(arguments)}`"
    logger.debug(command)
    try:
        result = subprocess.run(["git", *arguments], input=stdin, capture_output=True, timeout=seconds, check=False)
    except OSError as error:
        raise UserError(f"git cannot be run ({error.strerror}); put it on PATH, as by `apt install git`") from None
    except subprocess.TimeoutExpired:
        raise UserError(f"{command} took over {seconds} s; run it once by hand, which often makes it quick") from None
    message = " ".join(result.stderr.decode(errors="replace").split())
    if result.returncode == 0 or (allow_empty and (result.returncode == 1 or (result.returncode > 0 and not message))):
        return result.stdout
    raise UserError(f"{command} failed: {message or f'exit code {result.returncode}'}")


def explain_missing_commit() -> tuple[str, str] | None:
    """Return the obstacle and the fix; None where git's last commit has this folder's dvc.yaml."""
    try:
        result = subprocess.run(
            ["git", "ls-tree", "HEAD", "--", "dvc.yaml"],
            env=os.environ | {"LC_ALL": "C"}, capture_output=True, text=True, check=False,
        )  # fmt: skip
    except FileNotFoundError:
        return "git is not on PATH", "install it, as by `apt install git`"
    if "not a git repository" in result.stderr:
        return explain_missing_repository()
    if "Not a valid object name HEAD" in result.stderr:
        return "the git repository has no commit yet", _COMMIT_FIX
    if result.returncode:
        return f"git: {' '.join(result.stderr.split())}", "work in a clone of your own"
    if Path("dvc.yaml").exists() and not result.stdout:
        message = f"{Path.cwd()} is not in the last commit of the git repository that it lies in"
        return message, f"`{_COMMIT_FIX}` there, or make it a repository of its own: {_INIT_FIX}"
    return None


def explain_missing_repository() -> tuple[str, str]:
    """Return the line for a folder without `.git`, and the fix."""
    return f"{Path.cwd()} is no git repository, as when it was downloaded as a ZIP file", _INIT_FIX


def require_commit() -> None:
    """Refuse a folder without a commit.

    Raises:
        UserError: git has no commit of this folder; the message names the fix.
    """
    if problem := explain_missing_commit():
        raise UserError("; fix: ".join(problem))
