"""Draw small pictures: shapes in unit coordinates, placed, coloured and smoothed."""

import math
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

Color = tuple[int, int, int]
Points = list[tuple[float, float]]
_ELLIPSE_CORNERS = 40  # an ellipse is drawn as a polygon


@dataclass(frozen=True)
class Placement:
    """The placement of the unit square (x right, y down, both -1 to 1) in the picture.

    Attributes:
        degrees: rotation, clockwise.
        scale: size of the drawing, 1 fills the picture.
        shift_x, shift_y: shift, in units.
        flip: mirrored left to right.
    """

    degrees: float
    scale: float
    shift_x: float
    shift_y: float
    flip: bool

    @classmethod
    def random(cls, rng: np.random.Generator, degrees: float, scale: tuple[float, float], shift: float) -> "Placement":
        """Return a random placement: up to `degrees` either way, a scale from the range, shifts up to `shift`."""
        return cls(
            degrees=rng.uniform(-degrees, degrees),
            scale=rng.uniform(*scale),
            shift_x=rng.uniform(-shift, shift),
            shift_y=rng.uniform(-shift, shift),
            flip=bool(rng.integers(2)),
        )

    def to_pixels(self, points: Points, side: int) -> Points:
        """Return unit points as pixels of a picture of `side` pixels."""
        sine, cosine = math.sin(math.radians(self.degrees)), math.cos(math.radians(self.degrees))
        pixels = []
        for x, y in points:
            x = -x if self.flip else x
            placed_x = self.scale * (x * cosine - y * sine) + self.shift_x
            placed_y = self.scale * (x * sine + y * cosine) + self.shift_y
            pixels.append(((placed_x + 1) * side / 2, (placed_y + 1) * side / 2))
        return pixels


class Canvas:
    """A picture that is drawn `supersampling` times larger and then averaged, which smooths its edges."""

    def __init__(self, background: np.ndarray, placement: Placement, supersampling: int) -> None:
        self._size = background.shape[0]
        self._fine_size = self._size * supersampling
        self._image = Image.fromarray(background).resize((self._fine_size, self._fine_size), Image.Resampling.BICUBIC)
        self._draw = ImageDraw.Draw(self._image)
        self._placement = placement

    def draw_polygon(self, points: Points, color: Color) -> None:
        """Draw a filled polygon."""
        self._draw.polygon(self._placement.to_pixels(points, self._fine_size), fill=color)

    def draw_ellipse(
        self, x: float, y: float, radius_x: float, radius_y: float, color: Color, *, degrees: float = 0
    ) -> None:
        """Draw a filled ellipse around (x, y) with half axes `radius_x` and `radius_y`, turned by `degrees`."""
        sine, cosine = math.sin(math.radians(degrees)), math.cos(math.radians(degrees))
        points = []
        for corner in range(_ELLIPSE_CORNERS):
            angle = 2 * math.pi * corner / _ELLIPSE_CORNERS
            dx, dy = radius_x * math.cos(angle), radius_y * math.sin(angle)
            points.append((x + dx * cosine - dy * sine, y + dx * sine + dy * cosine))
        self.draw_polygon(points, color)

    def draw_box(self, left: float, top: float, right: float, bottom: float, color: Color) -> None:
        """Draw a filled rectangle."""
        self.draw_polygon([(left, top), (right, top), (right, bottom), (left, bottom)], color)

    def draw_line(self, points: Points, width: float, color: Color) -> None:
        """Draw a line through `points`, `width` in units."""
        line_width = max(1, round(width * self._placement.scale * self._fine_size / 2))
        self._draw.line(self._placement.to_pixels(points, self._fine_size), fill=color, width=line_width, joint="curve")

    def render(self) -> np.ndarray:
        """Return the picture, uint8 (size, size, 3)."""
        return np.asarray(self._image.resize((self._size, self._size), Image.Resampling.BOX))


def jitter_color(rng: np.random.Generator, color: Color, amount: int) -> Color:
    """Return a colour near `color`: each channel up to `amount` away, and all of them lighter or darker together."""
    light = rng.integers(-amount, amount + 1)
    red, green, blue = (
        int(np.clip(channel + light + rng.integers(-amount // 2, amount // 2 + 1), 0, 255)) for channel in color
    )
    return red, green, blue


def scale_brightness(color: Color, factor: float) -> Color:
    """Return the colour made darker (`factor` below 1) or lighter (above 1)."""
    red, green, blue = (min(255, int(channel * factor)) for channel in color)
    return red, green, blue


def draw_background(rng: np.random.Generator, size: int, *, top: Color, bottom: Color, patch_std: float) -> np.ndarray:
    """Return a background, uint8 (size, size, 3): a gradient from one colour to another under soft patches of light.

    Args:
        rng: generator of the patches.
        size: height and width.
        top, bottom: colours.
        patch_std: strength of the patches, standard deviation on the scale 0 to 255.
    """
    ramp = np.linspace(0, 1, size)[:, None, None]
    gradient = np.asarray(top) * (1 - ramp) + np.asarray(bottom) * ramp
    coarse = rng.normal(0, 1, (6, 6)).clip(-2, 2)
    soft = Image.fromarray(((coarse + 2) * 63).astype(np.uint8)).resize((size, size), Image.Resampling.BICUBIC)
    light = (np.asarray(soft, dtype=np.float64)[:, :, None] / 63 - 2) * patch_std
    return (gradient + light).clip(0, 255).astype(np.uint8)


def add_noise(rng: np.random.Generator, image: np.ndarray, std: float, cell: int = 1) -> np.ndarray:
    """Add Gaussian noise of standard deviation `std` (0 to 255), the same over cells of `cell` pixels."""
    size = -(-image.shape[0] // cell)
    noise = rng.normal(0, std, (size, size, 1)).repeat(cell, axis=0).repeat(cell, axis=1)
    return (image + noise[: image.shape[0], : image.shape[1]]).round().clip(0, 255).astype(np.uint8)
