"""Drawing small pictures: shapes in unit coordinates, posed, coloured and smoothed."""

import math
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

Colour = tuple[int, int, int]
Points = list[tuple[float, float]]
_ROUND = 40  # corners of an ellipse


@dataclass(frozen=True)
class Pose:
    """Where the unit square (x right, y down, both -1 to 1) lies in the picture.

    Attributes:
        degrees: rotation, clockwise.
        scale: of the drawing, 1 fills the picture.
        right, down: shift, in units.
        flip: mirrored left to right.
    """

    degrees: float
    scale: float
    right: float
    down: float
    flip: bool

    @classmethod
    def drawn(cls, rng: np.random.Generator, degrees: float, scale: tuple[float, float], shift: float) -> "Pose":
        """A random pose: up to `degrees` either way, a scale from the range, shifts up to `shift`."""
        return cls(
            degrees=rng.uniform(-degrees, degrees),
            scale=rng.uniform(*scale),
            right=rng.uniform(-shift, shift),
            down=rng.uniform(-shift, shift),
            flip=bool(rng.integers(2)),
        )

    def place(self, points: Points, side: int) -> Points:
        """Unit points to pixels of a picture of `side` pixels."""
        sine, cosine = math.sin(math.radians(self.degrees)), math.cos(math.radians(self.degrees))
        placed = []
        for x, y in points:
            x = -x if self.flip else x
            across = self.scale * (x * cosine - y * sine) + self.right
            along = self.scale * (x * sine + y * cosine) + self.down
            placed.append(((across + 1) * side / 2, (along + 1) * side / 2))
        return placed


class Canvas:
    """A picture of `size` pixels, drawn `finer` times larger and then averaged, which smooths its edges."""

    def __init__(self, background: np.ndarray, pose: Pose, finer: int) -> None:
        self._size = background.shape[0]
        self._side = self._size * finer
        self._image = Image.fromarray(background).resize((self._side, self._side), Image.Resampling.BICUBIC)
        self._pen = ImageDraw.Draw(self._image)
        self._pose = pose

    def polygon(self, points: Points, colour: Colour) -> None:
        """A filled polygon."""
        self._pen.polygon(self._pose.place(points, self._side), fill=colour)

    def ellipse(self, x: float, y: float, across: float, along: float, colour: Colour, degrees: float = 0) -> None:
        """A filled ellipse around (x, y) with half axes `across` and `along`, turned by `degrees`."""
        sine, cosine = math.sin(math.radians(degrees)), math.cos(math.radians(degrees))
        points = []
        for corner in range(_ROUND):
            angle = 2 * math.pi * corner / _ROUND
            dx, dy = across * math.cos(angle), along * math.sin(angle)
            points.append((x + dx * cosine - dy * sine, y + dx * sine + dy * cosine))
        self.polygon(points, colour)

    def box(self, left: float, top: float, right: float, bottom: float, colour: Colour) -> None:
        """A filled rectangle."""
        self.polygon([(left, top), (right, top), (right, bottom), (left, bottom)], colour)

    def line(self, points: Points, width: float, colour: Colour) -> None:
        """A line through `points`, `width` in units."""
        pixels = max(1, round(width * self._pose.scale * self._side / 2))
        self._pen.line(self._pose.place(points, self._side), fill=colour, width=pixels, joint="curve")

    def finished(self) -> np.ndarray:
        """The picture, uint8 (size, size, 3)."""
        return np.asarray(self._image.resize((self._size, self._size), Image.Resampling.BOX))


def vary(rng: np.random.Generator, colour: Colour, by: int) -> Colour:
    """A colour near `colour`: each channel up to `by` away, and all of them lighter or darker together."""
    light = rng.integers(-by, by + 1)
    red, green, blue = (int(np.clip(part + light + rng.integers(-by // 2, by // 2 + 1), 0, 255)) for part in colour)
    return red, green, blue


def shade(colour: Colour, factor: float) -> Colour:
    """The colour made darker (below 1) or lighter (above)."""
    red, green, blue = (min(255, int(part * factor)) for part in colour)
    return red, green, blue


def scenery(rng: np.random.Generator, size: int, top: Colour, bottom: Colour, patches: float) -> np.ndarray:
    """A background, uint8 (size, size, 3): one colour running into another under soft patches of light.

    Args:
        rng: draws the patches.
        size: height and width.
        top, bottom: colours.
        patches: their strength, standard deviation on the scale 0 to 255.
    """
    ramp = np.linspace(0, 1, size)[:, None, None]
    plain = np.asarray(top) * (1 - ramp) + np.asarray(bottom) * ramp
    coarse = rng.normal(0, 1, (6, 6)).clip(-2, 2)
    soft = Image.fromarray(((coarse + 2) * 63).astype(np.uint8)).resize((size, size), Image.Resampling.BICUBIC)
    light = (np.asarray(soft, dtype=np.float64)[:, :, None] / 63 - 2) * patches
    return (plain + light).clip(0, 255).astype(np.uint8)


def grain(rng: np.random.Generator, image: np.ndarray, std: float, cell: int = 1) -> np.ndarray:
    """Add Gaussian noise of standard deviation `std` (0 to 255), the same over cells of `cell` pixels."""
    size = -(-image.shape[0] // cell)
    noise = rng.normal(0, std, (size, size, 1)).repeat(cell, axis=0).repeat(cell, axis=1)
    return (image + noise[: image.shape[0], : image.shape[1]]).round().clip(0, 255).astype(np.uint8)
