"""Prepare a data set: raw images to arrays, with duplicates, leaks and broken files left out and listed; texts too."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from stages.datasets.clean import clean
from stages.datasets.complete import check_complete, reasons
from stages.datasets.copying import prepare_copy
from stages.datasets.format import describe
from stages.datasets.raw import left_out, raw_provenance
from stages.datasets.readers import read_raw
from stages.datasets.scan import Reject, scan
from stages.datasets.split import limited, split
from stages.datasets.statistics import mean_and_std
from stages.datasets.summary import report, report_text
from stages.datasets.text import prepare_text
from stages.datasets.write import write_images, write_rejects
from stages.params.data import Prepare, PrepareCopy, PrepareText
from stages.params.fields import Strict
from stages.params.load import load
from stages.project.console import Refusal
from stages.project.door import open_door
from stages.project.files import replacing_folder
from stages.project.paths import PREPARED, RAW


def main(name: str) -> None:
    """Read `data/raw/<name>/`, write `data/prepared/<name>/`."""
    limit, settings = load("data.limit", f"datasets.{name}.prepare")
    about = raw_provenance(RAW / name)
    _check(name, about["format"], settings)
    with replacing_folder(PREPARED / name) as folder:
        if isinstance(settings, PrepareText):
            report_text(name, prepare_text(folder, RAW / name, settings, limit, known_provenance(about)))
            write_rejects(folder / "rejects.csv", [])
        elif isinstance(settings, PrepareCopy):
            rows = (RAW / name, settings.length, limit, about["class_names"], known_provenance(about))
            report(name, prepare_copy(folder, *rows), 0)
            write_rejects(folder / "rejects.csv", [])
        else:
            _images(name, folder, settings, limit, known_provenance(about))


def _check(name: str, found: str, settings: Prepare | PrepareText | PrepareCopy) -> None:
    """A catalogue entry alone tells whether its data are images."""
    sections: dict[str, type[Strict]] = {"text": PrepareText, "copy": PrepareCopy}
    wanted = sections.get(found, Prepare)
    if not isinstance(settings, wanted):
        keys = ", ".join(wanted.model_fields)
        raise Refusal(f"datasets.{name}.prepare does not fit the data, of the format {found}; its keys are: {keys}")


def _images(name: str, folder: Path, settings: Prepare, limit: int, provenance: dict[str, Any]) -> None:
    raw = read_raw(RAW / name)
    found = scan(raw, settings.size, settings.channels)
    kept, dropped = clean(found.rows)
    rejects = [*found.rejects, *dropped, *(Reject(*row) for row in left_out(RAW / name))]
    chosen = limited(kept, limit)
    with _listing(rejects, PREPARED / f"{name}.rejects.csv") as listed:
        check_complete(kept, rejects, raw.class_names, listed)
        splits = split(chosen, settings.validation, settings.test)
    train = write_images(folder, raw, found.fitted, splits, settings.size, settings.channels, found.bits)
    write_rejects(folder / "rejects.csv", rejects)
    mean, std = mean_and_std(train)
    provenance |= {"grey_bits": found.bits} if found.bits else {}
    report(name, describe(folder, "images", raw.class_names, mean, std, provenance), len(rejects))


@contextmanager
def _listing(rejects: list[Reject], path: Path) -> Iterator[Path]:
    """Yield `path`; where the block refuses the data, write the rejects there, which may be why.

    It lies beside the data set's folder: in there DVC would not replace it without `--force`.
    """
    path.unlink(missing_ok=True)
    try:
        yield path
    except Refusal as refusal:
        write_rejects(path, rejects)
        reason = "" if str(path) in str(refusal) else reasons(rejects, path)
        raise Refusal(f"{refusal}{reason}") from refusal


def known_provenance(raw: dict[str, Any]) -> dict[str, Any]:
    """The raw data's provenance without its list of files."""
    return {key: raw[key] for key in ("name", "status", "source", "digest", "licence", "note") if key in raw}


if __name__ == "__main__":
    open_door(main, __doc__, "a data set of params.yaml")
