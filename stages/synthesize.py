"""Train a GAN on a share of a data set's training images and make synthetic ones; writes data/synthetic/GENERATOR.

A stage of dvc.yaml: `dvc repro synthesize@NAME`. It reads no image of validation or test.
"""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save

from vision_pipeline.config.load import load_params
from vision_pipeline.config.models import GanConfig
from vision_pipeline.core.errors import ConfigError
from vision_pipeline.core.files import atomic_dir, write_bytes, write_json
from vision_pipeline.core.fingerprint import compute_source_digest, compute_training_fingerprint
from vision_pipeline.core.locks import cpu_slot, file_lock
from vision_pipeline.core.logging import logger
from vision_pipeline.core.paths import PREPARED, SYNTHETIC, resume_dir
from vision_pipeline.core.signals import catch_signals
from vision_pipeline.core.stage_main import run_stage
from vision_pipeline.data.format import PreparedDataset, open_dataset
from vision_pipeline.data.training_data import stratified_subset, write_synthetic
from vision_pipeline.gan.networks import Discriminator, Generator, check_image_shape
from vision_pipeline.gan.sampling import image_grid_png, sample_images
from vision_pipeline.gan.trainer import GanHistory, GanState, Player, train_gan
from vision_pipeline.runtime.device import Runtime, setup_runtime
from vision_pipeline.tracking.lifecycle import train_run
from vision_pipeline.training.checkpointing import CheckpointManager
from vision_pipeline.training.ema import ModelEma
from vision_pipeline.training.fused_optimizers import FusedAdam

_ADAM_BETAS = (0.5, 0.999)  # as in DCGAN: with more momentum the two networks chase each other
_EMA_DECAY = 0.999  # of the moving average of the generator's weights


def main(name: str) -> None:
    """Write data/synthetic/NAME/: images/, samples/, generator.safetensors, losses.csv, training.json."""
    section = f"generators.{name}"
    seed, device, precision, threads, deterministic, dataset, fraction, per_class, gan_config = load_params(
        "seed", "device", "precision", "threads", "deterministic",
        f"{section}.dataset", f"{section}.fraction", f"{section}.per_class", f"{section}.gan",
    )  # fmt: skip
    folder = PREPARED / dataset
    data = open_dataset(folder)
    _check_dataset(name, dataset, data)
    runtime = setup_runtime(device, precision, threads, has_convolutions=True, deterministic=deterministic)
    rows = stratified_subset(data.targets("train"), fraction, seed, dataset)
    gan = _build_gan(name, gan_config, data, rows=rows, device=runtime.device, seed=seed)

    settings = {"name": name, "seed": seed, "fraction": fraction, "gan": gan_config.model_dump(), **runtime.metadata()}
    code, source_info = compute_source_digest(), {"dataset": dataset, "provenance": data.info.provenance["status"]}
    key = compute_training_fingerprint(settings, [folder / "dataset.json"], code)
    metadata = {"key": key, "code": code, **source_info, **runtime.metadata()}
    state_dir = resume_dir(key)
    logger.debug(f"{name}: key {key}, state in {state_dir}")
    with (
        file_lock(f"train-{key}", f"trains {name}"),
        catch_signals() as shutdown,
        train_run(
            name,
            settings,
            folder,
            metadata,
            has_state=state_dir.exists(),
            kind="generator",
            progress_metric="discriminator",
        ) as run,
    ):
        with cpu_slot(runtime.max_parallel_stages, shutdown.check):
            history = train_gan(
                gan,
                gan_config,
                runtime,
                report=lambda losses: run.log_epoch(losses.step, losses.metrics()),
                checkpointer=CheckpointManager(state_dir, shutdown),
            )
        generated = _generate_images(gan, gan_config.latent, per_class, runtime)
        source_info |= {"source": data.info.digest, "fraction": fraction, "seen": len(gan.targets), "seed": seed}
        write_synthetic(SYNTHETIC / name / "images", *generated, {"name": name, **source_info})
        _write_training(SYNTHETIC / name, gan, history, {"key": key, "settings": settings})
        run.log_artifacts(*sorted((SYNTHETIC / name / "samples").iterdir()), folder="samples")
    logger.info(
        f"{name}: {len(generated[0]):,} images, learnt from {len(gan.targets):,}; see {SYNTHETIC / name / 'samples'}"
    )


def _check_dataset(name: str, dataset: str, data: PreparedDataset) -> None:
    if data.info.kind != "images":
        raise ConfigError(
            f"generators.{name}.dataset is {dataset!r}, whose inputs are {data.info.kind}; allowed: images"
        )
    check_image_shape(dataset, data.info.shape)


def _build_gan(
    name: str, gan_config: GanConfig, data: PreparedDataset, *, rows: np.ndarray, device: torch.device, seed: int
) -> GanState:
    """Return both networks with fresh weights, and the training images of `rows`, on the device."""
    shape, num_classes = data.info.shape, len(data.info.class_names)
    torch.manual_seed(seed)
    generator = _build_player(Generator(gan_config.latent, num_classes, gan_config.width, shape), device)
    discriminator = _build_player(Discriminator(num_classes, gan_config.width, shape), device)
    arrays = (data.inputs("train"), data.targets("train"))
    images, targets = (torch.from_numpy(array[rows]).to(device) for array in arrays)
    ema = ModelEma(generator.network, _EMA_DECAY)
    return GanState(
        name=name,
        generator=generator,
        discriminator=discriminator,
        ema=ema,
        images=images,
        targets=targets,
        num_classes=num_classes,
        seed=seed,
    )


def _build_player(network: torch.nn.Module, device: torch.device) -> Player:
    network = network.to(device).to(memory_format=torch.channels_last).train()
    return Player(network, FusedAdam(list(network.parameters()), weight_decay=0.0, decoupled=False, betas=_ADAM_BETAS))


def _generate_images(gan: GanState, latent: int, per_class: int, runtime: Runtime) -> tuple[np.ndarray, np.ndarray]:
    return sample_images(
        gan.ema.network,
        latent=latent,
        num_classes=gan.num_classes,
        per_class=per_class,
        runtime=runtime,
        seed=gan.seed,
        purpose="images",
    )


def _write_training(folder: Path, gan: GanState, history: GanHistory, training: dict[str, Any]) -> None:
    weights = {name: tensor.cpu().contiguous() for name, tensor in gan.ema.network.state_dict().items()}
    write_bytes(folder / "generator.safetensors", save(weights))
    history.write_losses(folder / "losses.csv")
    with atomic_dir(folder / "samples") as samples:
        for steps, images in history.samples.items():
            write_bytes(samples / f"step-{steps:07d}.png", image_grid_png(images.numpy(), gan.num_classes))
    write_json(folder / "training.json", training)


if __name__ == "__main__":
    run_stage(main, __doc__ or "", "a generator of params.yaml")
