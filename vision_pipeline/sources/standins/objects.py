"""Draw cats and dogs from the front, and the ten classes of CIFAR-10.

The classes share their backgrounds, so that only the shape distinguishes them.
"""

from collections.abc import Callable

import numpy as np

from vision_pipeline.sources.standins.drawing import Canvas, Color, Points, jitter_color, scale_brightness

_CAT_FURS: list[Color] = [(214, 142, 74), (120, 120, 126), (52, 50, 54), (226, 214, 196), (150, 112, 80)]
_DOG_FURS: list[Color] = [(190, 140, 84), (110, 72, 46), (58, 52, 50), (232, 222, 204), (206, 170, 120)]
_IRISES: list[Color] = [(150, 190, 70), (220, 180, 60), (90, 160, 190)]
_DARK: Color = (24, 20, 22)
_PINK: Color = (232, 140, 150)
_TYRE: Color = (28, 28, 30)
_GLASS: Color = (150, 190, 210)

# the backgrounds' colours from top to bottom
_SKY: tuple[Color, Color] = ((110, 160, 220), (200, 220, 240))
_ROAD: tuple[Color, Color] = ((176, 190, 204), (104, 102, 100))
_GRASS: tuple[Color, Color] = ((164, 190, 170), (92, 130, 66))
_WOOD: tuple[Color, Color] = ((92, 116, 76), (124, 104, 72))
_SEA: tuple[Color, Color] = ((170, 200, 226), (40, 90, 140))
_ROOM: tuple[Color, Color] = ((190, 176, 160), (140, 116, 100))


def draw_cat(canvas: Canvas, rng: np.random.Generator) -> None:
    """Draw pointed ears, slit pupils, a small nose, whiskers; some have stripes."""
    fur = jitter_color(rng, _CAT_FURS[rng.integers(len(_CAT_FURS))], 18)
    spread = rng.uniform(0.42, 0.52)
    for side in (-1, 1):
        tip = (side * (spread + 0.16), -0.95 + rng.uniform(0, 0.1))
        canvas.draw_polygon([(side * 0.12, -0.5), tip, (side * 0.7, -0.15)], scale_brightness(fur, 0.92))
        canvas.draw_polygon([(side * 0.3, -0.5), (tip[0] * 0.95, tip[1] + 0.17), (side * 0.58, -0.3)], (214, 150, 150))
    canvas.draw_ellipse(0, 0.1, 0.74, rng.uniform(0.58, 0.66), fur)
    if rng.random() < 0.5:
        for x in (-0.14, 0, 0.14):
            canvas.draw_line([(x, -0.5), (x * 0.8, -0.24)], 0.06, scale_brightness(fur, 0.6))
    _draw_cat_eyes(canvas, rng)
    muzzle = scale_brightness(fur, 1.25)
    for side in (-1, 1):
        canvas.draw_ellipse(side * 0.14, 0.4, 0.18, 0.13, muzzle)
    canvas.draw_polygon([(-0.08, 0.24), (0.08, 0.24), (0, 0.33)], _PINK)
    canvas.draw_line([(0, 0.33), (0, 0.42)], 0.02, _DARK)
    canvas.draw_line([(-0.14, 0.47), (0, 0.42), (0.14, 0.47)], 0.02, _DARK)
    for side in (-1, 1):
        for drop in (-0.08, 0.02, 0.12):
            canvas.draw_line([(side * 0.24, 0.38 + drop / 3), (side * 0.95, 0.34 + drop * 1.6)], 0.015, (245, 245, 240))


def _draw_cat_eyes(canvas: Canvas, rng: np.random.Generator) -> None:
    iris = jitter_color(rng, _IRISES[rng.integers(len(_IRISES))], 15)
    slit = rng.uniform(0.03, 0.08)
    for side in (-1, 1):
        canvas.draw_ellipse(side * 0.31, 0.02, 0.17, 0.13, iris, degrees=side * -14)
        canvas.draw_ellipse(side * 0.31, 0.02, slit, 0.12, _DARK)
        canvas.draw_ellipse(side * 0.31 - 0.04, -0.03, 0.025, 0.025, (250, 250, 250))


