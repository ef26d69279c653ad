"""The checkpoint that a person names on the command line, and the data set that its model was trained on."""

from pathlib import Path
from typing import TYPE_CHECKING

from vision_pipeline.config.fields import did_you_mean
from vision_pipeline.core.errors import ArtifactError, UserError
from vision_pipeline.core.logging import logger
from vision_pipeline.core.paths import EXPORTS, PREPARED

if TYPE_CHECKING:
    from vision_pipeline.models.checkpoint import Checkpoint


def resolve_checkpoint(model: str) -> Path:
    """Return the file of a checkpoint that is named by its path or by the name of an exported model.

    Raises:
        UserError: there is no such file and no such export.
    """
    if Path(model).is_file():
        return Path(model)
    exported = EXPORTS / model / "checkpoint.pth"
    if Path(model).suffix == "" and Path(model).name == model and exported.is_file():
        logger.debug(f"{model} is the exported model in {exported}")
        return exported
    names = sorted(path.parent.name for path in EXPORTS.glob("*/checkpoint.pth"))
    raise UserError(f"{model} is neither a checkpoint nor an exported model; {did_you_mean(model, names)}")


def get_prepared_dir(checkpoint: "Checkpoint") -> Path:
    """Return the folder of the prepared data set that a checkpoint's model was trained on.

    Raises:
        ArtifactError: the checkpoint names no data set, or one that would lie in another folder.
    """
    name = str(checkpoint.training.get("dataset", ""))
    if not name or Path(name).name != name:
        raise ArtifactError(f"the checkpoint of {checkpoint.name} does not say which data set it was trained on")
    return PREPARED / name
