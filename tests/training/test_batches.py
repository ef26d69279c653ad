"""The rows of a split come in whole batches, each row once an epoch."""

from itertools import chain

import numpy as np
import torch

from vision_pipeline.training import batches
from vision_pipeline.training.batches import ArrayDataset

CPU = torch.device("cpu")


def rows(count: int) -> ArrayDataset:
    return ArrayDataset(np.arange(count, dtype=np.uint8).reshape(count, 1, 1, 1), np.arange(count), CPU)


def test_every_row_comes_once_an_epoch_in_a_keyed_order():
    first, again, second = ([b.targets.tolist() for b in rows(10).iter_batches(4, 0, epoch)] for epoch in (1, 1, 2))
    assert first == again != second
    assert sorted(chain(*first)) == sorted(chain(*second)) == list(range(10))
    assert [len(batch) for batch in first] == [4, 4, 2]


def test_a_last_batch_of_one_joins_the_one_before():
    assert [len(b.targets) for b in rows(9).iter_batches(4, 0, 1)] == [4, 5]
    assert rows(9).num_batches(4) == 2
    assert [len(b.targets) for b in rows(1).iter_batches(4, 0, 1)] == [1]


def test_938_batches_of_64_make_60000_images():
    assert rows(0).num_batches(64) == 1
    mnist = ArrayDataset(np.zeros((60_000, 1), np.uint8), np.zeros(60_000, np.int64), CPU)
    assert mnist.num_batches(64) == 938
    sizes = [len(batch.targets) for batch in mnist.iter_batches(64, 0, 1)]
    assert (sizes[:-1], sizes[-1]) == ([64] * 937, 32)


def test_mapped_rows_equal_rows_in_memory(tmp_path, monkeypatch):
    inputs = np.random.default_rng(0).integers(0, 255, (7, 2, 2, 1), dtype=np.uint8)
    np.save(tmp_path / "inputs.npy", inputs)
    monkeypatch.setattr(batches, "_fits", lambda size, device: False)
    mapped = ArrayDataset(np.load(tmp_path / "inputs.npy", mmap_mode="r"), np.arange(7), CPU)
    assert all(torch.equal(b.inputs, torch.from_numpy(inputs[b.targets.numpy()])) for b in mapped.iter_batches(3, 0, 1))
