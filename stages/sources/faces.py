"""Cats and dogs, drawn from the front."""

import numpy as np

from stages.sources.drawing import Canvas, Colour, shade, vary

_CAT_FURS: list[Colour] = [(214, 142, 74), (120, 120, 126), (52, 50, 54), (226, 214, 196), (150, 112, 80)]
_DOG_FURS: list[Colour] = [(190, 140, 84), (110, 72, 46), (58, 52, 50), (232, 222, 204), (206, 170, 120)]
_IRISES: list[Colour] = [(150, 190, 70), (220, 180, 60), (90, 160, 190)]
_DARK: Colour = (24, 20, 22)
_PINK: Colour = (232, 140, 150)


def cat(canvas: Canvas, rng: np.random.Generator) -> None:
    """Pointed ears, slit pupils, a small nose, whiskers; some have stripes."""
    fur = vary(rng, _CAT_FURS[rng.integers(len(_CAT_FURS))], 18)
    spread = rng.uniform(0.42, 0.52)
    for side in (-1, 1):
        tip = (side * (spread + 0.16), -0.95 + rng.uniform(0, 0.1))
        canvas.polygon([(side * 0.12, -0.5), tip, (side * 0.7, -0.15)], shade(fur, 0.92))
        canvas.polygon([(side * 0.3, -0.5), (tip[0] * 0.95, tip[1] + 0.17), (side * 0.58, -0.3)], (214, 150, 150))
    canvas.ellipse(0, 0.1, 0.74, rng.uniform(0.58, 0.66), fur)
    if rng.random() < 0.5:
        for x in (-0.14, 0, 0.14):
            canvas.line([(x, -0.5), (x * 0.8, -0.24)], 0.06, shade(fur, 0.6))
    _cat_eyes(canvas, rng)
    muzzle = shade(fur, 1.25)
    for side in (-1, 1):
        canvas.ellipse(side * 0.14, 0.4, 0.18, 0.13, muzzle)
    canvas.polygon([(-0.08, 0.24), (0.08, 0.24), (0, 0.33)], _PINK)
    canvas.line([(0, 0.33), (0, 0.42)], 0.02, _DARK)
    canvas.line([(-0.14, 0.47), (0, 0.42), (0.14, 0.47)], 0.02, _DARK)
    for side in (-1, 1):
        for drop in (-0.08, 0.02, 0.12):
            canvas.line([(side * 0.24, 0.38 + drop / 3), (side * 0.95, 0.34 + drop * 1.6)], 0.015, (245, 245, 240))


def _cat_eyes(canvas: Canvas, rng: np.random.Generator) -> None:
    iris = vary(rng, _IRISES[rng.integers(len(_IRISES))], 15)
    slit = rng.uniform(0.03, 0.08)
    for side in (-1, 1):
        canvas.ellipse(side * 0.31, 0.02, 0.17, 0.13, iris, degrees=side * -14)
        canvas.ellipse(side * 0.31, 0.02, slit, 0.12, _DARK)
        canvas.ellipse(side * 0.31 - 0.04, -0.03, 0.025, 0.025, (250, 250, 250))


def dog(canvas: Canvas, rng: np.random.Generator) -> None:
    """Floppy ears, round eyes, a long muzzle with a large nose; most show the tongue, some a patch on one eye."""
    fur = vary(rng, _DOG_FURS[rng.integers(len(_DOG_FURS))], 18)
    ears = shade(fur, rng.uniform(0.55, 0.8))
    canvas.ellipse(0, 0, 0.6, rng.uniform(0.64, 0.74), fur)
    length = rng.uniform(0.4, 0.52)
    for side in (-1, 1):
        canvas.ellipse(side * 0.62, -0.12, 0.2, length, ears, degrees=side * rng.uniform(-22, -6))
    if rng.random() < 0.4:
        canvas.ellipse(0.25, -0.16, 0.22, 0.22, shade(fur, 0.6))
    for side in (-1, 1):
        canvas.ellipse(side * 0.25, -0.14, 0.1, 0.11, (250, 248, 240))
        canvas.ellipse(side * 0.25, -0.13, 0.075, 0.085, (70, 42, 24))
        canvas.ellipse(side * 0.25, -0.13, 0.04, 0.045, _DARK)
        canvas.ellipse(side * 0.25 - 0.03, -0.17, 0.02, 0.02, (250, 250, 250))
    if rng.random() < 0.7:
        canvas.ellipse(0, 0.68, 0.13, rng.uniform(0.2, 0.28), (222, 96, 112))
        canvas.line([(0, 0.6), (0, 0.84)], 0.02, (176, 66, 84))
    muzzle = shade(fur, 1.2)
    canvas.ellipse(0, 0.36, 0.36, 0.3, muzzle)
    canvas.ellipse(0, 0.2, 0.16, 0.11, _DARK)
    canvas.ellipse(-0.05, 0.16, 0.04, 0.025, (120, 116, 118))
    canvas.line([(0, 0.3), (0, 0.48)], 0.025, _DARK)
    canvas.line([(-0.2, 0.52), (0, 0.48), (0.2, 0.52)], 0.025, _DARK)