def draw_dog(canvas: Canvas, rng: np.random.Generator) -> None:
    """Draw floppy ears, round eyes, a long muzzle with a large nose; most show the tongue, some a patch on one eye."""
    fur = jitter_color(rng, _DOG_FURS[rng.integers(len(_DOG_FURS))], 18)
    ears = scale_brightness(fur, rng.uniform(0.55, 0.8))
    canvas.draw_ellipse(0, 0, 0.6, rng.uniform(0.64, 0.74), fur)
    length = rng.uniform(0.4, 0.52)
    for side in (-1, 1):
        canvas.draw_ellipse(side * 0.62, -0.12, 0.2, length, ears, degrees=side * rng.uniform(-22, -6))
    if rng.random() < 0.4:
        canvas.draw_ellipse(0.25, -0.16, 0.22, 0.22, scale_brightness(fur, 0.6))
    for side in (-1, 1):
        canvas.draw_ellipse(side * 0.25, -0.14, 0.1, 0.11, (250, 248, 240))
        canvas.draw_ellipse(side * 0.25, -0.13, 0.075, 0.085, (70, 42, 24))
        canvas.draw_ellipse(side * 0.25, -0.13, 0.04, 0.045, _DARK)
        canvas.draw_ellipse(side * 0.25 - 0.03, -0.17, 0.02, 0.02, (250, 250, 250))
    if rng.random() < 0.7:
        canvas.draw_ellipse(0, 0.68, 0.13, rng.uniform(0.2, 0.28), (222, 96, 112))
        canvas.draw_line([(0, 0.6), (0, 0.84)], 0.02, (176, 66, 84))
    muzzle = scale_brightness(fur, 1.2)
    canvas.draw_ellipse(0, 0.36, 0.36, 0.3, muzzle)
    canvas.draw_ellipse(0, 0.2, 0.16, 0.11, _DARK)
    canvas.draw_ellipse(-0.05, 0.16, 0.04, 0.025, (120, 116, 118))
    canvas.draw_line([(0, 0.3), (0, 0.48)], 0.025, _DARK)
    canvas.draw_line([(-0.2, 0.52), (0, 0.48), (0.2, 0.52)], 0.025, _DARK)


def _pick_paint(rng: np.random.Generator) -> Color:
    """Return a strong colour, such as cars and ships have."""
    colors: list[Color] = [(190, 40, 40), (40, 70, 170), (220, 220, 220), (60, 60, 66), (210, 170, 50), (50, 130, 80)]
    return jitter_color(rng, colors[rng.integers(len(colors))], 20)


def _pick_coat(rng: np.random.Generator) -> Color:
    """Return brown to grey, such as animals have."""
    coats: list[Color] = [(150, 104, 60), (110, 76, 48), (176, 146, 108), (90, 84, 80)]
    return jitter_color(rng, coats[rng.integers(len(coats))], 18)


def draw_airplane(canvas: Canvas, rng: np.random.Generator) -> None:
    """Draw a fuselage with swept wings and a tail fin."""
    body = jitter_color(rng, (210, 214, 222), 25)
    canvas.draw_polygon([(0.1, 0), (-0.35, 0.62), (-0.15, 0.62), (0.35, 0.02)], scale_brightness(body, 0.75))
    canvas.draw_polygon([(0.05, -0.02), (-0.25, -0.5), (-0.1, -0.5), (0.3, -0.05)], scale_brightness(body, 0.85))
    canvas.draw_ellipse(0, 0, 0.85, 0.13, body)
    canvas.draw_polygon([(-0.6, -0.05), (-0.9, -0.42), (-0.7, -0.42), (-0.4, -0.06)], _pick_paint(rng))
    canvas.draw_ellipse(0.66, -0.04, 0.08, 0.04, _GLASS)


def draw_automobile(canvas: Canvas, rng: np.random.Generator) -> None:
    """Draw a low body with a cabin and two wheels."""
    paint = _pick_paint(rng)
    roof = rng.uniform(-0.42, -0.3)
    canvas.draw_polygon([(-0.5, 0), (-0.3, roof), (0.25, roof), (0.5, 0)], scale_brightness(paint, 0.85))
    canvas.draw_polygon([(-0.38, 0), (-0.24, roof + 0.08), (0.2, roof + 0.08), (0.38, 0)], _GLASS)
    canvas.draw_polygon([(-0.88, 0.02), (0.8, -0.02), (0.9, 0.14), (0.88, 0.34), (-0.9, 0.34)], paint)
    for x in (-0.5, 0.52):
        canvas.draw_ellipse(x, 0.36, 0.2, 0.2, _TYRE)
        canvas.draw_ellipse(x, 0.36, 0.09, 0.09, (180, 180, 184))


