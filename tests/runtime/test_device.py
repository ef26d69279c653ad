"""Which precision a device gets, and that a run can tell why."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from vision_pipeline.runtime.device import Runtime, setup_runtime


@pytest.fixture(autouse=True)
def threads():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize(
    ("amx", "avx512", "expected"),
    [
        (True, True, ("bf16", "AMX")),
        (False, True, ("bf16", "AVX512_BF16")),
        (False, False, ("fp32", "no fast bf16")),
    ],
)
def test_auto_goes_by_what_the_processor_has(amx, avx512, expected, monkeypatch):
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: amx)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: avx512)
    facts = setup_runtime("cpu", "auto", 1, has_convolutions=True).metadata()
    assert (facts["precision"], facts["precision_by"]) == expected


def test_a_network_without_convolutions_stays_fp32():
    facts = setup_runtime("cpu", "auto", 1, has_convolutions=False).metadata()
    assert (facts["precision"], facts["precision_by"]) == ("fp32", "no convolutions")


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_what_is_asked_for_is_given(precision):
    facts = setup_runtime("cpu", precision, 1, has_convolutions=True).metadata()
    assert (facts["precision"], facts["precision_by"]) == (precision, "asked for")


def test_the_fastest_way_is_taken_only_where_the_bits_may_differ() -> None:
    found = []
    for deterministic in (False, True):
        machine = setup_runtime("cpu", "fp32", 1, has_convolutions=True, deterministic=deterministic)
        modes = torch.get_deterministic_debug_mode(), torch.backends.cudnn.benchmark, torch.backends.cudnn.allow_tf32
        found.append((machine.metadata()["deterministic"], *modes))
    assert found == [(False, 0, True, False), (True, 2, False, False)]


@pytest.mark.parametrize(("threads", "places"), [(1, 4), (2, 2), (3, 1), (4, 1), (8, 1)])
def test_as_many_stages_at_once_as_there_are_cores_for_their_threads(
    threads: int, places: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vision_pipeline.runtime.device.count_available_cpus", lambda: 4)
    assert Runtime(torch.device("cpu"), "fp32", threads, "a processor").max_parallel_stages == places
    assert Runtime(torch.device("cuda"), "fp32", threads, "a GPU").max_parallel_stages == 4  # one core each feeds it


@pytest.mark.long
def test_stages_at_once_take_a_gpu_each(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).resolve().parents[2]))
    code = (
        "import sys, torch\n"
        "from vision_pipeline.runtime.device import _take_gpu\n"
        "torch.cuda.set_device = lambda number: print(number, flush=True)\n"
        "_take_gpu(2)\n"
        "sys.stdin.read()\n"
    )

    def start() -> subprocess.Popen[str]:
        pipe = subprocess.PIPE
        return subprocess.Popen([sys.executable, "-c", code], stdin=pipe, stdout=pipe, text=True)

    def took(stage: subprocess.Popen[str]) -> int:
        assert stage.stdout is not None
        return int(stage.stdout.readline())

    first, second, third = (start() for _ in range(3))
    numbers = [took(stage) for stage in (first, second, third)]
    assert sorted(numbers) in ([0, 0, 1], [0, 1, 1])  # two have one each, and one shares
    for stage in (first, second, third):
        stage.communicate("")
    again = start()
    assert took(again) == 0  # the locks ended with their holders
    again.communicate("")


def test_a_rank_has_its_gpu_already(monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[int] = []
    monkeypatch.setattr("vision_pipeline.runtime.device._take_gpu", taken.append)
    monkeypatch.setattr("vision_pipeline.runtime.device._resolve_device", lambda requested: torch.device("cuda"))
    monkeypatch.setattr("vision_pipeline.runtime.device._get_device_name", lambda device: "a GPU")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    setup_runtime("cuda", "fp32", 1, has_convolutions=False)
    monkeypatch.setenv("LOCAL_RANK", "1")
    setup_runtime("cuda", "fp32", 1, has_convolutions=False)
    assert taken == [4]
