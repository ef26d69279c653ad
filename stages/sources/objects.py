"""The ten classes of CIFAR-10, drawn, on sceneries that they share, so that shape must tell them apart."""

from collections.abc import Callable

import numpy as np

from stages.sources import faces
from stages.sources.drawing import Canvas, Colour, Points, shade, vary

_TYRE: Colour = (28, 28, 30)
_GLASS: Colour = (150, 190, 210)


def _paint(rng: np.random.Generator) -> Colour:
    """Any strong colour, as of cars and ships."""
    colours: list[Colour] = [(190, 40, 40), (40, 70, 170), (220, 220, 220), (60, 60, 66), (210, 170, 50), (50, 130, 80)]
    return vary(rng, colours[rng.integers(len(colours))], 20)


def _coat(rng: np.random.Generator) -> Colour:
    """Brown to grey, as of animals."""
    coats: list[Colour] = [(150, 104, 60), (110, 76, 48), (176, 146, 108), (90, 84, 80)]
    return vary(rng, coats[rng.integers(len(coats))], 18)


def airplane(canvas: Canvas, rng: np.random.Generator) -> None:
    """A fuselage with swept wings and a tail fin."""
    body = vary(rng, (210, 214, 222), 25)
    canvas.polygon([(0.1, 0), (-0.35, 0.62), (-0.15, 0.62), (0.35, 0.02)], shade(body, 0.75))
    canvas.polygon([(0.05, -0.02), (-0.25, -0.5), (-0.1, -0.5), (0.3, -0.05)], shade(body, 0.85))
    canvas.ellipse(0, 0, 0.85, 0.13, body)
    canvas.polygon([(-0.6, -0.05), (-0.9, -0.42), (-0.7, -0.42), (-0.4, -0.06)], _paint(rng))
    canvas.ellipse(0.66, -0.04, 0.08, 0.04, _GLASS)


def automobile(canvas: Canvas, rng: np.random.Generator) -> None:
    """A low body with a cabin and two wheels."""
    paint = _paint(rng)
    roof = rng.uniform(-0.42, -0.3)
    canvas.polygon([(-0.5, 0), (-0.3, roof), (0.25, roof), (0.5, 0)], shade(paint, 0.85))
    canvas.polygon([(-0.38, 0), (-0.24, roof + 0.08), (0.2, roof + 0.08), (0.38, 0)], _GLASS)
    canvas.polygon([(-0.88, 0.02), (0.8, -0.02), (0.9, 0.14), (0.88, 0.34), (-0.9, 0.34)], paint)
    for x in (-0.5, 0.52):
        canvas.ellipse(x, 0.36, 0.2, 0.2, _TYRE)
        canvas.ellipse(x, 0.36, 0.09, 0.09, (180, 180, 184))


def bird(canvas: Canvas, rng: np.random.Generator) -> None:
    """A small body with a head, a beak, a tail and one wing, on thin legs."""
    feathers = vary(rng, ((170, 90, 60), (70, 110, 170), (150, 140, 110))[rng.integers(3)], 25)
    for x in (-0.05, 0.12):
        canvas.line([(x, 0.4), (x + 0.04, 0.82)], 0.05, (190, 140, 60))
    canvas.polygon([(-0.4, 0.1), (-0.95, rng.uniform(-0.1, 0.4)), (-0.8, 0.45), (-0.3, 0.3)], shade(feathers, 0.7))
    canvas.ellipse(0, 0.15, 0.5, 0.34, feathers, degrees=-15)
    canvas.ellipse(0.45, -0.3, 0.24, 0.24, feathers)
    canvas.polygon([(0.64, -0.38), (0.95, -0.27), (0.64, -0.2)], (230, 170, 50))
    canvas.ellipse(-0.08, 0.12, 0.32, 0.17, shade(feathers, 0.65), degrees=12)
    canvas.ellipse(0.52, -0.35, 0.05, 0.05, (15, 15, 15))


def deer(canvas: Canvas, rng: np.random.Generator) -> None:
    """A slender body on thin legs, a raised neck, antlers."""
    coat = _coat(rng)
    _four_legs(canvas, shade(coat, 0.8), 0.07, 0.9)
    canvas.ellipse(-0.15, 0.12, 0.5, 0.22, coat)
    canvas.polygon([(0.15, 0.12), (0.4, -0.45), (0.56, -0.38), (0.4, 0.2)], coat)
    canvas.ellipse(0.56, -0.42, 0.2, 0.1, coat, degrees=18)
    for lean in (-0.12, 0.1):
        stem: Points = [(0.46, -0.5), (0.4 + lean, -0.75), (0.44 + 2 * lean, -0.98)]
        canvas.line(stem, 0.06, (90, 70, 50))
        canvas.line([stem[1], (0.62 + lean, -0.86)], 0.05, (90, 70, 50))
    canvas.ellipse(-0.66, 0.06, 0.08, 0.1, (240, 236, 226))


def horse(canvas: Canvas, rng: np.random.Generator) -> None:
    """A strong body on thick legs, a lowered long head, a mane and a tail."""
    coat = _coat(rng)
    hair = shade(coat, 0.45)
    _four_legs(canvas, shade(coat, 0.85), 0.13, 0.88)
    canvas.line([(-0.62, 0), (-0.85, 0.2), (-0.84, 0.6)], 0.14, hair)
    canvas.ellipse(-0.08, 0.06, 0.6, 0.3, coat)
    canvas.polygon([(0.12, 0), (0.42, -0.66), (0.66, -0.56), (0.5, 0.18)], coat)
    canvas.polygon([(0.08, -0.12), (0.36, -0.74), (0.48, -0.66), (0.26, -0.06)], hair)
    canvas.ellipse(0.68, -0.42, 0.3, 0.13, coat, degrees=42)
    canvas.polygon([(0.46, -0.62), (0.5, -0.84), (0.58, -0.62)], coat)


