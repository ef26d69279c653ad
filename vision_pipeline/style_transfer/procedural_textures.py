"""Style pictures that the project draws: strokes, bands and cells in the colours of a palette."""

from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw
from scipy.spatial import cKDTree

_SUPERSAMPLING = 2  # pictures are drawn this many times larger and then averaged, which smooths the edges
_NUM_STROKES = 700

Motif = Callable[[np.random.Generator, np.ndarray, int], np.ndarray]


def render_texture(motif: str, palette: np.ndarray, size: int, seed: list[int]) -> np.ndarray:
    """Return a picture of a motif, uint8 (size, size, 3); equal arguments give equal pictures.

    Args:
        motif: a key of `MOTIFS`.
        palette: uint8 (K, 3), RGB; the first colour is the background.
        size: height and width, pixels.
        seed: of the positions and colours.
    """
    texture = MOTIFS[motif](np.random.default_rng(seed), palette, size * _SUPERSAMPLING)
    return np.asarray(Image.fromarray(texture).resize((size, size), Image.Resampling.BOX))


def _render_bands(rng: np.random.Generator, palette: np.ndarray, side: int) -> np.ndarray:
    positions = _project_onto_random_axis(rng, side)
    edges = np.sort(rng.uniform(-1.5, 1.5, 22))
    return palette[rng.integers(len(palette), size=23)[np.searchsorted(edges, positions)]]


def _render_waves(rng: np.random.Generator, palette: np.ndarray, side: int) -> np.ndarray:
    x, y = _make_pixel_grid(side)
    crests = y + 0.14 * np.sin(rng.uniform(5, 8) * x + rng.uniform(0, 6)) + 0.1 * _make_smooth_noise(rng, side, 4)
    return _color_by_level(palette, crests * rng.uniform(5, 7))


def _render_marble(rng: np.random.Generator, palette: np.ndarray, side: int) -> np.ndarray:
    return _color_by_level(palette, 2 * _project_onto_random_axis(rng, side) + 1.5 * _make_smooth_noise(rng, side, 5))


def _render_rings(rng: np.random.Generator, palette: np.ndarray, side: int) -> np.ndarray:
    distances, _ = cKDTree(rng.uniform(-1, 1, (7, 2))).query(np.stack(_make_pixel_grid(side), -1))
    return _color_by_level(palette, 7 * distances)


def _render_tiles(rng: np.random.Generator, palette: np.ndarray, side: int) -> np.ndarray:
    """Draw the cells of random points, with seams of the background between them."""
    centres = rng.uniform(-1.1, 1.1, (160, 2))
    distances, nearest = cKDTree(centres).query(np.stack(_make_pixel_grid(side), -1), 2)
    colours = palette[rng.integers(1, len(palette), len(centres))][nearest[..., 0]]
    return np.where((distances[..., 1] - distances[..., 0] < 0.025)[..., None], palette[0], colours)


def _render_dabs(rng: np.random.Generator, palette: np.ndarray, side: int) -> np.ndarray:
    """Draw short broad strokes along a field of directions."""
    flow = np.pi * _make_smooth_noise(rng, side, 3)
    return _render_strokes(rng, palette, side, lambda x, y: flow[y, x], length=0.07, width=0.022)


def _render_hatching(rng: np.random.Generator, palette: np.ndarray, side: int) -> np.ndarray:
    """Draw long thin strokes that cross."""
    directions = rng.uniform(0, np.pi, 2)
    return _render_strokes(rng, palette, side, lambda x, y: float(rng.choice(directions)), length=0.22, width=0.009)


def _render_dots(rng: np.random.Generator, palette: np.ndarray, side: int) -> np.ndarray:
    return _render_strokes(rng, palette, side, lambda x, y: 0.0, length=0.0, width=0.045)


MOTIFS: dict[str, Motif] = {
    "bands": _render_bands,
    "dabs": _render_dabs,
    "dots": _render_dots,
    "hatching": _render_hatching,
    "marble": _render_marble,
    "rings": _render_rings,
    "tiles": _render_tiles,
    "waves": _render_waves,
}


def _make_pixel_grid(side: int) -> tuple[np.ndarray, np.ndarray]:
    """Return x to the right and y down of each pixel, both -1 to 1."""
    axis = np.linspace(-1, 1, side)
    return np.meshgrid(axis, axis)


def _project_onto_random_axis(rng: np.random.Generator, side: int) -> np.ndarray:
    x, y = _make_pixel_grid(side)
    angle = rng.uniform(0, np.pi)
    return x * np.cos(angle) + y * np.sin(angle)


def _make_smooth_noise(rng: np.random.Generator, side: int, cells: int) -> np.ndarray:
    """Return smooth noise of deviation 1, float32 (side, side), with hills about 1 / `cells` of the side apart."""
    coarse = Image.fromarray(rng.normal(0, 1, (cells, cells)).astype(np.float32))
    return np.asarray(coarse.resize((side, side), Image.Resampling.BICUBIC))


def _color_by_level(palette: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """Return a colour for each whole step of the levels; the palette repeats."""
    return palette[np.floor(levels).astype(int) % len(palette)]


def _render_strokes(
    rng: np.random.Generator,
    palette: np.ndarray,
    side: int,
    angle: Callable[[int, int], float],
    *,
    length: float,
    width: float,
) -> np.ndarray:
    """Draw round-ended strokes of `length` and `width` (shares of the side) in the other colours on the background."""
    image = Image.new("RGB", (side, side), tuple(map(int, palette[0])))
    pen, radius = ImageDraw.Draw(image), width * side / 2
    half_length = length * side / 2
    for x, y in rng.integers(0, side, (_NUM_STROKES, 2)):
        direction = angle(x, y)
        dx, dy = half_length * np.cos(direction), half_length * np.sin(direction)
        colour = tuple(map(int, palette[rng.integers(1, len(palette))]))
        pen.line([(x - dx, y - dy), (x + dx, y + dy)], colour, round(2 * radius))
        for end in (-1, 1):
            left, top = x + end * dx - radius, y + end * dy - radius
            pen.ellipse([left, top, left + 2 * radius, top + 2 * radius], colour)
    return np.asarray(image)
