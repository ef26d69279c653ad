"""What differs between a training that a commit records and the one made again from it here."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from vision_pipeline.cli.verify.snapshot import CloneSnapshot, checkpoint_versions
from vision_pipeline.core.dicts import flatten_dict
from vision_pipeline.core.system import find_version_mismatches, get_library_versions
from vision_pipeline.tracking.lineage import HARDWARE_FIELDS

# of train.json: what a training's key is made of, beside the params, which dvc.lock has
_COMPARED_FIELDS = ("seed", "data", "code", "synthetic", *HARDWARE_FIELDS)
_MAX_PACKAGES = 6  # packages


@dataclass(frozen=True)
class InputChanges:
    """What the stages read here and is not what dvc.lock says that they have read; a line each."""

    params: list[str]
    data: list[str]
    code: list[str]

    def to_lines(self) -> list[str]:
        """All of them."""
        return [*self.params, *self.data, *self.code]


def compare_inputs(stages: Sequence[str], before: CloneSnapshot, after: CloneSnapshot) -> InputChanges:
    """Compare what dvc.lock recorded with what the stages were given in the clone.

    Args:
        stages: that were run again; what they hand to one another is no input, nor are other line ends.
        before: of the commit.
        after: of the clone once they have run.
    """
    own_outputs = before.converted | {path for stage in stages for path in before.lock.hashes(stage, "outs")}
    params: dict[str, None] = {}
    files: dict[str, None] = {}
    for stage in stages:
        params |= dict.fromkeys(_compare_params(before.lock.params(stage), after.lock.params(stage)))
        read, recorded = after.lock.hashes(stage, "deps"), before.lock.hashes(stage, "deps")
        files |= {
            path: None for path in read | recorded if path not in own_outputs and read.get(path) != recorded.get(path)
        }
    data = [path for path in files if not path.startswith(("stages/", "vision_pipeline/"))]
    return InputChanges(
        list(params),
        [f"data: {path} is not what dvc.lock has" for path in data],
        [f"code: {path} is not what dvc.lock was made with" for path in files if path not in data],
    )


def _compare_params(recorded: dict[str, Any], here: dict[str, Any]) -> Iterator[str]:
    old, new = flatten_dict(recorded), flatten_dict(here)
    for key in dict.fromkeys([*old, *new]):
        if old.get(key) != new.get(key):
            yield f"{key}: {old.get(key, 'none')} in dvc.lock, {new.get(key, 'none')} in params.yaml"


def find_causes(name: str, commit: str, was_trained: bool, before: CloneSnapshot, after: CloneSnapshot) -> list[str]:
    """What of hardware, settings and packages differs here from what a model records; one line each.

    Args:
        name: of the model.
        commit: that records it.
        was_trained: whether it was trained here, so that its `train.json` is of here.
        before: of the commit.
        after: of the clone once the stages have run.
    """
    recorded = before.reports[name]["train"]
    here = after.reports[name]["train"] if was_trained else _describe_runtime(after.params)
    lines = [
        f"{field}: {recorded[field]} in the commit's train.json, {here[field]} here"
        for field in _COMPARED_FIELDS
        if field in recorded and field in here and recorded[field] != here[field]
    ]
    if recorded.get("deterministic") is False:
        lines.append("deterministic: false in the commit's train.json, so that each training may end in other bits")
    return [*lines, *_compare_packages(checkpoint_versions(name, commit), before.requirements)]


def _describe_runtime(params: dict[str, Any]) -> dict[str, Any]:
    """Of this machine as a test uses it: its precision is always fp32 and tells nothing."""
    from vision_pipeline.runtime.device import setup_runtime

    metadata = setup_runtime(params["device"], "fp32", params["threads"], has_convolutions=False).metadata()
    return {field: metadata[field] for field in ("device", "machine", "threads")}


def _compare_packages(checkpoint_packages: dict[str, str] | None, requirements: str) -> Iterator[str]:
    """Those that a checkpoint names, then those of requirements.lock, which also draw its pictures."""
    here = get_library_versions()
    if checkpoint_packages is None:
        yield "packages: unknown, for the commit's checkpoint cannot be read, as where DVC's cache lacks it"
    for package, version in (checkpoint_packages or {}).items():
        if version != here.get(package):
            yield f"{package}: {version} in the commit's checkpoint, {here.get(package, 'none')} here"
    mismatches = {
        package: pair for package, pair in find_version_mismatches(requirements).items() if package not in here
    }
    descriptions = [
        f"{package} {installed or 'missing'} ({locked})" for package, (locked, installed) in mismatches.items()
    ]
    if descriptions:
        more = f" and {len(descriptions) - _MAX_PACKAGES} more" if len(descriptions) > _MAX_PACKAGES else ""
        yield f"packages that are not as in requirements.lock: {', '.join(descriptions[:_MAX_PACKAGES])}{more}"
