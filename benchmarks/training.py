"""Images per second of training: the usual recipe (DataLoader, PIL, fp32) against this engine, same network."""

import argparse
from functools import partial

import torch
from PIL import Image
from torch import nn
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from benchmarks.common import (
    MEAN,
    STD,
    allow_nondeterminism,
    build_random_task,
    load_model_config,
    make_random_images,
    setup_and_print_runtime,
)
from benchmarks.timing import measure_in_turns, measure_seconds
from vision_pipeline.core.system import count_available_cpus
from vision_pipeline.models.build import architecture_config, build_model
from vision_pipeline.runtime.device import Runtime
from vision_pipeline.training.trainer import fit

ROUNDS = 3
RECIPE_VARIANTS = ((64, 0), (128, count_available_cpus()))  # batch size and workers of the usual recipe
# the policies of the models, as transforms of torchvision
AUGMENTATION = {
    "cifar10-flip-rotate": [transforms.RandomHorizontalFlip(), transforms.RandomRotation(10)],
    "cifar10-flip-shift": [
        transforms.RandomHorizontalFlip(),
        transforms.RandomCrop(32, padding=2, padding_mode="symmetric"),
    ],
}


class PilImages(Dataset):
    """A data set like torchvision's: one PIL image at a time, transformed."""

    def __init__(self, count: int, transform: transforms.Compose) -> None:
        self._pixels, self._targets = make_random_images(count)
        self._transform = transform

    def __len__(self) -> int:
        return len(self._targets)

    def __getitem__(self, row: int) -> tuple[torch.Tensor, int]:
        return self._transform(Image.fromarray(self._pixels[row])), int(self._targets[row])


def measure_recipe(name: str, *, batch_size: int, workers: int, count: int, runtime: Runtime) -> float:
    """Return the images per second of the recipe of courses: augmentation by PIL, fp32, NCHW, a sum of losses."""
    model = load_model_config(name)
    steps = [*AUGMENTATION[model.augmentation], transforms.ToTensor(), transforms.Normalize(MEAN, STD)]
    dataset = PilImages(count, transforms.Compose(steps))
    loader = DataLoader(dataset, batch_size, shuffle=True, num_workers=workers)
    network = build_model(model.architecture, architecture_config(model), [32, 32, 3], 10).to(runtime.device)
    with allow_nondeterminism():
        return count / measure_seconds(lambda: _run_recipe_epoch(network, loader, runtime.device))


def _run_recipe_epoch(network: nn.Module, loader: DataLoader, device: torch.device) -> None:
    trainable = [parameter for parameter in network.parameters() if parameter.requires_grad]
    optimizer, criterion, total = torch.optim.SGD(trainable, lr=0.01), nn.CrossEntropyLoss(), 0.0
    for inputs, targets in loader:
        optimizer.zero_grad()
        loss = criterion(network(inputs.to(device)), targets.to(device))
        loss.backward()
        optimizer.step()
        total += loss.item()


def measure_engine(name: str, count: int, runtime: Runtime) -> float:
    """Return the images per second of an epoch of this engine, validation of 1,000 images included."""
    model = load_model_config(name)
    task, settings = build_random_task(model, count, runtime), model.train.model_copy(update={"epochs": 1})
    return count / measure_seconds(lambda: fit(task, settings, runtime, lambda epoch: None))


def main() -> None:
    """Measure one network."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", nargs="?", default="cifar10-cnn", choices=["cifar10-cnn", "cifar10-speednet"])
    parser.add_argument("--images", type=int, default=20_000, help="trained in each turn; 5000 suffice for SpeedNet")
    args = parser.parse_args()
    runtime = setup_and_print_runtime()
    recipes = {
        f"usual, batch {batch}, {workers} workers": partial(
            measure_recipe, args.model, batch_size=batch, workers=workers, count=args.images, runtime=runtime
        )
        for batch, workers in RECIPE_VARIANTS
    }
    throughputs = measure_in_turns(ROUNDS, **recipes, engine=partial(measure_engine, args.model, args.images, runtime))
    best_recipe = max(throughput for name, throughput in throughputs.items() if name != "engine")
    ratio = throughputs["engine"] / best_recipe
    print(f"{args.model}: {throughputs['engine']:,.0f} images/s, {ratio:.2f} times the best usual recipe")


if __name__ == "__main__":
    main()
