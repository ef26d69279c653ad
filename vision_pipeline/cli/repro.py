"""`vision repro`: `dvc repro` with independent stages at once.

`dvc repro` runs one stage at a time, which leaves cores idle while Python starts, images are read or files are
checked. Here each stage has a `dvc repro -s` of its own, which starts once its dependencies are done. DVC's locks keep
dvc.lock and the files whole, and every stage computes as it would alone: the bits are the same.
"""

import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from typing import Annotated

import psutil
import typer

from vision_pipeline.cli.pipeline.dvc import (
    PASSIVE_OMP_ENV,
    dvc_command,
    dvc_env,
    open_repository,
    prefix_lines,
    stage_graph,
)
from vision_pipeline.cli.pipeline.schedule import Chain, Schedule, default_jobs, merge_chains, stale_subgraph
from vision_pipeline.config.load import PARAMS, parse_file, raise_if_unusable, safe_load
from vision_pipeline.core.errors import UserError
from vision_pipeline.core.locks import file_lock
from vision_pipeline.core.logging import logger


def repro(
    jobs: Annotated[
        int | None, typer.Option("--jobs", "-j", min=1, help="Stages at once; else as many as cores and GPUs serve.")
    ] = None,
) -> None:
    """Run the stages that are out of date, independent ones at once; else as `dvc repro`."""
    started = time.monotonic()
    raise_if_unusable(parse_file(PARAMS, safe_load))
    with file_lock("repro", "runs the pipeline"):
        with open_repository() as repo:
            stale = stale_subgraph(stage_graph(repo), set(repo.status()))
        done, failed = _run_chains(Schedule(merge_chains(stale)), jobs or default_jobs(), f"/{len(stale)}")
    if failed:
        raise UserError(f"{', '.join(failed)} failed, as said above; `vision repro` goes on from there")
    typer.echo(f"[{done}/{len(stale)}] everything is up to date ({time.monotonic() - started:.0f} s)")


def _run_chains(schedule: Schedule, jobs: int, total: str) -> tuple[int, list[str]]:
    """Run all chains; once one fails, start no more and wait for those that run.

    Returns:
        The number of stages done, and the chains that failed.
    """
    running: dict[Future[int], Chain] = {}
    done = 0
    failed: list[str] = []
    with ThreadPoolExecutor(jobs) as pool, _terminate_on_error() as processes:
        while running or (schedule.waiting and not failed):
            while len(running) < jobs and not failed and (chain := schedule.next()):
                typer.echo(f"[{done}{total}] {', '.join(chain)}")
                running[pool.submit(run_chain, chain, processes.append)] = chain
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                chain = running.pop(future)
                if future.result():
                    failed.append(", ".join(chain))
                    continue
                done += len(chain)
                schedule.mark_done(chain)
    return done, failed


@contextmanager
def _terminate_on_error() -> Iterator[list[subprocess.Popen[str]]]:
    """Yield a list for the processes that are started; an interruption, perhaps of this one alone, ends them."""
    processes: list[subprocess.Popen[str]] = []
    try:
        yield processes
    except BaseException:
        for process in processes:
            _terminate_stage(process)
        raise


def _terminate_stage(process: "subprocess.Popen[str]") -> None:
    """End the stage that a DVC process runs, so that DVC ends in order; or DVC itself, where it runs none."""
    try:
        dvc = psutil.Process(process.pid)
        for child in dvc.children(recursive=True) or [dvc]:
            child.terminate()
    except psutil.NoSuchProcess:  # it has just ended
        pass


def run_chain(chain: Chain, on_start: Callable[["subprocess.Popen[str]"], None]) -> int:
    """Run a chain of stages by DVC one after the other, and print their output with the stage's name in front.

    Args:
        chain: names of the stages.
        on_start: called with the process of DVC.

    Returns:
        DVC's exit status.
    """
    process = subprocess.Popen(
        dvc_command("--wait-for-lock", "repro", "-s", *chain), env=PASSIVE_OMP_ENV | dvc_env(),
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
    )  # fmt: skip
    logger.debug(f"process {process.pid}: dvc repro -s {' '.join(chain)}")
    on_start(process)
    assert process.stdout is not None
    for line in prefix_lines(process.stdout):
        typer.echo(line)
    return process.wait()
