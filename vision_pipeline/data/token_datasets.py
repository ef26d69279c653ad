"""Prepare sequences of symbols: a text, whose targets are the next symbols, and the copy task."""

import hashlib
import io
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

import numpy as np

from vision_pipeline.config.data import PrepareTextConfig
from vision_pipeline.core.errors import DataError
from vision_pipeline.core.files import read_json
from vision_pipeline.data.format import SPLITS, DatasetInfo, Split, write_info, write_tokens
from vision_pipeline.data.ingest import write_rows_csv
from vision_pipeline.data.readers.raw import corrupt_file_error
from vision_pipeline.data.splits import share_of

_MAX_VOCABULARY = 1 << 16


def prepare_text(
    folder: Path, raw_dir: Path, *, settings: PrepareTextConfig, limit: int, provenance: dict[str, Any]
) -> DatasetInfo:
    """Write the splits of the text in `raw_dir` into `folder`, in the prepared format.

    A symbol is a character (a Unicode code point). Train comes first, then validation, then test; each is a piece of
    the text, and no pair of a symbol and its successor crosses from one into the next. The vocabulary is that of the
    whole text, sorted.

    Args:
        folder: an existing, empty folder.
        raw_dir: holds one UTF-8 file.
        settings: the shares held out; a split of share 0 is the training text itself.
        limit: number of lines to use, 0: all.
        provenance: the text's provenance.

    Raises:
        DataError: the file is not UTF-8, or the text is too short, has one symbol or too many different ones.
    """
    text = _take_lines(read_text(raw_dir), limit)
    vocabulary = sorted(set(text))
    if not 2 <= len(vocabulary) <= _MAX_VOCABULARY:
        raise DataError(
            f"the text in {raw_dir} has {len(vocabulary)} different symbols; allowed: 2 to {_MAX_VOCABULARY:,}"
        )
    spans, not_held_out = _split_by_position(text, settings, raw_dir)
    token_ids = {symbol: index for index, symbol in enumerate(vocabulary)}
    for split, (start, end) in spans.items():
        tokens = np.array([token_ids[symbol] for symbol in text[start:end]])
        write_tokens(folder, split, tokens=tokens[:-1], targets=tokens[1:], vocabulary_size=len(vocabulary))
        digest = hashlib.sha256(text[start:end].encode()).hexdigest()
        write_rows_csv(folder, split, [(digest, f"characters {start} to {end - 1}")])
    return write_info(
        folder, "text", vocabulary, mean=[], std=[], provenance=_note_not_held_out(provenance, not_held_out)
    )


def read_text(raw_dir: Path) -> str:
    """Return the text of a raw folder, with `\n` as line end and without a byte-order mark.

    `\r\n` and `\r` become `\n`, as Python reads text files, so that the same text from another system is the same
    data.

    Raises:
        DataError: the file is not UTF-8.
    """
    (file,) = (path for path in raw_dir.iterdir() if path.name != "provenance.json")
    try:
        return file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise corrupt_file_error(file, f"{error.reason} at byte {error.start}") from error


def _take_lines(text: str, limit: int) -> str:
    return "".join(islice(io.StringIO(text), limit)) if limit else text


def _split_by_position(
    text: str, settings: PrepareTextConfig, raw_dir: Path
) -> tuple[dict[Split, tuple[int, int]], list[Split]]:
    """Return the start and end of each split, and the splits that are the training text itself."""
    val, test = (share_of(len(text), share) for share in (settings.validation, settings.test))
    edges = (0, len(text) - val - test, len(text) - test, len(text))
    spans = dict(zip(SPLITS, pairwise(edges), strict=True))
    shares: dict[Split, float] = {"val": settings.validation, "test": settings.test}
    not_held_out = [split for split, share in shares.items() if share == 0]
    spans |= dict.fromkeys(not_held_out, spans["train"])
    for split, (start, end) in spans.items():
        if end - start < 2:
            raise DataError(
                f"the {split} split of the text in {raw_dir} would have {end - start} characters, of which none has a "
                "next one; give a longer text or other shares in `prepare`"
            )
    return spans, not_held_out


def _note_not_held_out(provenance: dict[str, Any], not_held_out: list[Split]) -> dict[str, Any]:
    """Return the provenance with a note on the splits that are not held out."""
    if not not_held_out:
        return provenance
    names = " and ".join({"val": "validation", "test": "test"}[split] for split in not_held_out)
    note = f"{provenance['note']} Not held out, but the training text itself: {names}.".strip()
    return provenance | {"note": note, "not_held_out": not_held_out}


def prepare_copy_task(
    folder: Path, raw_dir: Path, *, length: int, limit: int, vocabulary: list[str], provenance: dict[str, Any]
) -> DatasetInfo:
    """Write the splits of the copy task into `folder`: random sequences, whose target is their first symbol.

    A network must remember the first symbol to the end; all later symbols are noise. The longer the sequence, the less
    of the first symbol is left in a simple network's state, and in its gradient.

    Source: Bengio et al., Learning long-term dependencies with gradient descent is difficult, IEEE Transactions on
    Neural Networks 5 (1994): its latch problem, with more than two classes.

    Args:
        folder: an existing, empty folder.
        raw_dir: holds `copy.json`, with the number of sequences of each split.
        length: number of symbols of a sequence, at least 1.
        limit: number of sequences of each split at most, 0: all.
        vocabulary: symbols that are drawn, each with the same probability.
        provenance: the task's provenance.
    """
    row_counts = read_json(raw_dir / "copy.json")["rows"]
    for split_index, split in enumerate(SPLITS):
        count = min(row_counts[split], limit or row_counts[split])
        sequences = np.random.default_rng([split_index, length]).integers(len(vocabulary), size=(count, length))
        write_tokens(folder, split, tokens=sequences, targets=sequences[:, 0], vocabulary_size=len(vocabulary))
        names = (
            (hashlib.sha256(row.tobytes()).hexdigest(), f"{split}-{index:06}") for index, row in enumerate(sequences)
        )
        write_rows_csv(folder, split, names)
    return write_info(folder, "sequences", vocabulary, mean=[], std=[], provenance=provenance)
