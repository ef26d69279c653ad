"""Reading made-up raw folders, and the refusals of damaged ones."""

from pathlib import Path

import numpy as np
import pytest
from raw_folders import (
    encoded,
    random_images,
    write_provenance,
)

from stages.datasets.raw import Item
from stages.datasets.readers import read_raw
from stages.project.console import Refusal

LABELS = np.array([2, 0, 1, 2, 0, 1, 0, 2, 1, 1])
CLASSES = ["ant", "bee", "cow"]


def items_of(folder: Path, kind: str, class_names: list[str] | None = CLASSES) -> list[Item]:
    write_provenance(folder, kind, class_names)
    opened = read_raw(folder)
    found = list(opened.items())
    assert opened.count == len(found)
    assert [item.name for item in opened.items()] == [item.name for item in found]
    return found


def refusal(folder: Path, kind: str, class_names: list[str] | None = CLASSES) -> str:
    write_provenance(folder, kind, class_names)
    with pytest.raises(Refusal) as caught:
        for item in read_raw(folder).items():
            item.read()
    assert "fetch it again: dvc repro -f -s download@toy" in str(caught.value)
    return str(caught.value)


def photo(seed: int) -> bytes:
    return encoded(random_images(1, 8, 8, 3, seed=seed)[0])
