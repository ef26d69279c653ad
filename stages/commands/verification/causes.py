"""What differs between a training that a commit records and the one made again from it here."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from stages.commands.verification.record import Record, trained_with
from stages.project.nested import flat
from stages.project.requirements import other_versions
from stages.project.versions import versions
from stages.tracking.lineage import RAN_ON

# of train.json: what a training's key is made of, beside the params, which dvc.lock has
_FACTS = ("seed", "data", "code", "synthetic", *RAN_ON)
_SHOWN = 6  # packages


@dataclass(frozen=True)
class Inputs:
    """What the stages read here and is not what dvc.lock says that they have read; a line each."""

    params: list[str]
    data: list[str]
    code: list[str]

    def told(self) -> list[str]:
        """All of them."""
        return [*self.params, *self.data, *self.code]


def other_inputs(stages: Sequence[str], before: Record, after: Record) -> Inputs:
    """Compare what dvc.lock recorded with what the stages were given in the clone.

    Args:
        stages: that were run again; what they hand to one another is no input, nor are other line ends.
        before: of the commit.
        after: of the clone once they have run.
    """
    own = before.converted | {path for stage in stages for path in before.lock.hashes(stage, "outs")}
    params: dict[str, None] = {}
    files: dict[str, None] = {}
    for stage in stages:
        params |= dict.fromkeys(_params(before.lock.params(stage), after.lock.params(stage)))
        read, recorded = after.lock.hashes(stage, "deps"), before.lock.hashes(stage, "deps")
        files |= {path: None for path in read | recorded if path not in own and read.get(path) != recorded.get(path)}
    data = [path for path in files if not path.startswith("stages/")]
    return Inputs(
        list(params),
        [f"data: {path} is not what dvc.lock has" for path in data],
        [f"code: {path} is not what dvc.lock was made with" for path in files if path not in data],
    )


def _params(recorded: dict[str, Any], here: dict[str, Any]) -> Iterator[str]:
    old, new = flat(recorded), flat(here)
    for key in dict.fromkeys([*old, *new]):
        if old.get(key) != new.get(key):
            yield f"{key}: {old.get(key, 'none')} in dvc.lock, {new.get(key, 'none')} in params.yaml"


def causes(name: str, commit: str, trained: bool, before: Record, after: Record) -> list[str]:
    """What of hardware, settings and packages differs here from what a model records; one line each.

    Args:
        name: of the model.
        commit: that records it.
        trained: whether it was trained here, so that its `train.json` is of here.
        before: of the commit.
        after: of the clone once the stages have run.
    """
    recorded = before.reports[name]["train"]
    here = after.reports[name]["train"] if trained else _facts_here(after.params)
    told = [
        f"{fact}: {recorded[fact]} in the commit's train.json, {here[fact]} here"
        for fact in _FACTS
        if fact in recorded and fact in here and recorded[fact] != here[fact]
    ]
    if recorded.get("deterministic") is False:
        told.append("deterministic: false in the commit's train.json, so that each training may end in other bits")
    return [*told, *_packages(trained_with(name, commit), before.requirements)]


def _facts_here(params: dict[str, Any]) -> dict[str, Any]:
    """Of this machine as a test uses it: its precision is always fp32 and tells nothing."""
    from stages.compute.device import set_up

    facts = set_up(params["device"], "fp32", params["threads"], convolutions=False).facts()
    return {fact: facts[fact] for fact in ("device", "machine", "threads")}


def _packages(trained: dict[str, str] | None, requirements: str) -> Iterator[str]:
    """Those that a checkpoint names, then those of requirements.lock, which also draw its pictures."""
    here = versions()
    if trained is None:
        yield "packages: unknown, for the commit's checkpoint cannot be read, as where DVC's cache lacks it"
    for package, version in (trained or {}).items():
        if version != here.get(package):
            yield f"{package}: {version} in the commit's checkpoint, {here.get(package, 'none')} here"
    others = {package: both for package, both in other_versions(requirements).items() if package not in here}
    shown = [f"{package} {found or 'missing'} ({wanted})" for package, (wanted, found) in others.items()]
    if shown:
        more = f" and {len(shown) - _SHOWN} more" if len(shown) > _SHOWN else ""
        yield f"packages that are not as in requirements.lock: {', '.join(shown[:_SHOWN])}{more}"
