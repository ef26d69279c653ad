"""Whether every class has images left, and what to say where one has none."""

from collections import Counter
from collections.abc import Collection, Sequence
from pathlib import Path

from stages.datasets.raw import Part
from stages.datasets.scan import Reject, Row
from stages.project.console import Refusal, warn

_NAMED = 5  # classes in a message


def check_complete(rows: Sequence[Row], rejects: Sequence[Reject], class_names: Sequence[str], listed: Path) -> None:
    """Refuse a data set of which a class has no image to train on, or the source's test part no image at all.

    A class that has no image left in the test part is worth a warning.

    Args:
        rows: images that are left.
        rejects: those that are not.
        class_names: by label.
        listed: the `rejects.csv` that will name the rejects.

    Raises:
        Refusal: the message names the classes, why their images were left out, and the file.
    """
    labels = range(len(class_names))
    if untrained := _without(rows, labels, "train"):
        left_out = reasons([reject for reject in rejects if _is_of(reject, "train", untrained)], listed)
        raise Refusal(f"{_named(untrained, class_names)} no image to train on{left_out}; add images or drop the class")
    tested = {reject.label for reject in rejects if reject.part == "test" and reject.label is not None}
    if untested := _without(rows, tested, "test"):
        left_out = reasons([reject for reject in rejects if _is_of(reject, "test", untested)], listed)
        if not any(row.part == "test" for row in rows):
            raise Refusal(f"the test part of the source has no image{left_out}; add images or remove that part")
        warn(f"{_named(untested, class_names)} no image to be tested on{left_out}")


def reasons(rejects: Sequence[Reject], listed: Path) -> str:
    """Return the end of a sentence: why images were left out, with counts, and where they are listed."""
    if not rejects:
        return ""
    counts = Counter(reject.reason.partition(":")[0] for reject in rejects)
    counted = ", ".join(f"{count:,} {reason}" for reason, count in counts.most_common())
    return f"; {len(rejects):,} left out ({counted}), see {listed}"


def _without(rows: Sequence[Row], labels: Collection[int], part: Part) -> list[int]:
    filled = {row.label for row in rows if row.part == part}
    return sorted(set(labels) - filled)


def _is_of(reject: Reject, part: Part, labels: Collection[int]) -> bool:
    return reject.part == part and reject.label in labels


def _named(labels: Sequence[int], class_names: Sequence[str]) -> str:
    names = ", ".join(repr(class_names[label]) for label in labels[:_NAMED])
    if len(labels) == 1:
        return f"class {names} has"
    return f"classes {names}" + (f" and {len(labels) - _NAMED:,} more" if len(labels) > _NAMED else "") + " have"
