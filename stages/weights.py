"""Obtain a backbone's pretrained weights, or draw random ones where there are none; writes data/weights/BACKBONE."""

from stages.params import load
from stages.project.door import open_door
from stages.project.files import replacing_folder, write_bytes, write_json
from stages.project.paths import WEIGHTS
from stages.sources.published import published
from stages.sources.weights import obtain_weights


def main(name: str) -> None:
    """Write data/weights/NAME/: the weights, `backbone.json`, `provenance.json`, and where they are published."""
    (settings,) = load(f"backbones.{name}")

    from safetensors.torch import save

    from stages.models.backbones import backbone, describe_backbone
    from stages.models.pretrained import pretrained_weights, random_weights

    known = settings.library, settings.network
    network = backbone(*known)
    entry = published(*known)
    with replacing_folder(WEIGHTS / name) as folder:
        about = obtain_weights(name, settings.source, entry, folder)
        if about["status"] == "random":
            weights = random_weights(*known)
        else:
            weights = pretrained_weights(*known, folder / about["file"])
            (folder / about["file"]).unlink()  # as published; its weights are all that is needed
        write_bytes(folder / "weights.safetensors", save(weights))
        write_json(folder / "backbone.json", describe_backbone(name, *known, network, entry.mean, entry.std))
        write_json(folder / "provenance.json", about)
        write_json(folder / "published.json", entry.model_dump())


if __name__ == "__main__":
    open_door(main, __doc__, "a backbone of params.yaml")