def draw_bird(canvas: Canvas, rng: np.random.Generator) -> None:
    """Draw a small body with a head, a beak, a tail and one wing, on thin legs."""
    feathers = jitter_color(rng, ((170, 90, 60), (70, 110, 170), (150, 140, 110))[rng.integers(3)], 25)
    for x in (-0.05, 0.12):
        canvas.draw_line([(x, 0.4), (x + 0.04, 0.82)], 0.05, (190, 140, 60))
    canvas.draw_polygon(
        [(-0.4, 0.1), (-0.95, rng.uniform(-0.1, 0.4)), (-0.8, 0.45), (-0.3, 0.3)], scale_brightness(feathers, 0.7)
    )
    canvas.draw_ellipse(0, 0.15, 0.5, 0.34, feathers, degrees=-15)
    canvas.draw_ellipse(0.45, -0.3, 0.24, 0.24, feathers)
    canvas.draw_polygon([(0.64, -0.38), (0.95, -0.27), (0.64, -0.2)], (230, 170, 50))
    canvas.draw_ellipse(-0.08, 0.12, 0.32, 0.17, scale_brightness(feathers, 0.65), degrees=12)
    canvas.draw_ellipse(0.52, -0.35, 0.05, 0.05, (15, 15, 15))


def draw_deer(canvas: Canvas, rng: np.random.Generator) -> None:
    """Draw a slender body on thin legs, a raised neck, antlers."""
    coat = _pick_coat(rng)
    _draw_four_legs(canvas, scale_brightness(coat, 0.8), 0.07, 0.9)
    canvas.draw_ellipse(-0.15, 0.12, 0.5, 0.22, coat)
    canvas.draw_polygon([(0.15, 0.12), (0.4, -0.45), (0.56, -0.38), (0.4, 0.2)], coat)
    canvas.draw_ellipse(0.56, -0.42, 0.2, 0.1, coat, degrees=18)
    for lean in (-0.12, 0.1):
        stem: Points = [(0.46, -0.5), (0.4 + lean, -0.75), (0.44 + 2 * lean, -0.98)]
        canvas.draw_line(stem, 0.06, (90, 70, 50))
        canvas.draw_line([stem[1], (0.62 + lean, -0.86)], 0.05, (90, 70, 50))
    canvas.draw_ellipse(-0.66, 0.06, 0.08, 0.1, (240, 236, 226))


def draw_horse(canvas: Canvas, rng: np.random.Generator) -> None:
    """Draw a strong body on thick legs, a lowered long head, a mane and a tail."""
    coat = _pick_coat(rng)
    hair = scale_brightness(coat, 0.45)
    _draw_four_legs(canvas, scale_brightness(coat, 0.85), 0.13, 0.88)
    canvas.draw_line([(-0.62, 0), (-0.85, 0.2), (-0.84, 0.6)], 0.14, hair)
    canvas.draw_ellipse(-0.08, 0.06, 0.6, 0.3, coat)
    canvas.draw_polygon([(0.12, 0), (0.42, -0.66), (0.66, -0.56), (0.5, 0.18)], coat)
    canvas.draw_polygon([(0.08, -0.12), (0.36, -0.74), (0.48, -0.66), (0.26, -0.06)], hair)
    canvas.draw_ellipse(0.68, -0.42, 0.3, 0.13, coat, degrees=42)
    canvas.draw_polygon([(0.46, -0.62), (0.5, -0.84), (0.58, -0.62)], coat)


def _draw_four_legs(canvas: Canvas, color: Color, width: float, floor: float) -> None:
    for x in (-0.5, -0.36, 0.16, 0.3):
        canvas.draw_line([(x, 0.15), (x + 0.03, floor)], width, color)


