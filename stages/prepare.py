"""Prepare a data set: raw images to arrays, with duplicates, leaks and broken files left out and listed; texts too."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from vision_pipeline.config.data import PrepareCopyConfig, PrepareImagesConfig, PrepareTextConfig
from vision_pipeline.config.fields import StrictModel
from vision_pipeline.config.load import load_params
from vision_pipeline.core.errors import UserError
from vision_pipeline.core.files import atomic_dir
from vision_pipeline.core.paths import PREPARED, RAW
from vision_pipeline.core.stage_main import run_stage
from vision_pipeline.data.deduplicate import drop_duplicates_and_leaks
from vision_pipeline.data.format import write_info
from vision_pipeline.data.ingest import RejectedImage, decode_and_hash, write_images, write_rejects_csv
from vision_pipeline.data.prepare_report import (
    check_class_coverage,
    print_summary,
    print_text_summary,
    summarize_rejects,
)
from vision_pipeline.data.readers.dispatch import open_raw_dataset
from vision_pipeline.data.readers.raw import read_left_out, read_raw_provenance
from vision_pipeline.data.splits import stratified_split, subsample
from vision_pipeline.data.statistics import channel_mean_std
from vision_pipeline.data.token_datasets import prepare_copy_task, prepare_text


def main(name: str) -> None:
    """Read `data/raw/<name>/`, write `data/prepared/<name>/`."""
    limit, settings = load_params("data.limit", f"datasets.{name}.prepare")
    provenance = read_raw_provenance(RAW / name)
    _check_settings(name, provenance["format"], settings)
    with atomic_dir(PREPARED / name) as folder:
        if isinstance(settings, PrepareTextConfig):
            print_text_summary(name, prepare_text(folder, RAW / name, settings, limit, strip_file_list(provenance)))
            write_rejects_csv(folder / "rejects.csv", [])
        elif isinstance(settings, PrepareCopyConfig):
            task_args = (RAW / name, settings.length, limit, provenance["class_names"], strip_file_list(provenance))
            print_summary(name, prepare_copy_task(folder, *task_args), 0)
            write_rejects_csv(folder / "rejects.csv", [])
        else:
            _prepare_images(name, folder, settings, limit, strip_file_list(provenance))


def _check_settings(
    name: str, raw_format: str, settings: PrepareImagesConfig | PrepareTextConfig | PrepareCopyConfig
) -> None:
    """A catalogue entry alone tells whether its data are images."""
    sections: dict[str, type[StrictModel]] = {"text": PrepareTextConfig, "copy": PrepareCopyConfig}
    expected_type = sections.get(raw_format, PrepareImagesConfig)
    if not isinstance(settings, expected_type):
        keys = ", ".join(expected_type.model_fields)
        raise UserError(
            f"datasets.{name}.prepare does not fit the data, of the format {raw_format}; its keys are: {keys}"
        )


def _prepare_images(
    name: str, folder: Path, settings: PrepareImagesConfig, limit: int, provenance: dict[str, Any]
) -> None:
    raw = open_raw_dataset(RAW / name)
    scan_result = decode_and_hash(raw, settings.size, settings.channels)
    kept, dropped = drop_duplicates_and_leaks(scan_result.rows)
    rejects = [*scan_result.rejects, *dropped, *(RejectedImage(*row) for row in read_left_out(RAW / name))]
    selected = subsample(kept, limit)
    with _save_rejects_on_error(rejects, PREPARED / f"{name}.rejects.csv") as rejects_file:
        check_class_coverage(kept, rejects, raw.class_names, rejects_file)
        splits = stratified_split(selected, settings.validation, settings.test)
    train = write_images(folder, raw, scan_result.resized, splits, settings.size, settings.channels, scan_result.bits)
    write_rejects_csv(folder / "rejects.csv", rejects)
    mean, std = channel_mean_std(train)
    provenance |= {"grey_bits": scan_result.bits} if scan_result.bits else {}
    print_summary(name, write_info(folder, "images", raw.class_names, mean, std, provenance), len(rejects))


@contextmanager
def _save_rejects_on_error(rejects: list[RejectedImage], path: Path) -> Iterator[Path]:
    """Yield `path`; where the block refuses the data, write the rejects there, which may be why.

    It lies beside the data set's folder: in there DVC would not replace it without `--force`.
    """
    path.unlink(missing_ok=True)
    try:
        yield path
    except UserError as error:
        write_rejects_csv(path, rejects)
        reason = "" if str(path) in str(error) else summarize_rejects(rejects, path)
        raise UserError(f"{error}{reason}") from error


def strip_file_list(provenance: dict[str, Any]) -> dict[str, Any]:
    """The raw data's provenance without its list of files."""
    return {
        key: provenance[key] for key in ("name", "status", "source", "digest", "licence", "note") if key in provenance
    }


if __name__ == "__main__":
    run_stage(main, __doc__, "a data set of params.yaml")
