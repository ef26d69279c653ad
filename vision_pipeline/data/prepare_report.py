"""Report what prepare kept and left out, and check that every class has images."""

from collections import Counter
from collections.abc import Collection, Sequence
from pathlib import Path

from vision_pipeline.core.errors import DataError
from vision_pipeline.core.logging import logger
from vision_pipeline.core.text import join_limited
from vision_pipeline.data.format import DatasetInfo
from vision_pipeline.data.ingest import ImageRecord, RejectedImage
from vision_pipeline.data.readers.raw import SourceSplit

_MAX_LISTED_CLASSES = 5  # classes in a message
_IMBALANCE_RATIO = 1.5  # largest class of train to the smallest, above which a warning is logged


def check_class_coverage(
    rows: Sequence[ImageRecord], rejects: Sequence[RejectedImage], class_names: Sequence[str], rejects_path: Path
) -> None:
    """Check that every class has an image to train on, and the source's test part any image.

    A class that lost all images of the test part is logged as a warning.

    Args:
        rows: images that are kept.
        rejects: images that are left out.
        class_names: names by label.
        rejects_path: the `rejects.csv` that will name the rejects.

    Raises:
        DataError: the message names the classes, why their images were left out, and the file.
    """
    if missing_train := _find_empty_classes(rows, range(len(class_names)), "train"):
        reasons = summarize_rejects(_select_rejects(rejects, "train", missing_train), rejects_path)
        classes = _format_classes(missing_train, class_names)
        raise DataError(f"{classes} no image to train on{reasons}; add images or drop the class")
    rejected_test_labels = {
        reject.label for reject in rejects if reject.source_split == "test" and reject.label is not None
    }
    if missing_test := _find_empty_classes(rows, rejected_test_labels, "test"):
        reasons = summarize_rejects(_select_rejects(rejects, "test", missing_test), rejects_path)
        if not any(row.source_split == "test" for row in rows):
            raise DataError(f"the test part of the source has no image{reasons}; add images or remove that part")
        logger.warning(f"{_format_classes(missing_test, class_names)} no image to be tested on{reasons}")


def summarize_rejects(rejects: Sequence[RejectedImage], rejects_path: Path) -> str:
    """Return the end of a sentence: the reasons why images were left out, with counts, and the file that lists them."""
    if not rejects:
        return ""
    counts = Counter(reject.reason.partition(":")[0] for reject in rejects)
    breakdown = ", ".join(f"{count:,} {reason}" for reason, count in counts.most_common())
    return f"; {len(rejects):,} left out ({breakdown}), see {rejects_path}"


def _find_empty_classes(rows: Sequence[ImageRecord], labels: Collection[int], source_split: SourceSplit) -> list[int]:
    present = {row.label for row in rows if row.source_split == source_split}
    return sorted(set(labels) - present)


def _select_rejects(
    rejects: Sequence[RejectedImage], source_split: SourceSplit, labels: Collection[int]
) -> list[RejectedImage]:
    return [reject for reject in rejects if reject.source_split == source_split and reject.label in labels]


def _format_classes(labels: Sequence[int], class_names: Sequence[str]) -> str:
    names = join_limited([repr(class_names[label]) for label in labels], _MAX_LISTED_CLASSES)
    return f"class {names} has" if len(labels) == 1 else f"classes {names} have"


def print_summary(name: str, info: DatasetInfo, num_rejected: int) -> None:
    """Log the counts per class and split, the number of images left out, and the balance of the classes."""
    for line in _format_table(info):
        logger.info(line)
    if bits := info.provenance.get("grey_bits"):
        logger.info(f"grey images of 16 bits use {bits} of them: 0 to {2**bits - 1:,} is scaled to 0 to 255")
    if num_rejected:
        logger.info(f"{num_rejected} images left out: see data/prepared/{name}/rejects.csv")
    print_class_balance(info.counts["train"])


def print_text_summary(name: str, info: DatasetInfo) -> None:
    """Log the number of symbols of a text, and which splits are not held out."""
    counts = ", ".join(f"{sum(counts.values()):,} {split}" for split, counts in info.counts.items())
    logger.info(f"{name}: {len(info.class_names)} different symbols; {counts}")
    if "not_held_out" in info.provenance:
        logger.info(f"{name}: {info.provenance['note']}")


def print_class_balance(counts: dict[str, int]) -> None:
    """Log the largest and the smallest class of train, as a warning when they differ much."""
    smallest, largest = min(counts, key=lambda name: counts[name]), max(counts, key=lambda name: counts[name])
    if not counts[smallest]:
        logger.warning(
            f"train: no example of class {smallest}, {counts[largest]:,} of {largest}; no model can learn what it "
            "never sees"
        )
        return
    ratio = counts[largest] / counts[smallest]
    line = (
        f"train: largest class {largest} {counts[largest]:,}, smallest {smallest} {counts[smallest]:,}, "
        f"ratio {ratio:.2f}"
    )
    if ratio > _IMBALANCE_RATIO:
        logger.warning(f"{line}; `models.*.train.class_weights: balanced` in params.yaml lets rare classes weigh more")
    else:
        logger.info(line)


def _format_table(info: DatasetInfo) -> list[str]:
    width = max(len(name) for name in [*info.class_names, "total"])
    rows = [[name, *(f"{counts[name]:,}" for counts in info.counts.values())] for name in info.class_names]
    totals = ["total", *(f"{sum(counts.values()):,}" for counts in info.counts.values())]
    lines = [["class", *info.counts], *rows, totals]
    return ["  ".join([line[0].ljust(width), *(cell.rjust(9) for cell in line[1:])]) for line in lines]
