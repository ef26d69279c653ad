"""Where things lie, relative to the repository's root, which is every stage's working folder.

Names come from `params.yaml`, where the schema admits only letters, digits, `_` and `-`,
so no name can leave the folder it is put into.
"""

import os
import re
import shutil
from pathlib import Path

DATA = Path("data")
RAW = DATA / "raw"
PREPARED = DATA / "prepared"
AUGMENTED = DATA / "augmented"
SYNTHETIC = DATA / "synthetic"
WEIGHTS = DATA / "weights"
FEATURES = DATA / "features"
MODELS = Path("models")
EXPORTS = Path("exports")
REPORTS = Path("reports")
MODEL_REPORTS = REPORTS / "models"


def model_report(name: str) -> Path:
    """The folder of one model's metrics, plots and pictures."""
    return MODEL_REPORTS / name


def seed_folder(name: str, seed: int) -> Path:
    """Of a model that is trained with several seeds, what came of one that is not the first."""
    return MODELS / name / "seeds" / str(seed)


def seed_folders(name: str) -> list[Path]:
    """The folders of all seeds but the first that a model was trained with, in the order of their numbers."""
    return sorted((MODELS / name / "seeds").glob("*"), key=lambda folder: int(folder.name))


def home() -> Path:
    """The repository that the user works in, also when DVC runs a stage in a throw-away copy.

    `dvc exp run --temp` and `--queue` run stages elsewhere and name the original in `DVC_ROOT`;
    what must outlive the copy (the MLflow store, resume states) lies under this folder.
    """
    return Path(os.environ.get("DVC_ROOT") or Path.cwd()).resolve()


def resume_folder(key: str) -> Path:
    """Where the training `key` keeps the state that it goes on from: outside DVC's outs, which DVC deletes."""
    if not re.fullmatch("[0-9a-f]{16}", key):  # a checkpoint may come from anywhere
        raise ValueError(f"{key!r} is not the key of a training")
    return home() / ".ckpt" / key


def forget_training(key: str) -> None:
    """Delete the state of the training `key`, once DVC has taken note of what came of it: nothing will go on there."""
    shutil.rmtree(resume_folder(key), ignore_errors=True)
