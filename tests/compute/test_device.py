"""Which precision a device gets, and that a run can tell why."""

import pytest
import torch

from stages.compute.device import Machine, set_up


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
    facts = set_up("cpu", "auto", 1, convolutions=True).facts()
    assert (facts["precision"], facts["precision_by"]) == expected


def test_a_network_without_convolutions_stays_fp32():
    facts = set_up("cpu", "auto", 1, convolutions=False).facts()
    assert (facts["precision"], facts["precision_by"]) == ("fp32", "no convolutions")


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_what_is_asked_for_is_given(precision):
    facts = set_up("cpu", precision, 1, convolutions=True).facts()
    assert (facts["precision"], facts["precision_by"]) == (precision, "asked for")


@pytest.mark.parametrize(("threads", "places"), [(1, 4), (2, 2), (3, 1), (4, 1), (8, 1)])
def test_as_many_stages_at_once_as_there_are_cores_for_their_threads(
    threads: int, places: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stages.compute.device._cores", lambda: 4)
    assert Machine(torch.device("cpu"), "fp32", threads, "a processor").places == places
    assert Machine(torch.device("cuda"), "fp32", threads, "a GPU").places == 4  # one core each feeds it
