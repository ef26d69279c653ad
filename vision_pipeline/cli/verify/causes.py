"""Likely causes of another result: differences between a recorded training and its repetition here."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from vision_pipeline.cli.verify.snapshot import CloneSnapshot, checkpoint_versions
from vision_pipeline.core.dicts import diff_dicts
from vision_pipeline.core.system import find_version_mismatches, get_library_versions
from vision_pipeline.core.text import join_limited
from vision_pipeline.tracking.lineage import HARDWARE_FIELDS

# fields of train.json that a training's key is made of, beside the params, which dvc.lock has
_COMPARED_FIELDS = ("seed", "data", "code", "synthetic", *HARDWARE_FIELDS)
_MAX_PACKAGES = 6  # packages named in a line


@dataclass(frozen=True)
class InputChanges:
    """Inputs that the stages read here and that differ from those in dvc.lock; a line each."""

    params: list[str]
    data: list[str]
    code: list[str]

    def to_lines(self) -> list[str]:
        """Return all lines."""
        return [*self.params, *self.data, *self.code]


def compare_inputs(stages: Sequence[str], before: CloneSnapshot, after: CloneSnapshot) -> InputChanges:
    """Compare the inputs in dvc.lock with those that the stages read in the clone.

    Args:
        stages: names of the stages that were run again; their own outputs and other line ends are not compared.
        before: snapshot of the commit.
        after: snapshot of the clone once the stages have run.
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
    for key, values in diff_dicts(recorded, here).items():
        old, new = ("none" if value is None else value for value in values)
        yield f"{key}: {old} in dvc.lock, {new} in params.yaml"


def find_causes(name: str, commit: str, *, was_trained: bool, before: CloneSnapshot, after: CloneSnapshot) -> list[str]:
    """Return how hardware, settings and packages differ here from those that a model records; one line each.

    Args:
        name: name of the model.
        commit: commit that records it.
        was_trained: whether it was trained here, so that the clone's `train.json` describes the hardware here.
        before: snapshot of the commit.
        after: snapshot of the clone once the stages have run.
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
    """Return the fields of train.json for a test on this hardware, without precision, which is always fp32."""
    from vision_pipeline.runtime.device import setup_runtime

    metadata = setup_runtime(params["device"], "fp32", params["threads"], has_convolutions=False).metadata()
    return {field: metadata[field] for field in ("device", "machine", "threads")}


def _compare_packages(checkpoint_packages: dict[str, str] | None, requirements: str) -> Iterator[str]:
    """Yield the packages whose version differs from the checkpoint's, then those that differ from requirements.lock."""
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
        yield f"packages that are not as in requirements.lock: {join_limited(descriptions, _MAX_PACKAGES)}"
