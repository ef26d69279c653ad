"""Style pictures that are drawn: every motif, in the colours of its palette."""

import numpy as np
import pytest

from vision_pipeline.style_transfer.procedural_textures import MOTIFS, render_texture

_PALETTE = np.array([[0, 40, 80], [255, 200, 120], [120, 220, 200]], np.uint8)


@pytest.mark.parametrize("motif", MOTIFS)
def test_a_motif_is_drawn_in_its_colours_the_same_each_time(motif: str) -> None:
    picture = render_texture(motif, _PALETTE, 48, [1, 2])
    assert (picture.shape, picture.dtype) == ((48, 48, 3), np.uint8)
    assert np.array_equal(picture, render_texture(motif, _PALETTE, 48, [1, 2]))
    assert not np.array_equal(picture, render_texture(motif, _PALETTE, 48, [1, 3]))
    flat = picture.reshape(-1, 3)
    assert (flat >= _PALETTE.min(0)).all() and (flat <= _PALETTE.max(0)).all()  # edges are mixed of them
    assert all((flat == colour).all(1).any() for colour in _PALETTE)


def test_a_palette_of_one_colour_gives_that_colour() -> None:
    grey = np.full((2, 3), 77, np.uint8)
    for motif in MOTIFS:
        assert (render_texture(motif, grey, 32, [0]) == 77).all()
