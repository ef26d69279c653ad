"""Read made-up raw folders, and the errors of damaged ones."""

from pathlib import Path

import numpy as np
import pytest
from raw_folders import (
    encoded,
    random_images,
    write_provenance,
)

from vision_pipeline.core.errors import UserError
from vision_pipeline.data.readers.dispatch import open_raw_dataset
from vision_pipeline.data.readers.raw import RawExample

LABELS = np.array([2, 0, 1, 2, 0, 1, 0, 2, 1, 1])
CLASSES = ["ant", "bee", "cow"]


def read_examples(folder: Path, kind: str, class_names: list[str] | None = CLASSES) -> list[RawExample]:
    write_provenance(folder, kind, class_names)
    opened = open_raw_dataset(folder)
    examples = list(opened.iter_examples())
    assert opened.count == len(examples)
    assert [item.name for item in opened.iter_examples()] == [item.name for item in examples]
    return examples


def read_error(folder: Path, kind: str, class_names: list[str] | None = CLASSES) -> str:
    write_provenance(folder, kind, class_names)
    with pytest.raises(UserError) as caught:
        for item in open_raw_dataset(folder).iter_examples():
            item.read()
    assert "fetch it again: dvc repro -f -s download@toy" in str(caught.value)
    return str(caught.value)


def photo(seed: int) -> bytes:
    return encoded(random_images(1, 8, 8, 3, seed=seed)[0])