def draw_frog(canvas: Canvas, rng: np.random.Generator) -> None:
    """Draw a wide green body with bent hind legs and eyes on top."""
    skin = jitter_color(rng, ((70, 150, 60), (110, 140, 50), (60, 120, 90))[rng.integers(3)], 22)
    for side in (-1, 1):
        canvas.draw_ellipse(side * 0.6, 0.42, 0.34, 0.2, scale_brightness(skin, 0.75), degrees=side * -30)
        canvas.draw_ellipse(side * 0.7, 0.7, 0.24, 0.07, scale_brightness(skin, 0.65))
    canvas.draw_ellipse(0, 0.3, 0.56, 0.42, skin)
    canvas.draw_ellipse(0, 0.48, 0.36, 0.24, scale_brightness(skin, 1.4))
    canvas.draw_ellipse(0, -0.12, 0.5, 0.3, skin)
    for side in (-1, 1):
        canvas.draw_ellipse(side * 0.3, -0.38, 0.17, 0.17, skin)
        canvas.draw_ellipse(side * 0.3, -0.4, 0.11, 0.11, (235, 220, 120))
        canvas.draw_ellipse(side * 0.3, -0.4, 0.05, 0.07, (15, 15, 15))
    canvas.draw_line([(-0.34, -0.06), (0, 0.04), (0.34, -0.06)], 0.05, scale_brightness(skin, 0.45))


def draw_ship(canvas: Canvas, rng: np.random.Generator) -> None:
    """Draw a hull with a bridge and a funnel, or with sails."""
    hull = _pick_paint(rng)
    if rng.random() < 0.5:
        canvas.draw_line([(0, 0.3), (0, -0.9)], 0.05, (90, 64, 40))
        canvas.draw_polygon([(0.05, -0.85), (0.65, 0.12), (0.05, 0.12)], (244, 240, 228))
        canvas.draw_polygon([(-0.05, -0.7), (-0.5, 0.12), (-0.05, 0.12)], (226, 220, 206))
    else:
        canvas.draw_box(-0.45, -0.15, 0.35, 0.25, (236, 236, 232))
        canvas.draw_box(-0.25, -0.4, 0.15, -0.1, (220, 220, 218))
        canvas.draw_box(-0.12, -0.75, 0.06, -0.35, _pick_paint(rng))
        for x in (-0.3, -0.08, 0.14):
            canvas.draw_box(x, -0.02, x + 0.1, 0.08, (70, 90, 110))
    canvas.draw_polygon([(-0.9, 0.2), (0.95, 0.2), (0.7, 0.62), (-0.7, 0.62)], hull)
    canvas.draw_line([(-0.95, 0.64), (0.95, 0.64)], 0.07, (225, 235, 240))


def draw_truck(canvas: Canvas, rng: np.random.Generator) -> None:
    """Draw a tall box, a cab with a window, three wheels."""
    cab = _pick_paint(rng)
    canvas.draw_box(-0.92, rng.uniform(-0.62, -0.48), 0.38, 0.32, jitter_color(rng, (214, 210, 202), 30))
    canvas.draw_polygon([(0.42, -0.3), (0.72, -0.3), (0.92, 0.02), (0.92, 0.36), (0.42, 0.36)], cab)
    canvas.draw_polygon([(0.52, -0.22), (0.68, -0.22), (0.8, 0.02), (0.52, 0.02)], _GLASS)
    canvas.draw_box(-0.92, 0.3, 0.92, 0.4, (60, 60, 62))
    for x in (-0.66, -0.26, 0.62):
        canvas.draw_ellipse(x, 0.44, 0.17, 0.17, _TYRE)
        canvas.draw_ellipse(x, 0.44, 0.07, 0.07, (170, 170, 172))


DrawFunction = Callable[[Canvas, np.random.Generator], None]
OBJECTS: dict[str, tuple[DrawFunction, list[tuple[Color, Color]]]] = {
    "airplane": (draw_airplane, [_SKY, _SEA, _ROAD]),
    "automobile": (draw_automobile, [_ROAD, _GRASS, _SKY]),
    "bird": (draw_bird, [_SKY, _GRASS, _WOOD]),
    "cat": (draw_cat, [_ROOM, _GRASS, _WOOD]),
    "deer": (draw_deer, [_WOOD, _GRASS, _ROAD]),
    "dog": (draw_dog, [_ROOM, _GRASS, _WOOD]),
    "frog": (draw_frog, [_WOOD, _GRASS, _SEA]),
    "horse": (draw_horse, [_GRASS, _WOOD, _ROAD]),
    "ship": (draw_ship, [_SEA, _SKY, _ROAD]),
    "truck": (draw_truck, [_ROAD, _GRASS, _SKY]),
}
