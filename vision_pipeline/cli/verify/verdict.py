"""Where the test accuracy of one more training of a model may lie."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from vision_pipeline.cli.verify.causes import compare_inputs, find_causes
from vision_pipeline.cli.verify.snapshot import CloneSnapshot
from vision_pipeline.vcs.line_ends import explain_line_ends

_TOLERANCE = 1e-6  # of the figures in metrics.json


@dataclass(frozen=True)
class PredictionInterval:
    """An interval of test accuracy, both ends included, and by what it is known."""

    low: float
    high: float
    basis: str

    def contains(self, accuracy: float) -> bool:
        """Whether it lies inside."""
        return self.low - _TOLERANCE <= accuracy <= self.high + _TOLERANCE


def make_prediction_interval(metrics: dict[str, Any]) -> PredictionInterval:
    """The 95 % band of a model's `metrics.json`.

    Of several seeds the prediction interval for one more, mean ± t · sd · √(1 + 1/n), which is wide for few: with three
    seeds five standard deviations to each side. Of one seed no spread is known; the Wilson interval, which is what the
    choice of the test items would change, stands in for it.

    Source: Hahn, Factors for calculating two-sided prediction intervals, JASA 64 (1969).
    """
    count = metrics.get("seeds", 1)
    if count < 2:
        return PredictionInterval(
            metrics["accuracy_low"], metrics["accuracy_high"], "one seed: its 95 % Wilson interval"
        )
    from vision_pipeline.evaluation.seeds import t_critical

    half_width = t_critical(count - 1) * metrics["accuracy_mean_sd"] * (1 + 1 / count) ** 0.5
    mean = metrics["accuracy_mean"]
    return PredictionInterval(
        max(mean - half_width, 0.0), min(mean + half_width, 1.0), f"{count} seeds: where one more is expected, 95 %"
    )


# MERGED Whether what was made again is what was recorded: by MD5, else by test accuracy.
IDENTICAL, WITHIN, DIFFERENT = "identical", "within the seed band", "different"


@dataclass(frozen=True)
class Output:
    """An output of dvc.lock: the MD5 recorded, and that of what was made here, None where nothing was."""

    path: str
    recorded: str
    here: str | None

    @property
    def identical(self) -> bool:
        """Whether it has the recorded bytes."""
        return self.recorded == self.here


@dataclass(frozen=True)
class Verdict:
    """On a model.

    Attributes:
        model: its name.
        status: the worst of its outputs: `IDENTICAL`, `WITHIN` or `DIFFERENT`.
        outputs: of its stages.
        accuracy: on the test set, as recorded and here.
        band: where the accuracy may lie that is not the recorded one.
        causes: what differs here from what was recorded, and may be why; one line each.
    """

    model: str
    status: str
    outputs: list[Output]
    accuracy: tuple[float, float]
    band: PredictionInterval
    causes: list[str]

    def output_status(self, output: Output) -> str:
        """What is said of one output."""
        return IDENTICAL if output.identical else WITHIN if self.status == WITHIN else DIFFERENT


def compare_model(name: str, kinds: Sequence[str], commit: str, before: CloneSnapshot, after: CloneSnapshot) -> Verdict:
    """The verdict on the model `name`, whose stages `kinds` were run again.

    Params or data that are not the recorded ones make it different, whatever came out: the record tells of another
    training. So do reports in git that are not those of dvc.lock. Other code, packages or hardware may still give a
    figure within the band.
    """
    stages = [f"{kind}@{name}" for kind in kinds]
    outputs = _compare_outputs(stages, before, after)
    metrics = (before.reports[name]["metrics"], after.reports[name]["metrics"])
    accuracy, band = (metrics[0]["accuracy"], metrics[1]["accuracy"]), make_prediction_interval(metrics[0])
    same = all(output.identical for output in outputs)
    inputs = compare_inputs(stages, before, after)
    modified = [
        f"{path} in git is not what dvc.lock has"
        for path in before.modified_outputs[name]
        if path not in before.converted
    ]
    if inputs.params or inputs.data or modified:
        status = DIFFERENT
    elif same:
        status = IDENTICAL
    else:
        status = WITHIN if band.contains(accuracy[1]) else DIFFERENT
    reasons = [] if same else find_causes(name, commit, "train" in kinds, before, after)
    recorded_paths = {path for stage in stages for side in ("deps", "outs") for path in before.lock.hashes(stage, side)}
    reasons = [*explain_line_ends(sorted(recorded_paths & before.converted)), *inputs.to_lines(), *modified, *reasons]
    return Verdict(name, status, outputs, accuracy, band, reasons or [_UNKNOWN_CAUSE] * (not same))


_UNKNOWN_CAUSE = (
    "nothing that is recorded differs: a package that is not in requirements.lock, or a stage that draws anew"
)


def compare_data(stages: Sequence[str], before: CloneSnapshot, after: CloneSnapshot) -> list[Output]:
    """The outputs of those stages that are no model's, which were run because DVC's cache lacks them."""
    return _compare_outputs(
        [name for name in stages if not name.startswith(("train@", "evaluate@", "export@"))], before, after
    )


def _compare_outputs(stages: Sequence[str], before: CloneSnapshot, after: CloneSnapshot) -> list[Output]:
    outputs = []
    for stage in stages:
        here = after.lock.hashes(stage, "outs")
        outputs += [Output(path, md5, here.get(path)) for path, md5 in before.lock.hashes(stage, "outs").items()]
    return outputs
