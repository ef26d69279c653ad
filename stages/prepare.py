"""Prepare a data set: raw images to arrays, with duplicates, leaks and broken files left out and listed."""

from typing import Any

from stages.datasets.clean import clean
from stages.datasets.format import describe
from stages.datasets.raw import raw_provenance
from stages.datasets.readers import read_raw
from stages.datasets.scan import scan
from stages.datasets.split import limited, split
from stages.datasets.statistics import mean_and_std
from stages.datasets.summary import report
from stages.datasets.write import write_images, write_rejects
from stages.params.load import load
from stages.project.door import open_door
from stages.project.files import replacing_folder
from stages.project.paths import PREPARED, RAW


def main(name: str) -> None:
    """Read `data/raw/<name>/`, write `data/prepared/<name>/`."""
    limit, settings = load("data.limit", f"datasets.{name}.prepare")
    raw = read_raw(RAW / name)
    found = scan(raw, settings.size, settings.channels)
    kept, dropped = clean(found.rows)
    splits = split(limited(kept, limit), settings.validation, settings.test, raw.class_names)
    with replacing_folder(PREPARED / name) as folder:
        train = write_images(folder, raw, found.fitted, splits, settings.size, settings.channels)
        write_rejects(folder / "rejects.csv", found.rejects + dropped)
        mean, std = mean_and_std(train)
        provenance = known_provenance(raw_provenance(RAW / name))
        about = describe(folder, "images", raw.class_names, mean, std, provenance)
    report(name, about, len(found.rejects) + len(dropped))


def known_provenance(raw: dict[str, Any]) -> dict[str, Any]:
    """The raw data's provenance without its list of files."""
    return {key: raw[key] for key in ("name", "status", "source", "digest", "licence", "note") if key in raw}


if __name__ == "__main__":
    open_door(main, __doc__, "a data set of params.yaml")
