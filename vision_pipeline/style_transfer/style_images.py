"""The style pictures that a policy names: those drawn by a catalogue, or a folder of the user's."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated

import numpy as np
from PIL import ImageColor
from pydantic import Field, StringConstraints, ValidationError

from vision_pipeline.config.fields import StrictModel, did_you_mean
from vision_pipeline.config.load import parse_file, safe_load
from vision_pipeline.core.errors import UserError
from vision_pipeline.style_transfer.procedural_textures import MOTIFS, render_texture

_HexColor = Annotated[str, StringConstraints(pattern="^#[0-9a-fA-F]{6}$")]
ImageReader = Callable[[Path, int], np.ndarray]
FileLister = Callable[[Path], list[Path]]


class StyleCatalog(StrictModel):
    """What data/catalog/styles.yaml says: every motif is drawn in every palette."""

    motifs: Annotated[list[str], Field(min_length=1)]
    palettes: Annotated[dict[str, Annotated[list[_HexColor], Field(min_length=2)]], Field(min_length=1)]


def iter_style_images(path: Path, size: int, read_image: ImageReader, files_below: FileLister) -> Iterator[np.ndarray]:
    """Yield style pictures, uint8 (size, size, 3), always the same in the same order.

    Args:
        path: a catalogue of what is drawn, or a folder of pictures.
        size: height and width, pixels.
        read_image: a picture's file and the size to its pixels.
        files_below: a folder to the files below it, sorted, without hidden ones and those of systems.

    Raises:
        UserError: there is nothing at `path`, or it is no catalogue; the message names what is wrong.
    """
    if path.is_dir():
        files = files_below(path)
        if not files:
            raise UserError(f"{path} holds no style pictures")
        return (read_image(file, size) for file in files)
    return _iter_rendered(_load_catalog(path), size)


def _iter_rendered(catalog: StyleCatalog, size: int) -> Iterator[np.ndarray]:
    for motif in catalog.motifs:
        for name, colours in catalog.palettes.items():
            palette = np.array([ImageColor.getrgb(colour) for colour in colours], np.uint8)
            yield render_texture(motif, palette, size, list(f"{motif}/{name}".encode()))


def _load_catalog(path: Path) -> StyleCatalog:
    try:
        catalog = StyleCatalog.model_validate(parse_file(path, safe_load))
    except ValidationError as error:
        first_error = error.errors()[0]
        location = ".".join(str(part) for part in first_error["loc"])
        raise UserError(f"{path} is no catalogue of style pictures: {location}: {first_error['msg']}") from error
    for motif in catalog.motifs:
        if motif not in MOTIFS:
            raise UserError(f"{path} has the motif {motif!r}; {did_you_mean(motif, list(MOTIFS))}")
    return catalog
