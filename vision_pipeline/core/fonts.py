"""Draw figures: letters that a figure's own font lacks, such as Chinese ones, come from any installed font."""

import io
import logging
import unicodedata
import warnings
from functools import cache
from typing import Any

from matplotlib.figure import Figure
from matplotlib.font_manager import findfont, findSystemFonts, fontManager, get_font
from matplotlib.text import Text

from vision_pipeline.core.logging import logger
from vision_pipeline.core.text import join_limited

_MAX_LETTERS_IN_WARNING = 10
_warned_letters: set[str] = set()

# matplotlib would warn that an added font has no bold letters or not the requested weight
logging.getLogger("matplotlib.font_manager").setLevel(logging.ERROR)


def render_png(figure: Figure, **options: Any) -> bytes:
    """Return a figure as PNG, without the name and version of the software.

    A text whose font has all its letters is drawn by that font alone, so its pixels depend on no installed font.

    Args:
        figure: its texts get the fonts that they need.
        options: passed to `Figure.savefig`.
    """
    _add_fonts(figure)
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"Glyph \d+ .* missing from font")  # `_add_fonts` has warned of them
        figure.savefig(buffer, format="png", metadata={"Software": None}, **options)
    return buffer.getvalue()


def measure_width(text: str) -> int:
    """Return how many Latin letters are about as wide as `text`: a Chinese, Japanese or Korean letter is two."""
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in text)


def truncate(text: str, length: int) -> str:
    """Return `text` on one line, at most `length` wide, with an ellipsis where something is left out."""
    line = " ".join(text.split())
    return line if measure_width(line) <= length else cut_to_width(line, length - 1) + "…"


def cut_to_width(text: str, length: int) -> str:
    """Return the beginning of `text` that is at most `length` wide."""
    while measure_width(text) > length:
        text = text[:-1]
    return text


def _add_fonts(figure: Figure) -> None:
    """Give texts the installed fonts for letters that their own font lacks; warn of letters that no font has."""
    missing_letters = {text: letters for text in figure.findobj(Text) if (letters := _find_missing_letters(text))}
    letters = frozenset[str]().union(*missing_letters.values())
    families, unavailable = _choose_families(letters)
    if unavailable and _add_new_fonts():
        families, unavailable = _choose_families(letters)
    for text in missing_letters:
        text.set_fontfamily([*text.get_fontfamily(), *families])
    _warn_of_missing_letters(unavailable)


def _find_missing_letters(text: Any) -> frozenset[str]:
    if text.get_text().isascii():  # every font has these
        return frozenset()
    letters = frozenset(letter for letter in text.get_text() if letter.isprintable() and not letter.isspace())
    return letters - _select_letters_in_font(findfont(text.get_fontproperties()), letters)


def _choose_families(letters: frozenset[str]) -> tuple[list[str], frozenset[str]]:
    """Return few families that together have as many of `letters` as possible, and the letters that none has."""
    files = {entry.name: entry.fname for entry in fontManager.ttflist if letters and not _draws_boxes(entry.name)}
    letters_by_family = {family: _select_letters_in_font(files[family], letters) for family in sorted(files)}
    families: list[str] = []
    while any(letters_by_family[family] & letters for family in letters_by_family):
        families.append(
            max(letters_by_family, key=lambda family: (len(letters_by_family[family] & letters), "Sans" in family))
        )
        letters -= letters_by_family[families[-1]]
    return families, letters


def _draws_boxes(family: str) -> bool:
    return family.replace(" ", "").lower().lstrip(".").startswith("lastresort")  # it has a box for every letter


def _select_letters_in_font(file: str, letters: frozenset[str]) -> frozenset[str]:
    try:
        font = get_font(file)
    except (OSError, RuntimeError):  # the file is gone or damaged: it has no letter to draw
        return frozenset()
    return frozenset(letter for letter in letters if font.get_char_index(ord(letter)))


@cache
def _add_new_fonts() -> bool:
    """Let matplotlib use fonts that were installed after it listed them, which it does once for each user."""
    listed = {entry.fname for entry in fontManager.ttflist}
    for file in sorted(set(findSystemFonts()) - listed):
        try:
            fontManager.addfont(file)
        except Exception:  # matplotlib leaves out a font that it cannot use when it lists them, too
            continue
    return len(fontManager.ttflist) > len(listed)


def _warn_of_missing_letters(letters: frozenset[str]) -> None:
    """Warn of letters that no installed font has, once in a process."""
    if not letters or _warned_letters:
        return
    _warned_letters.update(letters)
    logger.warning(
        f"no installed font has the letters {join_limited(sorted(letters), _MAX_LETTERS_IN_WARNING, ' ')}; pictures "
        "show boxes for them. Install a font, on Debian fonts-noto-cjk (Chinese, Japanese, Korean) or fonts-noto-core "
        "(others), and draw again, a stage by `dvc repro -f -s STAGE`"
    )
