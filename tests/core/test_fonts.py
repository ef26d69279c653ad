"""Letters that the figures' own font lacks: another installed font has them, or one line names what to install."""

import io
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from matplotlib.figure import Figure
from matplotlib.font_manager import fontManager
from PIL import Image

from vision_pipeline.core import fonts
from vision_pipeline.core.fonts import cut_to_width, measure_width, render_png, truncate

CAT, DOG = "\U00012000", "\U00012001"  # cuneiform, which no font of a test machine has

Install = Callable[[str, str], None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Install a font of some letters, each a black square, after matplotlib has listed the fonts there are."""
    files: list[str] = []
    monkeypatch.setattr(fonts, "_warned_letters", set())
    monkeypatch.setattr(fonts, "findSystemFonts", lambda: [str(tmp_path / "damaged.ttf"), *files])
    monkeypatch.setattr(fontManager, "ttflist", [entry for entry in fontManager.ttflist if "DejaVu" in entry.name])
    (tmp_path / "damaged.ttf").write_bytes(b"no font")
    fonts._add_new_fonts.cache_clear()

    def install(family: str, letters: str) -> None:
        files.append(str(tmp_path / f"{family}.ttf"))
        write_font(files[-1], family, letters)

    return install


def write_font(path: str, family: str, letters: str) -> None:
    pen = TTGlyphPen(None)
    pen.moveTo((0, 0))
    for point in ((0, 700), (700, 700), (700, 0)):
        pen.lineTo(point)
    pen.closePath()
    names = [".notdef", *(f"letter{index}" for index in range(len(letters)))]
    font = FontBuilder(1000)
    font.setupGlyphOrder(names)
    font.setupCharacterMap({ord(letter): name for letter, name in zip(letters, names[1:], strict=True)})
    font.setupGlyf(dict.fromkeys(names, pen.glyph()))
    font.setupHorizontalMetrics(dict.fromkeys(names, (800, 0)))
    font.setupHorizontalHeader(ascent=800, descent=-200)
    font.setupNameTable({"familyName": family, "styleName": "Regular"})
    font.setupOS2()
    font.setupPost()
    font.save(path)


def drawn(*texts: str) -> bytes:
    figure = Figure(figsize=(2, 2))
    for place, text in enumerate(texts):
        figure.text(0.1, 0.1 + 0.3 * place, text, fontsize=30)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # matplotlib has one for each letter that no font has
        return render_png(figure)


def ink(png: bytes) -> float:
    with Image.open(io.BytesIO(png)) as image:
        return float((np.asarray(image.convert("L")) < 128).mean())


def test_a_font_that_was_just_installed_draws_the_letters(install: Install, capsys: pytest.CaptureFixture[str]) -> None:
    install("Tablet", CAT)
    assert ink(drawn(CAT)) == pytest.approx(0.021, abs=0.001)  # the whole square, not the frame of a box
    assert capsys.readouterr().err == ""


def test_two_fonts_together_have_the_letters(install: Install, capsys: pytest.CaptureFixture[str]) -> None:
    install("Tablet One", CAT)
    install("Tablet Two", DOG)
    assert ink(drawn(CAT + DOG)) > 1.8 * ink(drawn(CAT))
    assert capsys.readouterr().err == ""


def test_letters_that_no_font_has_are_named_in_one_line(install: Install, capsys: pytest.CaptureFixture[str]) -> None:
    install("Tablet", DOG)
    drawn(CAT, DOG, f"a {CAT}")
    drawn(CAT)
    assert capsys.readouterr().err == (
        f"WARNING: no installed font has the letters {CAT}; pictures show boxes for them. Install a font, on Debian "
        "fonts-noto-cjk (Chinese, Japanese, Korean) or fonts-noto-core (others), and draw again, a stage by "
        "`dvc repro -f -s STAGE`\n"
    )


def test_other_texts_are_drawn_as_without_the_font(install: Install) -> None:
    texts = ("cat and dog", "Katze … ×", "Süßes Kätzchen")
    before = drawn(*texts)
    install("Sans Tablet", "catKzeü" + CAT)
    drawn(CAT)
    assert drawn(*texts) == before


def test_the_names_of_a_figures_axes_are_seen_to(install: Install, capsys: pytest.CaptureFixture[str]) -> None:
    figure = Figure()
    axes = figure.subplots()
    axes.set_xticks([0, 1], [CAT, DOG])
    axes.set_title(CAT)
    axes.plot([0, 1], label=DOG)
    axes.legend()
    render_png(figure)
    assert capsys.readouterr().err.count(f"letters {CAT} {DOG};") == 1


@pytest.mark.parametrize(
    ("text", "wide"), [("cat", 3), ("猫", 2), ("ネコ", 4), ("고양이", 6), ("قط", 2), ("…", 1), ("", 0)]
)
def test_wide_letters_count_as_two(text: str, wide: int) -> None:
    assert measure_width(text) == wide


def test_names_are_cut_by_their_width() -> None:
    assert truncate("猫" * 8, 16) == "猫" * 8
    assert truncate("猫" * 9, 16) == "猫" * 7 + "…"
    assert cut_to_width("a猫", 2) == "a"


@pytest.mark.parametrize(
    ("text", "length", "expected"), [("cat", 3, "cat"), ("catfish", 4, "cat…"), ("a\n b", 9, "a b"), ("", 3, "")]
)
def test_a_text_is_cut_to_its_length(text: str, length: int, expected: str) -> None:
    assert truncate(text, length) == expected
