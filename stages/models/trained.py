"""The folder of a trained model: its checkpoint, and what of it can be read without torch."""

from pathlib import Path

from stages.models.checkpoint import Checkpoint, save_checkpoint
from stages.project.files import replacing_folder, write_json


def write_trained(folder: Path, checkpoint: Checkpoint) -> None:
    """Write `checkpoint.pth`, and `training.json` with the key and the settings of its training."""
    with replacing_folder(folder) as partial:
        save_checkpoint(partial / "checkpoint.pth", checkpoint)
        write_json(partial / "training.json", {key: checkpoint.training[key] for key in ("key", "settings")})
