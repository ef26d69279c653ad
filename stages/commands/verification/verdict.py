"""Whether what was made again is what was recorded: by MD5, else by test accuracy."""

from collections.abc import Sequence
from dataclasses import dataclass

from stages.commands.verification.band import Band, band_of
from stages.commands.verification.causes import causes, other_inputs
from stages.commands.verification.line_ends import likely_cause
from stages.commands.verification.record import Record

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
    band: Band
    causes: list[str]

    def of(self, output: Output) -> str:
        """What is said of one output."""
        return IDENTICAL if output.identical else WITHIN if self.status == WITHIN else DIFFERENT


def judge(name: str, kinds: Sequence[str], commit: str, before: Record, after: Record) -> Verdict:
    """The verdict on the model `name`, whose stages `kinds` were run again.

    Params or data that are not the recorded ones make it different, whatever came out: the record tells of another
    training. So do reports in git that are not those of dvc.lock. Other code, packages or hardware may still give a
    figure within the band.
    """
    stages = [f"{kind}@{name}" for kind in kinds]
    outputs = _outputs(stages, before, after)
    metrics = (before.reports[name]["metrics"], after.reports[name]["metrics"])
    accuracy, band = (metrics[0]["accuracy"], metrics[1]["accuracy"]), band_of(metrics[0])
    same = all(output.identical for output in outputs)
    inputs = other_inputs(stages, before, after)
    strays = [f"{path} in git is not what dvc.lock has" for path in before.strays[name] if path not in before.converted]
    if inputs.params or inputs.data or strays:
        status = DIFFERENT
    elif same:
        status = IDENTICAL
    else:
        status = WITHIN if band.has(accuracy[1]) else DIFFERENT
    told = [] if same else causes(name, commit, "train" in kinds, before, after)
    read = {path for stage in stages for side in ("deps", "outs") for path in before.lock.hashes(stage, side)}
    told = [*likely_cause(sorted(read & before.converted)), *inputs.told(), *strays, *told]
    return Verdict(name, status, outputs, accuracy, band, told or [_UNKNOWN] * (not same))


_UNKNOWN = "nothing that is recorded differs: a package that is not in requirements.lock, or a stage that draws anew"


def judge_data(stages: Sequence[str], before: Record, after: Record) -> list[Output]:
    """The outputs of those stages that are no model's, which were run because DVC's cache lacks them."""
    return _outputs([name for name in stages if not name.startswith(("train@", "evaluate@", "export@"))], before, after)


def _outputs(stages: Sequence[str], before: Record, after: Record) -> list[Output]:
    found = []
    for stage in stages:
        here = after.lock.hashes(stage, "outs")
        found += [Output(path, md5, here.get(path)) for path, md5 in before.lock.hashes(stage, "outs").items()]
    return found
