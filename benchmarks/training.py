"""Images per second of training: the usual recipe (DataLoader, PIL, fp32) against this engine, same network."""

import argparse
from functools import partial

import torch
from PIL import Image
from torch import nn
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from benchmarks.common import MEAN, STD, engine_task, images, machine, model_of, not_deterministic
from benchmarks.timing import in_turns, seconds_of
from stages.compute.device import Machine
from stages.models.build import build, settings_of
from stages.project.cores import usable_cores
from stages.training.loop import fit

ROUNDS = 3
KINDS = ((64, 0), (128, usable_cores()))  # batch size and workers of the usual recipe
# what the policies do to an image, as torchvision has it
AUGMENTATION = {
    "cifar10-flip-rotate": [transforms.RandomHorizontalFlip(), transforms.RandomRotation(10)],
    "cifar10-flip-shift": [
        transforms.RandomHorizontalFlip(),
        transforms.RandomCrop(32, padding=2, padding_mode="symmetric"),
    ],
}


class Pictures(Dataset):
    """Images as torchvision's data sets give them: one PIL image at a time, transformed."""

    def __init__(self, count: int, transform: transforms.Compose) -> None:
        self._pixels, self._targets = images(count)
        self._transform = transform

    def __len__(self) -> int:
        return len(self._targets)

    def __getitem__(self, row: int) -> tuple[torch.Tensor, int]:
        return self._transform(Image.fromarray(self._pixels[row])), int(self._targets[row])


def usual(name: str, batch_size: int, workers: int, count: int, on: Machine) -> float:
    """Images per second of the recipe that courses teach: augmentation by PIL, fp32, NCHW, a sum of losses."""
    model = model_of(name)
    steps = [*AUGMENTATION[model.augmentation], transforms.ToTensor(), transforms.Normalize(MEAN, STD)]
    pictures = Pictures(count, transforms.Compose(steps))
    loader = DataLoader(pictures, batch_size, shuffle=True, num_workers=workers)
    network = build(model.architecture, settings_of(model), [32, 32, 3], 10).to(on.device)
    with not_deterministic():
        return count / seconds_of(lambda: _usual_epoch(network, loader, on.device))


def _usual_epoch(network: nn.Module, loader: DataLoader, device: torch.device) -> None:
    trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
    optimizer, criterion, total = torch.optim.SGD(trained, lr=0.01), nn.CrossEntropyLoss(), 0.0
    for inputs, targets in loader:
        optimizer.zero_grad()
        loss = criterion(network(inputs.to(device)), targets.to(device))
        loss.backward()
        optimizer.step()
        total += loss.item()


def engine(name: str, count: int, on: Machine) -> float:
    """Images per second of an epoch of this engine, validation of 1,000 images included."""
    model = model_of(name)
    task, settings = engine_task(model, count, on), model.train.model_copy(update={"epochs": 1})
    return count / seconds_of(lambda: fit(task, settings, on, lambda epoch: None))


def main() -> None:
    """Measure one network."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", nargs="?", default="cifar10-cnn", choices=["cifar10-cnn", "cifar10-speednet"])
    parser.add_argument("--images", type=int, default=20_000, help="trained in each turn; 5000 suffice for SpeedNet")
    asked = parser.parse_args()
    on = machine()
    kinds = {
        f"usual, batch {batch}, {workers} workers": partial(usual, asked.model, batch, workers, asked.images, on)
        for batch, workers in KINDS
    }
    found = in_turns(ROUNDS, **kinds, engine=partial(engine, asked.model, asked.images, on))
    best = max(rate for name, rate in found.items() if name != "engine")
    print(f"{asked.model}: {found['engine']:,.0f} images/s, {found['engine'] / best:.2f} times the best usual recipe")


if __name__ == "__main__":
    main()
