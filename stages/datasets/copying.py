"""Sequences whose first symbol must be remembered to their end: all that comes after it is noise.

The further back the first symbol lies, the less of it is left in a simple network's state, and in its gradient.

Source: Bengio et al., Learning long-term dependencies with gradient descent is difficult, IEEE Transactions on Neural
Networks 5 (1994), whose latch problem this is with more than two classes.
"""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np

from stages.datasets.format import SPLITS, Description, describe, write_symbols
from stages.datasets.write import write_rows
from stages.project.files import read_json


def prepare_copy(
    folder: Path, raw: Path, length: int, limit: int, symbols: list[str], provenance: dict[str, Any]
) -> Description:
    """Draw the splits into `folder`, in the prepared format: `length` symbols each, evenly, and the first as target.

    Args:
        folder: is there, and empty.
        raw: holds `copy.json`, with the sequences of each split.
        length: of a sequence, 1 and above.
        limit: draw that many of each split at most, 0: all.
        symbols: that sequences are drawn from.
        provenance: of the task.
    """
    rows = read_json(raw / "copy.json")["rows"]
    for number, split in enumerate(SPLITS):
        count = min(rows[split], limit or rows[split])
        sequences = np.random.default_rng([number, length]).integers(len(symbols), size=(count, length))
        write_symbols(folder, split, sequences, sequences[:, 0], len(symbols))
        names = ((hashlib.sha256(row.tobytes()).hexdigest(), f"{split}-{at:06}") for at, row in enumerate(sequences))
        write_rows(folder, split, names)
    return describe(folder, "sequences", symbols, [], [], provenance)
