"""What processes that were killed have left behind, and what those that run hold."""

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from stages.commands.doctor_checks.finding import Finding, note, ok, problem
from stages.project.files import PARTIAL
from stages.project.locks import is_held
from stages.project.paths import DATA, EXPORTS, MODELS, REPORTS
from stages.tracking.git import git
from stages.tracking.search import alive

_TMP = Path(".dvc/tmp")
_PLACES = (DATA, MODELS, EXPORTS, REPORTS, Path(".ckpt"), Path(".cache"))


def locks() -> Iterator[Finding]:
    """Those of DVC and of the stages: held by a process that runs, or noted by one that is gone."""
    lock, held = _TMP / "lock", sorted(_TMP.glob("locks/*"))
    running = [f"{path.name} ({_holder(path)})" for path in (lock, *held) if path.exists() and is_held(path)]
    if running:
        yield note(f"held, so something runs here: {', '.join(running)}", "wait for it")
    if (dead := _hard_lock(lock)) is not None:
        yield problem(f"{lock} is of process {dead}, which is gone", f"rm {lock}, unless it runs in another container")
    file = _TMP / "rwlock"
    try:
        noted = _noted(json.loads(file.read_text(encoding="utf-8") or "{}")) if file.exists() else set()
    except (ValueError, KeyError, TypeError, AttributeError):
        yield problem(f"{file} is damaged, and DVC refuses to go on", f"rm {file}, when no stage runs")
        return
    gone = sorted(pid for pid in noted if not alive(pid))
    if gone:
        yield note(f"{file} names processes that are gone ({', '.join(map(str, gone))})", "none needed: DVC drops them")
    elif not running and dead is None:
        yield ok("none is held")


def _holder(path: Path) -> str:
    """Its number, where it has written it."""
    text = path.read_text(errors="replace").strip()
    return f"process {text}" if text.isdigit() else "process unknown"


def _hard_lock(path: Path) -> int | None:
    """Return this host's dead holder of DVC's lock where `core.hardlink_lock` is on: PATH|HOST|PROCESS|NUMBER."""
    claim = path.read_text(errors="replace").strip().rsplit("|", 3) if path.exists() else []
    if len(claim) < 4 or claim[1] != socket.gethostname() or not claim[2].isdigit():
        return None
    return None if alive(int(claim[2])) else int(claim[2])


def _noted(content: dict[str, Any]) -> set[int]:
    """The processes of DVC's rwlock: of each path one that writes it, or several that read it."""
    writers = list(content.get("write", {}).values())
    readers = [one for several in content.get("read", {}).values() for one in several]
    return {int(one["pid"]) for one in writers + readers}


def temporary() -> Iterator[Finding]:
    """Files and folders with a temporary name whose process is gone; of a folder it is not known."""
    found = [path for place in _PLACES for path in sorted(place.rglob(".*.partial")) if _left(path)]
    if found:
        yield note(
            f"half-written: {', '.join(map(str, found))}", f"when no stage runs: rm -rf {' '.join(map(str, found))}"
        )
    else:
        yield ok("nothing half-written")


def _left(path: Path) -> bool:
    match = PARTIAL.fullmatch(path.name)
    return match is not None and not (match[1] and alive(int(match[1])))


def stash() -> Iterator[Finding]:
    """What `dvc exp run` puts aside in git's stash, and brings back unless it is killed."""
    entries = git("stash", "list").splitlines()
    if entries:
        yield note(
            f"git's stash has {len(entries)}; where `dvc exp` was killed, the first is what you had not committed",
            "`git stash show -p` shows it, `git stash pop` brings it back",
        )
    else:
        yield ok("git's stash is empty")
