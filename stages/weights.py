"""Obtain a backbone's pretrained weights, or draw random ones where there are none; writes data/weights/BACKBONE."""

from stages.params import load
from stages.project.door import open_door
from stages.project.files import replacing_folder, write_bytes, write_json
from stages.project.paths import WEIGHTS
from stages.sources.weights import obtain_weights


def main(name: str) -> None:
    """Write `weights.safetensors` and `provenance.json` of the backbone `name`."""
    (source,) = load(f"backbones.{name}.source")

    from safetensors.torch import save

    from stages.models.pretrained import pretrained_weights, random_weights

    with replacing_folder(WEIGHTS / name) as folder:
        about = obtain_weights(name, source, folder)
        if about["status"] == "random":
            weights = random_weights(name)
        else:
            weights = pretrained_weights(name, folder / about["file"])
            (folder / about["file"]).unlink()  # as published; its weights are all that is needed
        write_bytes(folder / "weights.safetensors", save(weights))
        write_json(folder / "provenance.json", about)


if __name__ == "__main__":
    open_door(main, __doc__, "a backbone of params.yaml")
