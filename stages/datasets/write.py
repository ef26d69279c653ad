"""The second pass: the chosen images decoded again, fitted and written straight to their rows on disk."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from stages.datasets.decode import fit
from stages.datasets.format import Split, array_file, write_targets
from stages.datasets.raw import RawSet
from stages.datasets.scan import Content, Reject, Row, pixels_of
from stages.datasets.workers import in_chunks
from stages.project.console import bar
from stages.project.files import write_csv

Place = tuple[Split, int]


def write_images(
    folder: Path,
    raw: RawSet,
    fitted: dict[int, np.ndarray],
    splits: dict[Split, list[Row]],
    size: int,
    channels: int,
    bits: int | None,
) -> np.ndarray:
    """Write `inputs.npy`, `targets.npy` and `rows.csv` of every split; gives the inputs of train.

    Images come from `fitted`, else from `raw`, with the scan's `bits`. Pixels go through memory maps, so the memory
    in use does not grow with the number of images.
    """
    arrays = {
        name: array_file(folder, name, len(rows), [size, size, channels], "images") for name, rows in splits.items()
    }
    places: dict[int, Place] = {
        row.index: (name, place) for name, rows in splits.items() for place, row in enumerate(rows)
    }

    def write_chunk(chunk: Sequence[tuple[Place, Content]]) -> int:
        for (name, place), content in chunk:
            arrays[name][place] = fit(pixels_of(content, bits), size, channels)
        return len(chunk)

    with bar(len(places), "write") as shown:
        for count in in_chunks(write_chunk, _chosen(raw, fitted, places)):
            shown.update(count)
    for name, rows in splits.items():
        write_targets(folder, name, np.array([row.label for row in rows]))
        write_rows(folder, name, ((row.hash, row.name) for row in rows))
    return arrays["train"]


def write_rows(folder: Path, split: Split, rows: Iterable[tuple[str, str]]) -> None:
    """Write `rows.csv` of a split: the hash of each row's content, and its name in the source."""
    write_csv(folder / split / "rows.csv", ("hash", "name"), rows)


def write_rejects(path: Path, rejects: list[Reject]) -> None:
    """Write `rejects.csv`: file and reason, sorted."""
    write_csv(path, ("file", "reason"), sorted((reject.file, reject.reason) for reject in rejects))


def _chosen(raw: RawSet, fitted: dict[int, np.ndarray], places: dict[int, Place]) -> Iterator[tuple[Place, Content]]:
    if fitted:
        yield from ((place, fitted[index]) for index, place in places.items())
        return
    for index, item in enumerate(raw.items()):
        if index in places:
            yield places[index], item.read()
