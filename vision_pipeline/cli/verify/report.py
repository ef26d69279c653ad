"""The verdicts of `vision verify`, as a table and as JSON."""

from collections.abc import Sequence
from typing import Any

from vision_pipeline.cli.verify.verdict import DIFFERENT, IDENTICAL, WITHIN, Output, Verdict


def format_verdicts(verdicts: Sequence[Verdict], data: Sequence[Output]) -> str:
    """A line for each model, with what differs below it, then how many there are of each verdict."""
    width = max(map(len, (entry.model for entry in verdicts)))
    lines = [line for entry in verdicts for line in _format_verdict(entry, width)]
    if data:
        lines.append("Not in DVC's cache, so made anew:")
        lines += [f"  {entry.path}: {IDENTICAL if entry.identical else DIFFERENT}" for entry in data]
    counts = {status: sum(entry.status == status for entry in verdicts) for status in (IDENTICAL, WITHIN, DIFFERENT)}
    return "\n".join([*lines, ", ".join(f"{count} {status}" for status, count in counts.items() if count)])


def _format_verdict(verdict: Verdict, width: int) -> list[str]:
    same = sum(output.identical for output in verdict.outputs)
    recorded, here = verdict.accuracy
    lines = [
        f"{verdict.model:{width}}  {verdict.status:{len(WITHIN)}}  {same} of {len(verdict.outputs)} outputs identical, "
        f"test accuracy {here:.2%} (recorded: {recorded:.2%})"
    ]
    if same < len(verdict.outputs):
        lines.append(f"  band {verdict.band.low:.2%} to {verdict.band.high:.2%} ({verdict.band.basis})")
        lines += [
            f"  {output.path}: {verdict.output_status(output)}" for output in verdict.outputs if not output.identical
        ]
    return [*lines, *(f"  likely cause: {cause}" for cause in verdict.causes)]


def verdicts_as_json(commit: str, method: str, verdicts: Sequence[Verdict], data: Sequence[Output]) -> dict[str, Any]:
    """All of it: of every output its verdict and both MD5s."""
    return {
        "commit": commit,
        "how": method,
        "models": {entry.model: _verdict_as_json(entry) for entry in verdicts},
        "data_made_anew": {
            entry.path: _output_as_json(entry, IDENTICAL if entry.identical else DIFFERENT) for entry in data
        },
    }


def _verdict_as_json(verdict: Verdict) -> dict[str, Any]:
    recorded, here = verdict.accuracy
    return {
        "verdict": verdict.status,
        "accuracy": {"recorded": recorded, "here": here},
        "band": {"low": verdict.band.low, "high": verdict.band.high, "by": verdict.band.basis},
        "causes": verdict.causes,
        "outputs": {output.path: _output_as_json(output, verdict.output_status(output)) for output in verdict.outputs},
    }


def _output_as_json(output: Output, verdict: str) -> dict[str, Any]:
    return {"verdict": verdict, "recorded": output.recorded, "here": output.here}
