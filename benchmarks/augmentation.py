"""Augmented images per second: torchvision's v2 transforms, image by image in a DataLoader, against this engine.

Both give batches of float32 (N, C, H, W) on the scale 0 to 1, on the device, with a draw for each image. For
comparison also v2 on whole batches, which is not the same: all images of a batch get one draw.
"""

import argparse
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from torchvision.transforms import InterpolationMode, v2

from benchmarks.common import make_random_images, setup_and_print_runtime
from benchmarks.timing import measure_in_turns
from vision_pipeline.augmentation.policy import AugmentationPolicy
from vision_pipeline.augmentation.transforms import TransformConfig
from vision_pipeline.runtime.device import Runtime

BATCH_SIZE, ROUNDS = 500, 3

_TURN, _SHIFT, _ZOOM = {"degrees": 10}, {"translate": (2 / 32, 2 / 32)}, {"scale": (0.9, 1.1)}
_STILL, _LINEAR = {"degrees": 0}, {"interpolation": InterpolationMode.BILINEAR}
TORCHVISION = {
    "hflip": [v2.RandomHorizontalFlip()],
    "rotate": [v2.RandomRotation(**_TURN, **_LINEAR)],
    "scale": [v2.RandomAffine(**_STILL, **_ZOOM, **_LINEAR)],
    "translate": [v2.RandomAffine(**_STILL, **_SHIFT)],
    "noise": [],
    "all": [v2.RandomHorizontalFlip(), v2.RandomAffine(**_TURN, **_ZOOM, **_SHIFT, **_LINEAR)],
}
_STEPS = {
    "hflip": 0.5,
    "rotate": {"probability": 1.0, "degrees": [-10.0, 10.0]},
    "scale": {"probability": 1.0, "factor": [0.9, 1.1]},
    "translate": {"probability": 1.0, "right": [-2, 2], "up": [-2, 2], "whole_pixels": True},
    "noise": {"probability": 1.0, "std": [0.1, 0.1]},
}
ENGINE = {name: {name: step} for name, step in _STEPS.items()} | {"all": _STEPS}


class TransformedImages(Dataset):
    """A data set of single images, uint8 (C, H, W), transformed."""

    def __init__(self, pixels: Tensor, transform: Callable[[Tensor], Tensor]) -> None:
        self._pixels, self._transform = pixels, transform

    def __len__(self) -> int:
        return len(self._pixels)

    def __getitem__(self, row: int) -> Tensor:
        return self._transform(self._pixels[row])


def make_transform(name: str) -> v2.Compose:
    """Return torchvision's transform of an image, or of a batch, for an operation."""
    noise = [v2.GaussianNoise(0.0, 0.1)] if "noise" in ENGINE[name] else []
    return v2.Compose([*TORCHVISION[name], v2.ToDtype(torch.float32, scale=True), *noise])


def iter_torchvision_per_image(name: str, pixels: Tensor, workers: int) -> Iterable[Tensor]:
    """Yield batches of torchvision, each image transformed alone."""
    dataset = TransformedImages(pixels.permute(0, 3, 1, 2), make_transform(name))
    return DataLoader(dataset, BATCH_SIZE, num_workers=workers)


def iter_torchvision_per_batch(name: str, pixels: Tensor) -> Iterator[Tensor]:
    """Yield batches of torchvision, one draw for all images of each."""
    return map(make_transform(name), pixels.permute(0, 3, 1, 2).split(BATCH_SIZE))


def iter_engine(name: str, pixels: Tensor) -> Iterator[Tensor]:
    """Yield batches of this engine."""
    steps = TransformConfig.model_validate({**ENGINE[name], "fill": "zeros"})
    policy = AugmentationPolicy(name=name, dataset=None, steps=steps)
    batches = enumerate(torch.arange(len(pixels)).split(BATCH_SIZE))
    return (policy.apply(pixels[rows], rows, seed=0, epoch=1, step=step) for step, rows in batches)


def measure_throughput(batches: Callable[[], Iterable[Tensor]], runtime: Runtime) -> float:
    """Return the images per second of all batches, each moved to the device."""
    count, started = 0, time.perf_counter()
    for batch in batches():
        count += len(batch.to(runtime.device))
    if runtime.device.type == "cuda":
        torch.cuda.synchronize()
    return count / (time.perf_counter() - started)


def compare(name: str, pixels: Tensor, runtime: Runtime) -> None:
    """Measure an operation by torchvision and by this engine in turns, on uint8 (N, H, W, C) of the CPU."""
    print(name)
    torchvision_variants = {
        f"torchvision, {n} workers": partial(iter_torchvision_per_image, name, pixels, n) for n in (0, runtime.threads)
    }
    device_pixels = pixels.to(runtime.device)
    variants = torchvision_variants | {
        "one draw per batch": partial(iter_torchvision_per_batch, name, device_pixels),
        "engine": partial(iter_engine, name, device_pixels),
    }
    throughputs = measure_in_turns(
        ROUNDS, **{label: partial(measure_throughput, batches, runtime) for label, batches in variants.items()}
    )
    ratio = throughputs["engine"] / max(throughputs[label] for label in torchvision_variants)
    batch_ratio = throughputs["engine"] / throughputs["one draw per batch"]
    comparison = f"{ratio:.1f} times torchvision image by image, {batch_ratio:.1f} times its one draw per batch"
    print(f"{name}: {comparison}", flush=True)


def main() -> None:
    """Measure every operation alone, and all together."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=10_000, help="32 x 32 pixels, in each turn")
    args = parser.parse_args()
    runtime = setup_and_print_runtime()
    pixels = torch.from_numpy(make_random_images(args.images)[0])
    for name in ENGINE:
        compare(name, pixels, runtime)


if __name__ == "__main__":
    main()
