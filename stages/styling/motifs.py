"""Style pictures drawn by the project: marks and bands in the colours of a palette."""

from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw
from scipy.spatial import cKDTree

Motif = Callable[[np.random.Generator, np.ndarray, int], np.ndarray]
_FINER = 2  # drawn so many times larger and then averaged, which smooths the edges
_MARKS = 700


def draw(motif: str, palette: np.ndarray, size: int, seed: list[int]) -> np.ndarray:
    """A picture of a motif, uint8 (size, size, 3); the same for the same arguments.

    Args:
        motif: a key of `MOTIFS`.
        palette: uint8 (K, 3), RGB; the first colour is the ground.
        size: height and width, pixels.
        seed: of the places and colours of its marks.
    """
    picture = MOTIFS[motif](np.random.default_rng(seed), palette, size * _FINER)
    return np.asarray(Image.fromarray(picture).resize((size, size), Image.Resampling.BOX))


def _bands(rng: np.random.Generator, palette: np.ndarray, side: int) -> np.ndarray:
    along = _along(rng, side)
    edges = np.sort(rng.uniform(-1.5, 1.5, 22))
    return palette[rng.integers(len(palette), size=23)[np.searchsorted(edges, along)]]


def _waves(rng: np.random.Generator, palette: np.ndarray, side: int) -> np.ndarray:
    x, y = _places(side)
    crests = y + 0.14 * np.sin(rng.uniform(5, 8) * x + rng.uniform(0, 6)) + 0.1 * _clouds(rng, side, 4)
    return _striped(palette, crests * rng.uniform(5, 7))


def _marble(rng: np.random.Generator, palette: np.ndarray, side: int) -> np.ndarray:
    return _striped(palette, 2 * _along(rng, side) + 1.5 * _clouds(rng, side, 5))


def _rings(rng: np.random.Generator, palette: np.ndarray, side: int) -> np.ndarray:
    far, _ = cKDTree(rng.uniform(-1, 1, (7, 2))).query(np.stack(_places(side), -1))
    return _striped(palette, 7 * far)


def _tiles(rng: np.random.Generator, palette: np.ndarray, side: int) -> np.ndarray:
    """The cells of random points, with seams of the ground between them."""
    centres = rng.uniform(-1.1, 1.1, (160, 2))
    far, nearest = cKDTree(centres).query(np.stack(_places(side), -1), 2)
    colours = palette[rng.integers(1, len(palette), len(centres))][nearest[..., 0]]
    return np.where((far[..., 1] - far[..., 0] < 0.025)[..., None], palette[0], colours)


def _dabs(rng: np.random.Generator, palette: np.ndarray, side: int) -> np.ndarray:
    """Short broad strokes along a field of directions."""
    flow = np.pi * _clouds(rng, side, 3)
    return _marked(rng, palette, side, lambda x, y: flow[y, x], length=0.07, width=0.022)


def _hatching(rng: np.random.Generator, palette: np.ndarray, side: int) -> np.ndarray:
    """Long thin strokes, crossing."""
    ways = rng.uniform(0, np.pi, 2)
    return _marked(rng, palette, side, lambda x, y: float(rng.choice(ways)), length=0.22, width=0.009)


def _dots(rng: np.random.Generator, palette: np.ndarray, side: int) -> np.ndarray:
    return _marked(rng, palette, side, lambda x, y: 0.0, length=0.0, width=0.045)


MOTIFS: dict[str, Motif] = {
    "bands": _bands,
    "dabs": _dabs,
    "dots": _dots,
    "hatching": _hatching,
    "marble": _marble,
    "rings": _rings,
    "tiles": _tiles,
    "waves": _waves,
}


def _places(side: int) -> tuple[np.ndarray, np.ndarray]:
    """x to the right and y down of each pixel, both -1 to 1."""
    line = np.linspace(-1, 1, side)
    return np.meshgrid(line, line)


def _along(rng: np.random.Generator, side: int) -> np.ndarray:
    x, y = _places(side)
    angle = rng.uniform(0, np.pi)
    return x * np.cos(angle) + y * np.sin(angle)


def _clouds(rng: np.random.Generator, side: int, cells: int) -> np.ndarray:
    """Smooth noise of deviation about 1, float32 (side, side), with hills about 1 / `cells` of the side apart."""
    coarse = Image.fromarray(rng.normal(0, 1, (cells, cells)).astype(np.float32))
    return np.asarray(coarse.resize((side, side), Image.Resampling.BICUBIC))


def _striped(palette: np.ndarray, heights: np.ndarray) -> np.ndarray:
    """The palette over and over, a colour for each whole step of height."""
    return palette[np.floor(heights).astype(int) % len(palette)]


def _marked(
    rng: np.random.Generator,
    palette: np.ndarray,
    side: int,
    angle: Callable[[int, int], float],
    length: float,
    width: float,
) -> np.ndarray:
    """The ground under round-ended strokes of `length` and `width` (shares of the side), in the other colours."""
    image = Image.new("RGB", (side, side), tuple(map(int, palette[0])))
    pen, radius = ImageDraw.Draw(image), width * side / 2
    reach = length * side / 2
    for x, y in rng.integers(0, side, (_MARKS, 2)):
        turn = angle(x, y)
        across, down = reach * np.cos(turn), reach * np.sin(turn)
        colour = tuple(map(int, palette[rng.integers(1, len(palette))]))
        pen.line([(x - across, y - down), (x + across, y + down)], colour, round(2 * radius))
        for end in (-1, 1):
            left, top = x + end * across - radius, y + end * down - radius
            pen.ellipse([left, top, left + 2 * radius, top + 2 * radius], colour)
    return np.asarray(image)
