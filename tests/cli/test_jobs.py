"""How many stages run at once by default."""

from pathlib import Path

import pytest

from vision_pipeline.cli.pipeline import schedule as jobs


@pytest.mark.parametrize(("cores", "gpus", "visible", "expected"), [
    (1, 0, None, 2), (2, 0, None, 2), (6, 0, None, 3), (64, 0, None, 4),
    (64, 8, None, 8), (64, 8, "0,1,2,3,4", 5), (64, 8, "", 4), (4, 1, None, 2), (4, 0, "0,1,2", 2),
])  # fmt: skip
def test_a_stage_for_each_gpu_else_for_two_cores(
    cores: int, gpus: int, visible: str | None, expected: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(gpus):
        (tmp_path / f"0000:0{number}:00.0").mkdir()
    monkeypatch.setattr(jobs, "_GPU_DIR", tmp_path if gpus else tmp_path / "none")
    monkeypatch.setattr(jobs, "count_available_cpus", lambda: cores)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert jobs.default_jobs() == expected