def _four_legs(canvas: Canvas, colour: Colour, width: float, floor: float) -> None:
    for x in (-0.5, -0.36, 0.16, 0.3):
        canvas.line([(x, 0.15), (x + 0.03, floor)], width, colour)


def frog(canvas: Canvas, rng: np.random.Generator) -> None:
    """A wide green body with bent hind legs and eyes on top."""
    skin = vary(rng, ((70, 150, 60), (110, 140, 50), (60, 120, 90))[rng.integers(3)], 22)
    for side in (-1, 1):
        canvas.ellipse(side * 0.6, 0.42, 0.34, 0.2, shade(skin, 0.75), degrees=side * -30)
        canvas.ellipse(side * 0.7, 0.7, 0.24, 0.07, shade(skin, 0.65))
    canvas.ellipse(0, 0.3, 0.56, 0.42, skin)
    canvas.ellipse(0, 0.48, 0.36, 0.24, shade(skin, 1.4))
    canvas.ellipse(0, -0.12, 0.5, 0.3, skin)
    for side in (-1, 1):
        canvas.ellipse(side * 0.3, -0.38, 0.17, 0.17, skin)
        canvas.ellipse(side * 0.3, -0.4, 0.11, 0.11, (235, 220, 120))
        canvas.ellipse(side * 0.3, -0.4, 0.05, 0.07, (15, 15, 15))
    canvas.line([(-0.34, -0.06), (0, 0.04), (0.34, -0.06)], 0.05, shade(skin, 0.45))


def ship(canvas: Canvas, rng: np.random.Generator) -> None:
    """A hull with a bridge and a funnel, or with sails."""
    hull = _paint(rng)
    if rng.random() < 0.5:
        canvas.line([(0, 0.3), (0, -0.9)], 0.05, (90, 64, 40))
        canvas.polygon([(0.05, -0.85), (0.65, 0.12), (0.05, 0.12)], (244, 240, 228))
        canvas.polygon([(-0.05, -0.7), (-0.5, 0.12), (-0.05, 0.12)], (226, 220, 206))
    else:
        canvas.box(-0.45, -0.15, 0.35, 0.25, (236, 236, 232))
        canvas.box(-0.25, -0.4, 0.15, -0.1, (220, 220, 218))
        canvas.box(-0.12, -0.75, 0.06, -0.35, _paint(rng))
        for x in (-0.3, -0.08, 0.14):
            canvas.box(x, -0.02, x + 0.1, 0.08, (70, 90, 110))
    canvas.polygon([(-0.9, 0.2), (0.95, 0.2), (0.7, 0.62), (-0.7, 0.62)], hull)
    canvas.line([(-0.95, 0.64), (0.95, 0.64)], 0.07, (225, 235, 240))


def truck(canvas: Canvas, rng: np.random.Generator) -> None:
    """A tall box, a cab with a window, three wheels."""
    cab = _paint(rng)
    canvas.box(-0.92, rng.uniform(-0.62, -0.48), 0.38, 0.32, vary(rng, (214, 210, 202), 30))
    canvas.polygon([(0.42, -0.3), (0.72, -0.3), (0.92, 0.02), (0.92, 0.36), (0.42, 0.36)], cab)
    canvas.polygon([(0.52, -0.22), (0.68, -0.22), (0.8, 0.02), (0.52, 0.02)], _GLASS)
    canvas.box(-0.92, 0.3, 0.92, 0.4, (60, 60, 62))
    for x in (-0.66, -0.26, 0.62):
        canvas.ellipse(x, 0.44, 0.17, 0.17, _TYRE)
        canvas.ellipse(x, 0.44, 0.07, 0.07, (170, 170, 172))


# the sceneries' colours from top to bottom
_SKY: tuple[Colour, Colour] = ((110, 160, 220), (200, 220, 240))
_ROAD: tuple[Colour, Colour] = ((176, 190, 204), (104, 102, 100))
_GRASS: tuple[Colour, Colour] = ((164, 190, 170), (92, 130, 66))
_WOOD: tuple[Colour, Colour] = ((92, 116, 76), (124, 104, 72))
_SEA: tuple[Colour, Colour] = ((170, 200, 226), (40, 90, 140))
_ROOM: tuple[Colour, Colour] = ((190, 176, 160), (140, 116, 100))

Draw = Callable[[Canvas, np.random.Generator], None]
OBJECTS: dict[str, tuple[Draw, list[tuple[Colour, Colour]]]] = {
    "airplane": (airplane, [_SKY, _SEA, _ROAD]),
    "automobile": (automobile, [_ROAD, _GRASS, _SKY]),
    "bird": (bird, [_SKY, _GRASS, _WOOD]),
    "cat": (faces.cat, [_ROOM, _GRASS, _WOOD]),
    "deer": (deer, [_WOOD, _GRASS, _ROAD]),
    "dog": (faces.dog, [_ROOM, _GRASS, _WOOD]),
    "frog": (frog, [_WOOD, _GRASS, _SEA]),
    "horse": (horse, [_GRASS, _WOOD, _ROAD]),
    "ship": (ship, [_SEA, _SKY, _ROAD]),
    "truck": (truck, [_ROAD, _GRASS, _SKY]),
}
