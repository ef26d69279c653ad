"""Acquire a backbone's pretrained weights, or draw random ones where there are none; write data/weights/NAME."""

from vision_pipeline.config.load import load_params
from vision_pipeline.core.files import atomic_dir, write_bytes, write_json
from vision_pipeline.core.paths import WEIGHTS
from vision_pipeline.core.stage_main import run_stage
from vision_pipeline.sources.pretrained_weights import acquire_weights, lookup_weights


def main(name: str) -> None:
    """Write data/weights/NAME/: weights, `backbone.json`, `provenance.json`, and their entry as `published.json`."""
    (settings,) = load_params(f"backbones.{name}")

    from safetensors.torch import save

    from vision_pipeline.models.backbones import create_backbone, make_backbone_info
    from vision_pipeline.models.pretrained import load_pretrained_weights, make_random_weights

    spec = settings.library, settings.network
    network = create_backbone(*spec)
    entry = lookup_weights(*spec)
    with atomic_dir(WEIGHTS / name) as folder:
        provenance = acquire_weights(name, settings.source, entry, folder)
        if provenance["status"] == "random":
            weights = make_random_weights(*spec)
        else:
            weights = load_pretrained_weights(*spec, folder / provenance["file"])
            (folder / provenance["file"]).unlink()  # the published file; only its weights are needed
        write_bytes(folder / "weights.safetensors", save(weights))
        write_json(
            folder / "backbone.json", make_backbone_info(name, *spec, model=network, mean=entry.mean, std=entry.std)
        )
        write_json(folder / "provenance.json", provenance)
        write_json(folder / "published.json", entry.model_dump())


if __name__ == "__main__":
    run_stage(main, __doc__, "a backbone of params.yaml")
