"""Several processes train as one does: the same pixels, the same gradient, the same end after an interruption."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import several_ranks
import torch
from several_ranks import CPU, SETTINGS, a_task, one_step

from vision_pipeline.core.errors import ArtifactError, ConfigError, DataError, UserError
from vision_pipeline.core.signals import Interrupted
from vision_pipeline.runtime.seeding import derive_torch_seed
from vision_pipeline.training.distributed import MultiProcessContext, _failure_to_error
from vision_pipeline.training.ranks import SINGLE_PROCESS
from vision_pipeline.training.trainer import fit

Observed = list[dict[str, Any]]


def trained(folder: Path, size: int) -> Observed:
    """Return the observations of each of `size` processes under torchrun."""
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={size}"]
    ended = subprocess.run([*torchrun, several_ranks.__file__, folder], capture_output=True, text=True, timeout=300)
    assert ended.returncode == 0, ended.stderr[-6000:]
    return [torch.load(folder / f"{rank}.pt") for rank in range(size)]


@pytest.fixture(
    scope="module", params=[pytest.param(2, marks=pytest.mark.long), pytest.param(3, marks=pytest.mark.slow)]
)
def processes(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Observed:
    return trained(tmp_path_factory.mktemp("ranks"), request.param)


@pytest.fixture(scope="module")
def alone() -> dict[str, Any]:
    return several_ranks.curve(SINGLE_PROCESS)


def same(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> bool:
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def test_the_loss_curve_is_that_of_one_process_within_rounding(processes, alone):
    for ours, theirs in zip(processes[0]["curve"]["history"], alone["history"], strict=True):
        assert ours == pytest.approx(theirs, rel=1e-5)
    torch.testing.assert_close(processes[0]["curve"]["last"], alone["last"], rtol=1e-4, atol=1e-6)


def test_mixing_goes_across_processes_as_it_goes_within_one(processes):
    alone = several_ranks.mixed_curve(SINGLE_PROCESS)["history"]
    for ours, theirs in zip(processes[0]["mixed curve"]["history"], alone, strict=True):
        assert ours == pytest.approx(theirs, rel=1e-5)


def test_all_processes_end_with_the_same_bits(processes):
    first = processes[0]["curve"]
    for other in processes[1:]:
        assert other["curve"]["history"] == first["history"]
        assert same(other["curve"]["weights"], first["weights"])
        assert same(other["curve"]["last"], first["last"])


def test_together_the_processes_see_the_pixels_that_one_sees(processes, alone):
    batches = zip(alone["seen"], *(process["curve"]["seen"] for process in processes), strict=True)
    sizes = [together(whole, parts) for whole, *parts in batches]
    assert sizes == [12, 12, 12, 3] * SETTINGS.epochs


def together(whole: tuple, parts: list[tuple]) -> int:
    """Check that the parts make up the batch, or each is the whole of a small one; return its rows."""
    assert {part[:2] for part in parts} == {whole[:2]}
    pixels = whole[-1]
    if len(pixels) < 2 * len(parts):
        assert all(torch.equal(part[-1], pixels) for part in parts)
    else:
        assert torch.equal(torch.cat([part[-1] for part in parts]), pixels)
    return len(pixels)


@pytest.mark.parametrize("rows", [3, 5, 12])
def test_the_gradient_is_exact_however_a_batch_is_split(processes, rows):
    # one plain step with a rate of 1, class weights and label smoothing
    torch.testing.assert_close(processes[0]["one step"][rows], one_step(SINGLE_PROCESS, rows), rtol=1e-5, atol=1e-6)


def test_processes_drop_different_units(processes):
    epochs = range(1, SETTINGS.epochs + 1)
    seeds = [dict.fromkeys(process["resumed"]["seeds"][: 4 * SETTINGS.epochs]) for process in processes]
    assert list(seeds[0]) == [derive_torch_seed(0, "dropout", epoch) for epoch in epochs]  # as of one process
    assert len(set().union(*seeds)) == len(processes) * len(epochs)


def test_killed_and_run_again_it_ends_with_the_same_bits(processes):
    for process in processes:
        alone, again = process["resumed"]["alone"], process["resumed"]["again"]
        assert again["history"] == alone["history"] == processes[0]["resumed"]["alone"]["history"]
        assert same(again["weights"], alone["weights"])


def test_a_signal_to_one_stops_all_at_the_same_step(processes):
    assert [process["stopped"] for process in processes] == [{"said": "stopped by SIGTERM", "place": (1, 2)}] * len(
        processes
    )


def test_all_stop_early_after_the_same_epoch(processes):
    hopeless = SETTINGS.model_copy(update={"lr": 1e-30, "optimizer": "adam", "epochs": 50, "patience": 2})
    epochs = len(fit(a_task(), hopeless, CPU, lambda epoch: None).history)
    assert [process["patience"] for process in processes] == [epochs] * len(processes)


def test_ranks_share_the_threads_of_a_machine(monkeypatch):
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    before, ranks = torch.get_num_threads(), object.__new__(MultiProcessContext)
    try:
        assert [ranks.local_runtime(replace(CPU, threads=threads)).threads for threads in (1, 4, 5)] == [1, 2, 2]
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize(("kind", "gpus"), [("cuda", 1), ("mps", 0)])
def test_more_ranks_than_devices_are_refused(kind, gpus, monkeypatch):
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    monkeypatch.setattr("torch.cuda.device_count", lambda: gpus)
    with pytest.raises(UserError, match=rf"2 processes are to train here, with 1 {kind} device\(s\); lower devices"):
        object.__new__(MultiProcessContext).local_runtime(replace(CPU, device=torch.device(kind)))


@pytest.mark.parametrize("error_class", [UserError, ConfigError, DataError, ArtifactError, Interrupted])
def test_an_expected_error_of_a_rank_keeps_class_and_message(error_class):
    payload = {"message": f"{error_class.__name__}: x: y is missing", "extraInfo": {"py_callstack": "Traceback"}}
    error = _failure_to_error("m", 1, SimpleNamespace(message=payload, exitcode=1))
    assert type(error) is error_class
    assert str(error) == "x: y is missing"


def test_an_unexpected_error_of_a_rank_names_it_and_prints_the_traceback(capsys):
    payload = {"message": "KeyError: 'x'", "extraInfo": {"py_callstack": "Traceback of rank 1"}}
    error = _failure_to_error("m", 1, SimpleNamespace(message=payload, exitcode=1))
    assert type(error) is UserError
    assert str(error).startswith("rank 1 of m's training ended with exit code 1 (KeyError: 'x')")
    assert capsys.readouterr().err == "Traceback of rank 1\n"
