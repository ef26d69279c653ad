"""Prepare a data set: raw images or a text to arrays; duplicates, leaks and broken files are left out and listed."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from vision_pipeline.config.data import PrepareCopyConfig, PrepareImagesConfig, PrepareTextConfig
from vision_pipeline.config.fields import StrictModel
from vision_pipeline.config.load import load_params
from vision_pipeline.core.errors import ConfigError, UserError
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
    """Read `data/raw/<name>/` and write `data/prepared/<name>/`."""
    limit, settings = load_params("data.limit", f"datasets.{name}.prepare")
    raw_provenance = read_raw_provenance(RAW / name)
    provenance = strip_file_list(raw_provenance)
    _check_settings(name, raw_provenance["format"], settings)
    with atomic_dir(PREPARED / name) as folder:
        if isinstance(settings, PrepareTextConfig):
            info = prepare_text(folder, RAW / name, settings=settings, limit=limit, provenance=provenance)
            print_text_summary(name, info)
            write_rejects_csv(folder / "rejects.csv", [])
        elif isinstance(settings, PrepareCopyConfig):
            info = prepare_copy_task(
                folder,
                RAW / name,
                length=settings.length,
                limit=limit,
                vocabulary=raw_provenance["class_names"],
                provenance=provenance,
            )
            print_summary(name, info, 0)
            write_rejects_csv(folder / "rejects.csv", [])
        else:
            _prepare_images(name, folder, settings=settings, limit=limit, provenance=provenance)


def _check_settings(
    name: str, raw_format: str, settings: PrepareImagesConfig | PrepareTextConfig | PrepareCopyConfig
) -> None:
    """Check that the keys of `prepare` are those for the raw data; params.yaml alone does not show their format.

    Raises:
        ConfigError: the message names the keys.
    """
    sections: dict[str, type[StrictModel]] = {"text": PrepareTextConfig, "copy": PrepareCopyConfig}
    expected_type = sections.get(raw_format, PrepareImagesConfig)
    if not isinstance(settings, expected_type):
        keys = ", ".join(expected_type.model_fields)
        raise ConfigError(
            f"datasets.{name}.prepare does not fit the data, of the format {raw_format}; its keys are: {keys}"
        )


def _prepare_images(
    name: str, folder: Path, *, settings: PrepareImagesConfig, limit: int, provenance: dict[str, Any]
) -> None:
    raw = open_raw_dataset(RAW / name)
    scan_result = decode_and_hash(raw, settings.size, settings.channels)
    kept, dropped = drop_duplicates_and_leaks(scan_result.rows)
    rejects = [*scan_result.rejects, *dropped, *(RejectedImage(*row) for row in read_left_out(RAW / name))]
    selected = subsample(kept, limit)
    with _save_rejects_on_error(rejects, PREPARED / f"{name}.rejects.csv") as rejects_file:
        check_class_coverage(kept, rejects, raw.class_names, rejects_file)
        splits = stratified_split(selected, settings.validation, settings.test)
    train = write_images(
        folder,
        raw,
        resized=scan_result.resized,
        splits=splits,
        size=settings.size,
        channels=settings.channels,
        bits=scan_result.bits,
    )
    write_rejects_csv(folder / "rejects.csv", rejects)
    mean, std = channel_mean_std(train)
    provenance |= {"grey_bits": scan_result.bits} if scan_result.bits else {}
    info = write_info(folder, "images", raw.class_names, mean=mean, std=std, provenance=provenance)
    print_summary(name, info, len(rejects))


@contextmanager
def _save_rejects_on_error(rejects: list[RejectedImage], path: Path) -> Iterator[Path]:
    """Yield `path`; when the block raises a UserError, write the rejects there, which may be the cause.

    The file is beside the data set's folder: DVC would not replace it in the folder without `--force`.
    """
    path.unlink(missing_ok=True)
    try:
        yield path
    except UserError as error:
        write_rejects_csv(path, rejects)
        reason = "" if str(path) in str(error) else summarize_rejects(rejects, path)
        raise type(error)(f"{error}{reason}") from error


def strip_file_list(provenance: dict[str, Any]) -> dict[str, Any]:
    """Return the raw data's provenance without its list of files."""
    return {
        key: provenance[key] for key in ("name", "status", "source", "digest", "licence", "note") if key in provenance
    }


if __name__ == "__main__":
    run_stage(main, __doc__, "a data set of params.yaml")
