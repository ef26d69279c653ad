"""Export a trained model: one file of each format in exports/MODEL, run over the whole test set, and a card.

A stage of dvc.yaml: `dvc repro export@MODEL`. A transfer model's head is joined with its backbone first.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from torch import nn

from stages.compute.device import Machine, set_up
from stages.datasets.format import open_set
from stages.exporting.card import card
from stages.exporting.formats import write_formats
from stages.exporting.parity import parity
from stages.exporting.readers import check_tensors, read_onnx, read_pt2, read_safetensors
from stages.exporting.served import log_served_model
from stages.models.checkpoint import Checkpoint, from_stored, load_checkpoint, load_weights, rebuild, save_checkpoint
from stages.params import load
from stages.project.console import say
from stages.project.door import open_door
from stages.project.files import read_json, replacing_folder, write_json, write_text
from stages.project.paths import DATA, EXPORTS, MODELS, PREPARED, model_report
from stages.tracking.records import exports
from stages.tracking.runs import attach


def main(name: str) -> None:
    """Write exports/NAME/ and log the card, the parity and a model to serve to the model's MLflow run."""
    device, threads, deterministic, settings, dataset, inputs = load(
        "device", "threads", "deterministic", "export", f"models.{name}.dataset", f"models.{name}.inputs"
    )
    machine = set_up(device, "fp32", threads, convolutions=False, deterministic=deterministic)
    data, metrics = open_set(PREPARED / dataset), read_json(model_report(name) / "metrics.json")
    checkpoint = replace(load_checkpoint(MODELS / name / "checkpoint.pth"), metrics=metrics)
    if checkpoint.architecture == "transfer":
        checkpoint = _joined(checkpoint, DATA / inputs, data.about.shape)
    about = {field: value for field, value in vars(checkpoint).items() if field != "state_dict"}

    inputs, network = data.inputs("test"), from_stored(checkpoint)
    with replacing_folder(EXPORTS / name) as folder:
        save_checkpoint(folder / "checkpoint.pth", checkpoint)
        write_formats(folder, network, checkpoint.state_dict, about)
        formats = _readers(checkpoint, folder, machine)
        checked = parity(network, formats, inputs, data.targets("test"), machine, settings.max_logit_gap)
        write_json(folder / "parity.json", checked)
        sizes = {file: (folder / file).stat().st_size for file in formats}
        write_text(folder / "card.md", card(about, metrics, checked, sizes))
    gap, unit = max(found["max_logit_gap"] for found in checked["formats"].values()), data.about.unit
    say(f"{name}: {len(formats)} formats agree on {len(inputs):,} test {unit}; a logit differs by {gap:.2g} at most")

    with attach(name) as run:
        run.record(exports(EXPORTS / name, settings.model_dump()))
        served = EXPORTS / name / "model.onnx", inputs
        run.do("the model to serve", lambda client: log_served_model(client, str(run.id), name, *served))


def _joined(head: Checkpoint, features: Path, image: list[int]) -> Checkpoint:
    """Backbone and head as one network from pixels; `features` is the folder that the head was trained on."""
    from stages.models.backbones import backbone  # only transfer models need it
    from stages.models.transfer import join

    about = read_json(features / "backbone.json")
    body = backbone(about["library"], about["network"])
    load_weights(body, read_safetensors(features / "backbone.safetensors"))
    network = join(body, head.normalize["mean"], head.normalize["std"], rebuild(head))
    return replace(
        head,
        input_shape=image,
        normalize={key: about[key] for key in ("mean", "std")},
        backbone={key: about[key] for key in ("name", "library", "network", "weights")} | head.normalize,
        state_dict=network.state_dict(),
    )


def _readers(checkpoint: Checkpoint, folder: Path, machine: Machine) -> dict[str, Callable[[], nn.Module]]:
    """By file, what loads it as a user would: as a module from stored inputs to logits."""
    pth, safetensors, onnx, pt2 = (
        folder / file for file in ("checkpoint.pth", "model.safetensors", "model.onnx", "model.pt2")
    )

    def same(file: str, again: Checkpoint) -> nn.Module:
        check_tensors(file, again.state_dict, checkpoint.state_dict)
        return from_stored(again)

    return {
        pth.name: lambda: same(pth.name, load_checkpoint(pth)),
        safetensors.name: lambda: same(safetensors.name, replace(checkpoint, state_dict=read_safetensors(safetensors))),
        onnx.name: lambda: read_onnx(onnx, machine.threads),
        pt2.name: lambda: read_pt2(pt2, machine.device),
    }


if __name__ == "__main__":
    open_door(main, __doc__ or "", "a model of params.yaml")
