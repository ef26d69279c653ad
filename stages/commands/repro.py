"""`vision repro`: what `dvc repro` does, with independent stages at once.

`dvc repro` runs one stage at a time, which leaves cores idle while Python starts, images are read or files are
checked. Here a `dvc repro -s` of its own begins as soon as what it depends on is done. DVC's locks keep dvc.lock
and the files whole, and every stage computes as it would alone: the bits are the same.
"""

import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from typing import Annotated

import psutil
import typer

from stages.commands.pipeline.dvc import YIELDING, command, environment, graph_of, repository
from stages.commands.pipeline.jobs import stages_at_once
from stages.commands.pipeline.lines import named
from stages.commands.pipeline.schedule import Chain, Schedule, chains, out_of_date
from stages.params.load import PARAMS, parsed, refuse_unusable
from stages.params.plain_yaml import read_yaml
from stages.project.console import Refusal, say
from stages.project.locks import exclusive


def repro(
    jobs: Annotated[
        int | None, typer.Option("--jobs", "-j", min=1, help="Stages at once; else as many as cores and GPUs serve.")
    ] = None,
) -> None:
    """Run the stages that are out of date, independent ones at once; else as `dvc repro`."""
    started = time.monotonic()
    refuse_unusable(parsed(PARAMS, read_yaml))
    with exclusive("repro", "runs the pipeline"):
        with repository() as repo:
            work = out_of_date(graph_of(repo), set(repo.status()))
        done, failed = _run(Schedule(chains(work)), jobs or stages_at_once(), f"/{len(work)}")
    if failed:
        raise Refusal(f"{', '.join(failed)} failed, as said above; `vision repro` goes on from there")
    say(f"[{done}/{len(work)}] everything is up to date ({time.monotonic() - started:.0f} s)")


def _run(schedule: Schedule, jobs: int, of: str) -> tuple[int, list[str]]:
    """Run all chains, or until one fails and those beside it have ended; the stages done and the chains that failed."""
    running: dict[Future[int], Chain] = {}
    done = 0
    failed: list[str] = []
    with ThreadPoolExecutor(jobs) as pool, _ended() as begun:
        while running or (schedule.waiting and not failed):
            while len(running) < jobs and not failed and (chain := schedule.next()):
                say(f"[{done}{of}] {', '.join(chain)}")
                running[pool.submit(run_chain, chain, begun.append)] = chain
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                chain = running.pop(future)
                if future.result():
                    failed.append(", ".join(chain))
                    continue
                done += len(chain)
                schedule.done(chain)
    return done, failed


@contextmanager
def _ended() -> Iterator[list[subprocess.Popen[str]]]:
    """The processes that are begun; an interruption, which may have reached this one alone, ends them."""
    begun: list[subprocess.Popen[str]] = []
    try:
        yield begun
    except BaseException:
        for process in begun:
            _end(process)
        raise


def _end(process: "subprocess.Popen[str]") -> None:
    """End the stage that a DVC runs, which then ends of its own accord, and in order; or DVC, where it runs none."""
    try:
        dvc = psutil.Process(process.pid)
        for one in dvc.children(recursive=True) or [dvc]:
            one.terminate()
    except psutil.NoSuchProcess:  # it has just ended
        pass


def run_chain(chain: Chain, begun: Callable[["subprocess.Popen[str]"], None]) -> int:
    """The exit status of stages run by DVC one after the other; what they print gets their name in front.

    Args:
        chain: of stages.
        begun: is told the process.
    """
    process = subprocess.Popen(
        command("--wait-for-lock", "repro", "-s", *chain), env=YIELDING | environment(),
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
    )  # fmt: skip
    begun(process)
    assert process.stdout is not None
    for line in named(process.stdout):
        say(line)
    return process.wait()
