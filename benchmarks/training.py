"""Images per second of training: the usual recipe (DataLoader, PIL, fp32) against this engine, same network."""

import time
from functools import partial

import torch
from PIL import Image
from torch import nn
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from benchmarks.common import MEAN, STD, engine_task, images, in_turns, machine, model_of
from stages.compute.device import Machine
from stages.models.build import build, settings_of
from stages.training.loop import fit

COUNT, ROUNDS = 20_000, 3


class Pictures(Dataset):
    """Images as torchvision's data sets give them: one PIL image at a time, transformed."""

    def __init__(self, transform: transforms.Compose) -> None:
        self._pixels, self._targets = images(COUNT)
        self._transform = transform

    def __len__(self) -> int:
        return COUNT

    def __getitem__(self, row: int) -> tuple[torch.Tensor, int]:
        return self._transform(Image.fromarray(self._pixels[row])), int(self._targets[row])


def usual(name: str, batch_size: int, workers: int, on: Machine) -> float:
    """Images per second of the recipe that courses teach: flips and rotation by PIL, fp32, NCHW, a sum of losses."""
    turn = [transforms.RandomHorizontalFlip(), transforms.RandomRotation(10)]
    transform = transforms.Compose([*turn, transforms.ToTensor(), transforms.Normalize(MEAN, STD)])
    loader = DataLoader(Pictures(transform), batch_size, shuffle=True, num_workers=workers)
    model = model_of(name)
    network = build(model.architecture, settings_of(model), [32, 32, 3], 10).to(on.device)
    optimizer, criterion, total = torch.optim.SGD(network.parameters(), lr=0.01), nn.CrossEntropyLoss(), 0.0
    started = time.perf_counter()
    for inputs, targets in loader:
        optimizer.zero_grad()
        loss = criterion(network(inputs.to(on.device)), targets.to(on.device))
        loss.backward()
        optimizer.step()
        total += loss.item()
    return COUNT / (time.perf_counter() - started)


def engine(name: str, on: Machine) -> float:
    """Images per second of an epoch of this engine, validation of 1,000 images included."""
    model = model_of(name)
    task = engine_task(model, COUNT, on)
    started = time.perf_counter()
    fit(task, model.train.model_copy(update={"epochs": 1}), on, lambda epoch: None)
    return COUNT / (time.perf_counter() - started)


def main() -> None:
    """Measure the seed's CNN."""
    on = machine()
    kinds = {f"usual, batch {b}, {w} workers": partial(usual, "cifar10-cnn", b, w, on) for b, w in ((64, 0), (128, 2))}
    found = in_turns(ROUNDS, **kinds, engine=partial(engine, "cifar10-cnn", on))
    best = max(rate for name, rate in found.items() if name != "engine")
    print(f"cifar10-cnn: {found['engine']:,.0f} images/s, {found['engine'] / best:.2f} times the best usual recipe")


if __name__ == "__main__":
    main()
