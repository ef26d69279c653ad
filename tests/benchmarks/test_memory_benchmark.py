import math

import numpy as np
import pytest
import torch

from benchmarks import memory
from vision_pipeline.runtime.device import Runtime
from vision_pipeline.training import batches

CPU = Runtime(torch.device("cpu"), "fp32", 1, "test")


def test_the_smallest_array_is_too_large_to_be_copied():
    assert not batches._fits(memory.NUM_IMAGES * memory.SIZE**2 * 3, CPU.device)
    assert batches._fits((memory.NUM_IMAGES - 100) * memory.SIZE**2 * 3, CPU.device)


def test_the_files_take_no_disk(tmp_path):
    memory.write_sparse_array(tmp_path / "1.npy", 1000, 32)
    file = (tmp_path / "1.npy").stat()
    assert file.st_size > 1000 * 32 * 32 * 3
    assert file.st_blocks * 512 < 100_000


@pytest.mark.parametrize("fits", [True, False])
def test_every_image_is_trained_on_once(fits, tmp_path, monkeypatch):
    memory.write_sparse_array(tmp_path / "1.npy", 4000, 32)
    monkeypatch.setattr(batches, "_fits", lambda size, device: fits)
    results = memory.train_one_epoch(np.load(tmp_path / "1.npy", mmap_mode="r"), CPU)
    assert results["images"] == 4000
    assert results["memory"] > 0


def test_each_size_is_measured_in_turns(capsys):
    results = memory.measure_sizes(40, 16, (1, 2), 1)
    assert {multiple: [run["images"] for run in results[multiple]] for multiple in results} == {1: [40], 2: [80]}
    assert all(math.isfinite(run["seconds"]) for run in results[1])
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines] == ["  1x, 40 images", "  2x, 80 images"]


def test_sizes_are_compared_with_the_first(capsys):
    one, two, four = ({"memory": 100.0, "seconds": seconds} for seconds in (1.0, 2.0, 4.5))
    memory.print_ratios({1: [one, one], 2: [two, two], 4: [four, four]})
    assert capsys.readouterr().out.splitlines() == [
        "2x the images: 1.00 times the memory, 2.00 times the seconds",
        "4x the images: 1.00 times the memory, 4.50 times the seconds",
    ]
