"""The style pictures of a policy: drawn as a catalogue describes, or read from a folder of the user."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated

import numpy as np
from PIL import ImageColor
from pydantic import Field, StringConstraints, ValidationError

from vision_pipeline.config.fields import StrictModel, did_you_mean, format_problem
from vision_pipeline.config.load import parse_file, safe_load
from vision_pipeline.core.errors import ConfigError, DataError
from vision_pipeline.style_transfer.procedural_textures import MOTIFS, render_texture

_HexColor = Annotated[str, StringConstraints(pattern="^#[0-9a-fA-F]{6}$")]
ImageReader = Callable[[Path, int], np.ndarray]
FileLister = Callable[[Path], list[Path]]


class StyleCatalog(StrictModel):
    """The content of data/catalog/styles.yaml: every motif is drawn in every palette."""

    motifs: Annotated[list[str], Field(min_length=1)]
    palettes: Annotated[dict[str, Annotated[list[_HexColor], Field(min_length=2)]], Field(min_length=1)]


def iter_style_images(path: Path, size: int, read_image: ImageReader, files_below: FileLister) -> Iterator[np.ndarray]:
    """Yield style pictures, uint8 (size, size, 3), always the same in the same order.

    Args:
        path: a catalogue of drawn pictures, or a folder of pictures.
        size: height and width, pixels.
        read_image: takes a picture's file and the size; returns its pixels.
        files_below: takes a folder; returns the files below it, sorted, without hidden ones and those of systems.

    Raises:
        ConfigError: the catalogue is missing or not valid; the message names the key.
        DataError: the folder holds no pictures.
    """
    if path.is_dir():
        files = files_below(path)
        if not files:
            raise DataError(f"{path} holds no style pictures")
        return (read_image(file, size) for file in files)
    return _iter_rendered(_load_catalog(path), size)


def _iter_rendered(catalog: StyleCatalog, size: int) -> Iterator[np.ndarray]:
    for motif in catalog.motifs:
        for name, colors in catalog.palettes.items():
            palette = np.array([ImageColor.getrgb(color) for color in colors], np.uint8)
            yield render_texture(motif, palette, size, list(f"{motif}/{name}".encode()))


def _load_catalog(path: Path) -> StyleCatalog:
    """Return the catalogue of a YAML file.

    Raises:
        ConfigError: it is missing or not valid, or names an unknown motif.
    """
    try:
        catalog = StyleCatalog.model_validate(parse_file(path, safe_load))
    except ValidationError as error:
        problem = format_problem(error.errors()[0])
        raise ConfigError(f"{path} is no catalogue of style pictures: {problem}") from error
    for motif in catalog.motifs:
        if motif not in MOTIFS:
            raise ConfigError(f"{path} has the motif {motif!r}; {did_you_mean(motif, list(MOTIFS))}")
    return catalog
