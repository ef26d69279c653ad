"""A training's run of the model `mnist-mlp`, in the store of the fixture `workspace`."""

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from vision_pipeline.tracking.lifecycle import train_run
from vision_pipeline.tracking.run import Run
from vision_pipeline.tracking.store import open_store

KEY = "0123456789abcdef"
PARAMS = {"name": "mnist-mlp", "seed": "0", "model.inputs": "prepared/mnist", "model.train.lr": "0.1"}


def train(**tags: str) -> AbstractContextManager[Run]:
    """Begin the run of a training with `KEY`, or with another `key`."""
    settings = {"name": "mnist-mlp", "seed": 0, "model": {"inputs": "prepared/mnist", "train": {"lr": 0.1}}}
    return train_run("mnist-mlp", settings, Path("data/prepared/mnist"), {"key": KEY, **tags})


def runs() -> list[Any]:
    """Return all runs of the store."""
    store = open_store()
    return list(store.client.search_runs([store.experiment_id]))
