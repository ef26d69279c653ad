"""Shared parts of the benchmarks: the runtime, random images, a training task of the engine."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pydantic import TypeAdapter
from ruamel.yaml import YAML

from vision_pipeline.augmentation.policy import AugmentationPolicy
from vision_pipeline.augmentation.transforms import TransformConfig, resolve_policy
from vision_pipeline.config.load import load_params
from vision_pipeline.config.models import AnyModelConfig, LbfgsConfig
from vision_pipeline.core.errors import UserError
from vision_pipeline.core.system import get_library_versions
from vision_pipeline.models.build import architecture_config, build_model, init_from_data
from vision_pipeline.models.model_factory import init_weights
from vision_pipeline.runtime.device import Runtime, set_determinism, setup_runtime
from vision_pipeline.training.batches import ArrayDataset
from vision_pipeline.training.run_spec import make_training_runs
from vision_pipeline.training.task import ImageTransform, TrainTask, compute_class_weights

PARAMS = Path(__file__).resolve().parents[1] / "params.yaml"
MEAN, STD = [0.5] * 3, [0.25] * 3
NORMALIZATION = {"mean": MEAN, "std": STD}

Split = tuple[np.ndarray, np.ndarray]


def setup_and_print_runtime(precision: str = "auto", device: str = "auto", convolutions: bool = True) -> Runtime:
    """Set up this machine as a training does, and print its description."""
    runtime = setup_runtime(device, precision, 0, has_convolutions=convolutions)
    description = f"{runtime.device_name}, {runtime.device.type}, {runtime.precision}, {runtime.threads} threads"
    print(f"{description}; {get_library_versions()}", flush=True)
    return runtime


@contextmanager
def allow_nondeterminism() -> Iterator[None]:
    """Let torch use the fastest algorithms inside the block, also nondeterministic ones."""
    set_determinism(deterministic=False)
    try:
        yield
    finally:
        set_determinism(deterministic=True)


def make_random_images(count: int, size: int = 32) -> tuple[np.ndarray, np.ndarray]:
    """Return images, uint8 (N, size, size, 3), and targets of 10 classes, int64 (N,)."""
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (count, size, size, 3), dtype=np.uint8), rng.integers(0, 10, count)


def load_model_config(name: str, changes: Sequence[str] = ()) -> Any:
    """Return a model of params.yaml, with `changes` such as `train.epochs=2`."""
    settings = load_params(f"models.{name}", path=PARAMS)[0].model_dump()
    for change in changes:
        key, _, value = change.partition("=")
        *parents, last_key = key.split(".")
        section = settings
        for parent in parents:
            section = section[parent]
        section[last_key] = YAML(typ="safe").load(value)
    return TypeAdapter(AnyModelConfig).validate_python(settings)


def setup_runtime_for(name: str, model: Any, device: str = "auto") -> Runtime:
    """Set up this machine as the training of a model does, and print its description.

    Raises:
        UserError: the benchmarks do not support the way in which the model is trained.
    """
    if model.architecture in ("finetune", "transfer") or isinstance(model.train, LbfgsConfig):
        raise UserError(f"{name} is trained from a backbone or by L-BFGS; name a model of images with a `train.lr`")
    if model.fraction < 1 or model.synthetic != "none":
        raise UserError(f"{name} is trained on a fraction or on synthetic images; the benchmarks take all real ones")
    return setup_and_print_runtime(device=device, convolutions=make_training_runs(name, model, 0)[0].is_convolutional)


def load_policy(name: str) -> AugmentationPolicy:
    """Return a policy of params.yaml, as training applies it; `none` does nothing."""
    if name == "none":
        return AugmentationPolicy(name=name, dataset=None, steps=TransformConfig())
    (settings,) = load_params(f"policies.{name}", path=PARAMS)
    return AugmentationPolicy.model_validate(resolve_policy(name, settings))


def build_random_task(model: Any, count: int, runtime: Runtime) -> TrainTask:
    """Return the task of a model on `count` random images, with its augmentation."""
    pixels, targets = make_random_images(count)
    train, val = (pixels, targets), (pixels[:1000], targets[:1000])
    return build_task(model, train, val, normalization=NORMALIZATION, runtime=runtime)


def build_task(
    model: Any,
    train: Split,
    val: Split,
    *,
    normalization: dict[str, list[float]],
    runtime: Runtime,
    classes: int = 10,
    seed: int = 0,
) -> TrainTask:
    """Return the task of a model on images, with its augmentation, as stages/train.py builds it.

    Args:
        model: the model's section of params.yaml.
        train, val: images, uint8 (N, H, W, C), and targets, int64 (N,).
        normalization: `mean` and `std` per channel, on the scale 0 to 1.
        runtime: device and precision.
        classes: number of classes.
        seed: of the initial weights, order, augmentation, mixing and dropout.
    """
    inputs = ImageTransform(load_policy(model.augmentation).apply, **normalization, seed=seed, device=runtime.device)
    torch.manual_seed(seed)
    network = build_model(model.architecture, architecture_config(model), list(train[0].shape[1:]), classes)
    init_weights(network, getattr(model, "initialization", "default"))
    network = network.to(memory_format=torch.channels_last).to(runtime.device)
    train_data, val_data = ArrayDataset(*train, runtime.device), ArrayDataset(*val, runtime.device)
    init_from_data(network, lambda max_images: inputs.apply_eval(train_data.head(max_images)[0]))
    counts = np.bincount(train[1], minlength=classes).tolist()
    weights = compute_class_weights(counts, model.train.class_weights, runtime.device)
    return TrainTask(
        name=model.architecture, network=network, train=train_data, val=val_data, train_transform=inputs.apply_train,
        eval_transform=inputs.apply_eval, class_weights=weights, seed=seed,
    )  # fmt: skip
