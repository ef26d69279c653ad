"""The verdict on a model: identical by MD5, else within the prediction interval of its accuracy, else different."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from vision_pipeline.cli.verify.causes import compare_inputs, find_causes
from vision_pipeline.cli.verify.snapshot import CloneSnapshot
from vision_pipeline.vcs.line_ends import explain_line_ends

IDENTICAL, WITHIN, DIFFERENT = "identical", "within the seed band", "different"
_TOLERANCE = 1e-6  # metrics.json has rounded figures
_UNKNOWN_CAUSE = (
    "nothing that is recorded differs: a package that is not in requirements.lock, or a stage that draws anew"
)


@dataclass(frozen=True)
class PredictionInterval:
    """An interval of test accuracy, both ends included, and what it is computed from."""

    low: float
    high: float
    basis: str

    def contains(self, accuracy: float) -> bool:
        """Return whether an accuracy lies inside."""
        return self.low - _TOLERANCE <= accuracy <= self.high + _TOLERANCE


def make_prediction_interval(metrics: dict[str, Any]) -> PredictionInterval:
    """Return the 95 % interval of the test accuracy of one more training of a model.

    With several seeds it is the prediction interval for one more, mean ± t · sd · √(1 + 1/n), which is wide for few
    seeds: five standard deviations to each side with three. With one seed the spread is unknown; the Wilson interval,
    which is the effect of the choice of test items, is taken instead.

    Args:
        metrics: content of the model's `metrics.json`.

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


@dataclass(frozen=True)
class Output:
    """An output of dvc.lock: the recorded MD5, and that of the output here, None where there is none."""

    path: str
    recorded: str
    here: str | None

    @property
    def identical(self) -> bool:
        """Return whether the output has the recorded bytes."""
        return self.recorded == self.here


@dataclass(frozen=True)
class Verdict:
    """The verdict on a model.

    Attributes:
        model: name of the model.
        status: the worst of its outputs: `IDENTICAL`, `WITHIN` or `DIFFERENT`.
        outputs: outputs of its stages.
        accuracy: test accuracy, recorded and here.
        band: interval in which another accuracy than the recorded one may lie.
        causes: differences that may have caused another result; one line each.
    """

    model: str
    status: str
    outputs: list[Output]
    accuracy: tuple[float, float]
    band: PredictionInterval
    causes: list[str]

    def output_status(self, output: Output) -> str:
        """Return the status of one output."""
        return IDENTICAL if output.identical else WITHIN if self.status == WITHIN else DIFFERENT


def compare_model(
    name: str, kinds: Sequence[str], *, commit: str, before: CloneSnapshot, after: CloneSnapshot
) -> Verdict:
    """Return the verdict on a model whose stages were run again.

    Params or data that differ from the recorded ones make it different, whatever the result: the record is of another
    training. So do reports in git that differ from dvc.lock. Other code, packages or hardware may still give an
    accuracy within the band.

    Args:
        name: name of the model.
        kinds: stages that were run again: "train", "evaluate", "export".
        commit: commit that records the model.
        before: snapshot of the commit.
        after: snapshot of the clone once the stages have run.
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
    reasons = [] if same else find_causes(name, commit, was_trained="train" in kinds, before=before, after=after)
    recorded_paths = {path for stage in stages for side in ("deps", "outs") for path in before.lock.hashes(stage, side)}
    reasons = [*explain_line_ends(sorted(recorded_paths & before.converted)), *inputs.to_lines(), *modified, *reasons]
    return Verdict(name, status, outputs, accuracy, band, reasons or [_UNKNOWN_CAUSE] * (not same))


def compare_data(stages: Sequence[str], before: CloneSnapshot, after: CloneSnapshot) -> list[Output]:
    """Return the outputs of the stages of data, which were run because DVC's cache lacks them."""
    return _compare_outputs(
        [name for name in stages if not name.startswith(("train@", "evaluate@", "export@"))], before, after
    )


def _compare_outputs(stages: Sequence[str], before: CloneSnapshot, after: CloneSnapshot) -> list[Output]:
    outputs = []
    for stage in stages:
        here = after.lock.hashes(stage, "outs")
        outputs += [Output(path, md5, here.get(path)) for path, md5 in before.lock.hashes(stage, "outs").items()]
    return outputs
