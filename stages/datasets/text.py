"""A text as numbers: its vocabulary, its splits by position, and for each symbol the one that follows."""

import hashlib
import io
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

import numpy as np

from stages.datasets.format import SPLITS, Description, Split, describe, write_symbols
from stages.datasets.raw import damaged
from stages.datasets.split import part_of
from stages.datasets.write import write_rows
from stages.params.data import PrepareText
from stages.project.console import Refusal

_MOST_SYMBOLS = 1 << 16


def prepare_text(folder: Path, raw: Path, settings: PrepareText, limit: int, provenance: dict[str, Any]) -> Description:
    """Write the splits of the text in `raw` into `folder`, in the prepared format.

    A symbol is a character (a Unicode code point). Train comes first, then validation, then test; each is a piece of
    the text, and no pair of a symbol and its successor crosses from one into the next. The vocabulary is that of the
    whole text, sorted.

    Args:
        folder: is there, and empty.
        raw: holds one UTF-8 file.
        settings: with the shares held out; a split of share 0 is the training text itself.
        limit: use the first `limit` lines, 0: all.
        provenance: of the text.

    Raises:
        Refusal: the file is not UTF-8, or the text is too short, has one symbol or too many different ones.
    """
    text = _limited(read_text(raw), limit)
    vocabulary = sorted(set(text))
    if not 2 <= len(vocabulary) <= _MOST_SYMBOLS:
        raise Refusal(f"the text in {raw} has {len(vocabulary)} different symbols; allowed: 2 to {_MOST_SYMBOLS:,}")
    pieces, not_held_out = _pieces(text, settings, raw)
    number = {symbol: index for index, symbol in enumerate(vocabulary)}
    for split, (start, end) in pieces.items():
        symbols = np.array([number[symbol] for symbol in text[start:end]])
        write_symbols(folder, split, symbols[:-1], symbols[1:], len(vocabulary))
        digest = hashlib.sha256(text[start:end].encode()).hexdigest()
        write_rows(folder, split, [(digest, f"characters {start} to {end - 1}")])
    return describe(folder, "text", vocabulary, [], [], _told(provenance, not_held_out))


def read_text(raw: Path) -> str:
    """The text of a raw folder, with one kind of line ends, whichever of the three it was written with.

    `\r\n` and `\r` become `\n`, as Python reads text files, so that the same text from another system is the same
    data; a byte-order mark is no part of the text.
    """
    (file,) = (path for path in raw.iterdir() if path.name != "provenance.json")
    try:
        return file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise damaged(file, f"{error.reason} at byte {error.start}") from error


def _limited(text: str, limit: int) -> str:
    return "".join(islice(io.StringIO(text), limit)) if limit else text


def _pieces(text: str, settings: PrepareText, raw: Path) -> tuple[dict[Split, tuple[int, int]], list[Split]]:
    """Where each split starts and ends, and which of them are the training text itself."""
    val, test = (part_of(len(text), share) for share in (settings.validation, settings.test))
    edges = (0, len(text) - val - test, len(text) - test, len(text))
    pieces = dict(zip(SPLITS, pairwise(edges), strict=True))
    shares: dict[Split, float] = {"val": settings.validation, "test": settings.test}
    not_held_out = [split for split, share in shares.items() if share == 0]
    pieces |= dict.fromkeys(not_held_out, pieces["train"])
    for split, (start, end) in pieces.items():
        if end - start < 2:
            raise Refusal(
                f"the {split} split of the text in {raw} would have {end - start} characters, of which none has a next "
                "one; give a longer text or other shares in `prepare`"
            )
    return pieces, not_held_out


def _told(provenance: dict[str, Any], not_held_out: list[Split]) -> dict[str, Any]:
    """The provenance, which says in words, too, when a split is not held out."""
    if not not_held_out:
        return provenance
    names = " and ".join({"val": "validation", "test": "test"}[split] for split in not_held_out)
    note = f"{provenance['note']} Not held out, but the training text itself: {names}.".strip()
    return provenance | {"note": note, "not_held_out": not_held_out}
