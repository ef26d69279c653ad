"""What prepare tells the person at the terminal."""

from stages.datasets.format import Description
from stages.project.console import say, warn

_IMBALANCED = 1.5  # largest class of train to the smallest


def report(name: str, about: Description, rejected: int) -> None:
    """Print counts per class and split, how many images were left out, and how even the classes are."""
    for line in _table(about):
        say(line)
    if bits := about.provenance.get("grey_bits"):
        say(f"grey images of 16 bits use {bits} of them: 0 to {2**bits - 1:,} is scaled to 0 to 255")
    if rejected:
        say(f"{rejected} images left out: see data/prepared/{name}/rejects.csv")
    report_balance(about.counts["train"])


def report_text(name: str, about: Description) -> None:
    """Print how many symbols a text has, and which splits are held out."""
    counts = ", ".join(f"{sum(counts.values()):,} {split}" for split, counts in about.counts.items())
    say(f"{name}: {len(about.class_names)} different symbols; {counts}")
    if "not_held_out" in about.provenance:
        say(f"{name}: {about.provenance['note']}")


def report_balance(counts: dict[str, int]) -> None:
    """Print the largest and the smallest class of train; warn when they are far apart."""
    small, large = min(counts, key=lambda name: counts[name]), max(counts, key=lambda name: counts[name])
    if not counts[small]:
        warn(f"train: no example of class {small}, {counts[large]:,} of {large}; no model can learn what it never sees")
        return
    ratio = counts[large] / counts[small]
    line = f"train: largest class {large} {counts[large]:,}, smallest {small} {counts[small]:,}, ratio {ratio:.2f}"
    if ratio > _IMBALANCED:
        warn(f"{line}; `models.*.train.class_weights: balanced` in params.yaml lets rare classes weigh more")
    else:
        say(line)


def _table(about: Description) -> list[str]:
    width = max(len(name) for name in [*about.class_names, "total"])
    rows = [[name, *(f"{counts[name]:,}" for counts in about.counts.values())] for name in about.class_names]
    totals = ["total", *(f"{sum(counts.values()):,}" for counts in about.counts.values())]
    lines = [["class", *about.counts], *rows, totals]
    return ["  ".join([line[0].ljust(width), *(cell.rjust(9) for cell in line[1:])]) for line in lines]
