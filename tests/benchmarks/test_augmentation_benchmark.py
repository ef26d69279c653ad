import pytest
import torch

from benchmarks import augmentation
from benchmarks.common import make_random_images
from vision_pipeline.runtime.device import Runtime
from vision_pipeline.runtime.preprocessing import uint8_to_float

CPU = Runtime(torch.device("cpu"), "fp32", 1, "test")
PIXELS = torch.from_numpy(make_random_images(600)[0])


@pytest.fixture(autouse=True)
def seed():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


def make_variants(name: str) -> list:
    """Return the batches of each variant."""
    both = augmentation.iter_torchvision_per_image(name, PIXELS, 0), augmentation.iter_engine(name, PIXELS)
    return [*both, augmentation.iter_torchvision_per_batch(name, PIXELS)]


@pytest.mark.parametrize("name", augmentation.ENGINE)
def test_every_way_gives_all_images_in_batches_of_one_kind(name):
    for batches in map(list, make_variants(name)):
        assert [tuple(batch.shape) for batch in batches] == [(500, 3, 32, 32), (100, 3, 32, 32)]
        assert {batch.dtype for batch in batches} == {torch.float32}
        assert 0 <= min(batch.min() for batch in batches) < max(batch.max() for batch in batches) <= 1


@pytest.mark.parametrize("name", augmentation.ENGINE)
def test_torchvision_and_the_engine_change_images_alike(name):
    unit = uint8_to_float(PIXELS)
    changes = [(torch.cat(list(batches)) - unit).flatten(1) for batches in make_variants(name)[:2]]
    usual, engine = (change.abs().mean().item() for change in changes)
    assert engine == pytest.approx(usual, rel=0.1)
    usual, engine = ((change.abs() > 1e-6).any(1).float().mean().item() for change in changes)
    assert engine == pytest.approx(usual, abs=0.1)  # of the images


def test_one_draw_per_batch_is_another_thing():
    for batch, unit in zip(make_variants("hflip")[2], uint8_to_float(PIXELS).split(500), strict=True):
        changed = ((batch - unit).abs() > 1e-6).flatten(1).any(1)
        assert changed.all() or not changed.any()


def test_an_operation_is_measured_each_way_in_turns(capsys):
    augmentation.compare("hflip", PIXELS[:20], CPU)
    *turns, ratio = capsys.readouterr().out.splitlines()[1:]
    assert [line.split(":")[0].strip() for line in turns[:4]] == [
        "torchvision, 0 workers", "torchvision, 1 workers", "one draw per batch", "engine",
    ]  # fmt: skip
    assert len(turns) == 4 * augmentation.ROUNDS
    assert ratio.startswith("hflip: ")
