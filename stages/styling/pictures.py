"""The style pictures that a policy names: those drawn by a catalogue, or a folder of the user's."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated

import numpy as np
from PIL import ImageColor
from pydantic import Field, StringConstraints, ValidationError

from stages.params.fields import Strict, did_you_mean
from stages.params.load import parsed
from stages.params.plain_yaml import read_yaml
from stages.project.console import Refusal
from stages.styling.motifs import MOTIFS, draw

_Colour = Annotated[str, StringConstraints(pattern="^#[0-9a-fA-F]{6}$")]
Read = Callable[[Path, int], np.ndarray]
FilesBelow = Callable[[Path], list[Path]]


class Catalogue(Strict):
    """What data/catalog/styles.yaml says: every motif is drawn in every palette."""

    motifs: Annotated[list[str], Field(min_length=1)]
    palettes: Annotated[dict[str, Annotated[list[_Colour], Field(min_length=2)]], Field(min_length=1)]


def pictures(path: Path, size: int, read: Read, files_below: FilesBelow) -> Iterator[np.ndarray]:
    """Yield style pictures, uint8 (size, size, 3), always the same in the same order.

    Args:
        path: a catalogue of what is drawn, or a folder of pictures.
        size: height and width, pixels.
        read: a picture's file and the size to its pixels.
        files_below: a folder to the files below it, sorted, without hidden ones and those of systems.

    Raises:
        Refusal: there is nothing at `path`, or it is no catalogue; the message names what is wrong.
    """
    if path.is_dir():
        files = files_below(path)
        if not files:
            raise Refusal(f"{path} holds no style pictures")
        return (read(file, size) for file in files)
    return _drawn(_catalogue(path), size)


def _drawn(catalogue: Catalogue, size: int) -> Iterator[np.ndarray]:
    for motif in catalogue.motifs:
        for name, colours in catalogue.palettes.items():
            palette = np.array([ImageColor.getrgb(colour) for colour in colours], np.uint8)
            yield draw(motif, palette, size, list(f"{motif}/{name}".encode()))


def _catalogue(path: Path) -> Catalogue:
    try:
        catalogue = Catalogue.model_validate(parsed(path, read_yaml))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise Refusal(f"{path} is no catalogue of style pictures: {where}: {first['msg']}") from error
    for motif in catalogue.motifs:
        if motif not in MOTIFS:
            raise Refusal(f"{path} has the motif {motif!r}; {did_you_mean(motif, list(MOTIFS))}")
    return catalogue
