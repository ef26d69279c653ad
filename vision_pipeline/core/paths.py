"""Paths of data and results, relative to the repository's root, which is every stage's working folder.

Names come from `params.yaml`, where the schema admits only letters, digits, `_` and `-`, so that no path built of a
name leaves its folder.
"""

import os
import re
import shutil
from pathlib import Path

from vision_pipeline.core.errors import UserError

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

_OUT_ROOTS = (DATA, REPORTS)
_STAGE_DIRS = (RAW, PREPARED, AUGMENTED, SYNTHETIC, WEIGHTS, FEATURES, MODELS, EXPORTS, MODEL_REPORTS)


def model_report_dir(name: str) -> Path:
    """Return the folder of one model's metrics, plots and pictures."""
    return MODEL_REPORTS / name


def seed_dir(name: str, seed: int) -> Path:
    """Return the folder of a further seed, for a model that is trained with several."""
    return MODELS / name / "seeds" / str(seed)


def seed_dirs(name: str) -> list[Path]:
    """Return the folders of all seeds but the first that a model was trained with, in the order of their numbers."""
    return sorted((MODELS / name / "seeds").glob("*"), key=lambda folder: int(folder.name))


def repo_root() -> Path:
    """Return the repository that the user works in, also when DVC runs a stage in a throw-away copy.

    `dvc exp run --temp` and `--queue` run stages elsewhere and name the original in `DVC_ROOT`;
    what must outlive the copy (the MLflow store, resume states) lies under this folder.
    """
    return Path(os.environ.get("DVC_ROOT") or Path.cwd()).resolve()


def resume_dir(key: str) -> Path:
    """Return the folder of the state that the training `key` resumes from: outside DVC's outs, which DVC deletes."""
    if not re.fullmatch("[0-9a-f]{16}", key):  # a checkpoint may come from anywhere
        raise ValueError(f"{key!r} is not the key of a training")
    return repo_root() / ".ckpt" / key


def delete_resume_state(key: str) -> None:
    """Delete the state of the training `key`, once DVC has recorded its outs and it will not be resumed."""
    shutil.rmtree(resume_dir(key), ignore_errors=True)


def raise_if_linked_outs() -> None:
    """Refuse a folder of results that is a link to another disk, before the stage runs; DVC refuses it afterwards.

    Links within the repository and DVC's links of files to its cache are permitted.

    Raises:
        UserError: the message names the link, its target and what works.
    """
    root = Path.cwd().resolve()
    linked = [folder for folder in (*_OUT_ROOTS, *_STAGE_DIRS) if folder.is_symlink()]
    below = [path for folder in _STAGE_DIRS for path in folder.glob("*") if path.is_symlink() and path.is_dir()]
    for path in (*linked, *below):
        if root not in (target := path.resolve()).parents:
            raise UserError(
                f"{path} is a link to {target}, and DVC keeps no results behind a link out of the repository; put a "
                "folder there, and DVC's cache on the other disk: "
                f"dvc cache dir --local {target.parent / 'dvc-cache'} && dvc config --local cache.type symlink"
            )
