"""What `vision doctor` says of devices, cores, memory and disks."""

import shutil
import sys
from pathlib import Path

import pytest
from doctor_checks import change, only

from vision_pipeline.cli.doctor import hardware
from vision_pipeline.cli.doctor.finding import NOTE, OK, PROBLEM


def test_a_gpu_that_torch_does_not_see_is_a_problem(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert only(hardware.check_device())[0] == OK
    monkeypatch.setattr(hardware, "count_visible_gpus", lambda: 2)
    unseen, chosen = hardware.check_device()
    assert unseen.level == PROBLEM and "2 GPU with a driver" in unseen.message
    assert chosen.message.startswith("`device: auto` is ")


def test_torch_that_cannot_be_imported_is_a_problem(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    assert only(hardware.check_device())[0] == PROBLEM


@pytest.mark.parametrize(("threads", "quota", "level"), [
    (0, "max 100000", OK), (1000, "max 100000", NOTE), (0, "50000 100000", NOTE), (1, "100000 100000", OK),
])  # fmt: skip
def test_threads_that_wait_for_one_another_are_noted(
    place: Path, monkeypatch: pytest.MonkeyPatch, threads: int, quota: str, level: str
) -> None:
    (place / "quota").write_text(quota)
    monkeypatch.setattr(hardware, "_CPU_QUOTA", place / "quota")
    change(place, lambda params: params.update(threads=threads))
    assert only(hardware.check_cores())[0] == level


@pytest.mark.parametrize(("free", "level"), [(500_000, PROBLEM), (2_500_000, NOTE), (8_000_000, OK)])
def test_memory(place: Path, monkeypatch: pytest.MonkeyPatch, free: int, level: str) -> None:
    (place / "meminfo").write_text(f"MemTotal: 9 kB\nMemAvailable:  {free} kB\n")
    monkeypatch.setattr(hardware, "_MEMINFO", place / "meminfo")
    monkeypatch.setattr(hardware, "default_jobs", lambda: 4)
    finding = only(hardware.check_memory())
    assert finding[0] == level
    assert (finding[2] == "vision repro --jobs 2") == (level == NOTE)


@pytest.mark.parametrize(("free", "level"), [(2.2e9, PROBLEM), (4.5e9, NOTE), (4.7e9, OK)])
def test_disk(monkeypatch: pytest.MonkeyPatch, free: float, level: str) -> None:
    monkeypatch.setattr(hardware.shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(0, 0, free))
    assert only(hardware.check_disk_space())[0] == level


def test_a_folder_of_another_user_is_a_problem(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert only(hardware.check_writable())[0] == OK
    monkeypatch.setattr(hardware.os, "access", lambda path, how: path != ".dvc")
    assert only(hardware.check_writable()) == (
        PROBLEM, "not to be written by this user: .dvc", "sudo chown -R $USER .dvc"
    )  # fmt: skip


def test_a_file_system_without_links_is_noted(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from dvc_objects.fs import system

    def refuse(source: str, link: str) -> None:
        raise OSError("not supported")

    monkeypatch.setattr(system, "reflink", refuse)
    assert only(hardware.check_links()) == (OK, "DVC's cache is linked by hardlink", "")
    monkeypatch.setattr(system, "hardlink", refuse)
    assert only(hardware.check_links())[0] == NOTE
