"""Which reader a raw folder needs."""

from collections.abc import Callable
from pathlib import Path

from stages.datasets.archive import read_zip
from stages.datasets.cifar import read_cifar
from stages.datasets.idx import read_idx
from stages.datasets.parquet import read_parquet
from stages.datasets.raw import RawSet, damaged, raw_provenance

_READERS: dict[str, Callable[[Path, list[str]], RawSet]] = {
    "idx": read_idx,
    "cifar-binary": read_cifar,
    "zip": read_zip,
    "parquet": read_parquet,
}


def read_raw(folder: Path) -> RawSet:
    """Open the raw data set of `folder` with the reader for the format that its `provenance.json` names.

    Raises:
        Refusal: a file is missing or damaged, the format is not known, or two classes have one name.
    """
    provenance = raw_provenance(folder)
    reader = _READERS.get(provenance["format"])
    if reader is None:
        known = ", ".join(_READERS)
        raise damaged(folder / "provenance.json", f"format {provenance['format']!r}; known: {known}")
    raw = reader(folder, [str(name) for name in provenance.get("class_names") or []])
    if twice := {name for name in raw.class_names if raw.class_names.count(name) > 1}:
        raise damaged(folder / "provenance.json", f"two classes have the name {min(twice)!r}")
    return raw
