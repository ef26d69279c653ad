"""Train a GAN on a share of a data set's training images and make synthetic ones; writes data/synthetic/GENERATOR.

A stage of dvc.yaml: `dvc repro synthesize@NAME`. It looks at no image of validation or test.
"""

from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save

from stages.compute.device import set_up
from stages.datasets.format import PreparedSet, open_set
from stages.datasets.subset import subset
from stages.datasets.synthetic import write_synthetic
from stages.generation.adversarial import fit_gan
from stages.generation.contest import Contest, Side
from stages.generation.images import make_images
from stages.generation.networks import Discriminator, Generator, refuse_unfit
from stages.generation.progress import Progress
from stages.generation.sheet import sheet
from stages.params import load
from stages.params.generators import Gan
from stages.project.console import Refusal, say
from stages.project.door import open_door
from stages.project.files import replacing_folder, write_bytes, write_json
from stages.project.key import code_digest, run_key
from stages.project.locks import exclusive, turn
from stages.project.paths import PREPARED, SYNTHETIC, resume_folder
from stages.project.stopping import stop_flag
from stages.tracking.runs import train_run
from stages.training.average import Average
from stages.training.resume import Keeper
from stages.training.updates import Adam

_BETAS = (0.5, 0.999)  # of Adam, as in DCGAN: with more momentum the two networks chase each other
_DECAY = 0.999  # of the average of the generator's weights


def main(name: str) -> None:
    """Write data/synthetic/NAME/: images/, samples/, generator.safetensors, losses.csv, training.json."""
    of = f"generators.{name}"
    seed, device, precision, threads, deterministic, dataset, fraction, per_class, gan = load(
        "seed", "device", "precision", "threads", "deterministic",
        f"{of}.dataset", f"{of}.fraction", f"{of}.per_class", f"{of}.gan",
    )  # fmt: skip
    folder = PREPARED / dataset
    data = open_set(folder)
    _refuse_unfit(name, dataset, data)
    machine = set_up(device, precision, threads, convolutions=True, deterministic=deterministic)
    contest = _contest(name, gan, data, subset(data.targets("train"), fraction, seed, dataset), machine.device, seed)

    settings = {"name": name, "seed": seed, "fraction": fraction, "gan": gan.model_dump(), **machine.facts()}
    code, about = code_digest(), {"dataset": dataset, "provenance": data.about.provenance["status"]}
    key = run_key(settings, [folder / "dataset.json"], code)
    facts = {"key": key, "code": code, **about, **machine.facts()}
    state = resume_folder(key)
    with (
        exclusive(f"train-{key}", f"trains {name}"),
        stop_flag() as stop,
        train_run(name, settings, folder, facts, state.exists(), kind="generator", counted_by="discriminator") as run,
    ):
        keeper = Keeper(state, stop)
        with turn(machine.places, stop.check):
            progress = fit_gan(contest, gan, machine, lambda losses: run.epoch(losses.step, losses.metrics()), keeper)
        made = make_images(contest.average.network, gan.latent, contest.classes, per_class, machine, seed, "images")
        about |= {"source": data.about.digest, "fraction": fraction, "seen": len(contest.targets), "seed": seed}
        write_synthetic(SYNTHETIC / name / "images", *made, {"name": name, **about})
        _write_training(SYNTHETIC / name, contest, progress, {"key": key, "settings": settings})
        run.artifacts(*sorted((SYNTHETIC / name / "samples").iterdir()), folder="samples")
    say(f"{name}: {len(made[0]):,} images, learnt from {len(contest.targets):,}; see {SYNTHETIC / name / 'samples'}")


def _refuse_unfit(name: str, dataset: str, data: PreparedSet) -> None:
    if data.about.kind != "images":
        raise Refusal(f"generators.{name}.dataset is {dataset!r}, whose inputs are {data.about.kind}; allowed: images")
    refuse_unfit(dataset, data.about.shape)


def _contest(name: str, gan: Gan, data: PreparedSet, rows: Any, device: torch.device, seed: int) -> Contest:
    """Both networks, freshly drawn, and the images of `rows` of train, on the device."""
    shape, classes = data.about.shape, len(data.about.class_names)
    torch.manual_seed(seed)
    generator = _side(Generator(gan.latent, classes, gan.width, shape), device)
    discriminator = _side(Discriminator(classes, gan.width, shape), device)
    arrays = (data.inputs("train"), data.targets("train"))
    images, targets = (torch.from_numpy(array[rows]).to(device) for array in arrays)
    average = Average(generator.network, _DECAY)
    return Contest(name, generator, discriminator, average, images, targets, classes, seed)


def _side(network: torch.nn.Module, device: torch.device) -> Side:
    network = network.to(device).to(memory_format=torch.channels_last).train()
    return Side(network, Adam(list(network.parameters()), weight_decay=0.0, decoupled=False, betas=_BETAS))


def _write_training(folder: Path, contest: Contest, progress: Progress, training: dict[str, Any]) -> None:
    weights = {name: tensor.cpu().contiguous() for name, tensor in contest.average.network.state_dict().items()}
    write_bytes(folder / "generator.safetensors", save(weights))
    progress.write(folder / "losses.csv")
    with replacing_folder(folder / "samples") as samples:
        for steps, images in progress.samples.items():
            write_bytes(samples / f"step-{steps:07d}.png", sheet(images.numpy(), contest.classes))
    write_json(folder / "training.json", training)


if __name__ == "__main__":
    open_door(main, __doc__ or "", "a generator of params.yaml")
