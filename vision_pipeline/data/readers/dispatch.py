"""Open a raw folder with the reader for its format."""

from collections.abc import Callable
from pathlib import Path

from vision_pipeline.core.logging import logger
from vision_pipeline.data.readers.cifar import read_cifar
from vision_pipeline.data.readers.idx import read_idx
from vision_pipeline.data.readers.parquet import read_parquet
from vision_pipeline.data.readers.raw import RawDataset, corrupt_file_error, read_raw_provenance
from vision_pipeline.data.readers.zip_reader import read_zip

_READERS: dict[str, Callable[[Path, list[str]], RawDataset]] = {
    "idx": read_idx,
    "cifar-binary": read_cifar,
    "zip": read_zip,
    "parquet": read_parquet,
}


def open_raw_dataset(folder: Path) -> RawDataset:
    """Open the raw data set of `folder` with the reader for the format that its `provenance.json` names.

    Raises:
        DataError: a file is missing or damaged, the format is unknown, or two classes have one name.
    """
    provenance = read_raw_provenance(folder)
    reader = _READERS.get(provenance["format"])
    if reader is None:
        supported = ", ".join(_READERS)
        raise corrupt_file_error(folder / "provenance.json", f"format {provenance['format']!r}; known: {supported}")
    raw = reader(folder, [str(name) for name in provenance.get("class_names") or []])
    if repeated := {name for name in raw.class_names if raw.class_names.count(name) > 1}:
        raise corrupt_file_error(folder / "provenance.json", f"two classes have the name {min(repeated)!r}")
    logger.debug(f"{folder}: {raw.count} images in the format {provenance['format']}")
    return raw
