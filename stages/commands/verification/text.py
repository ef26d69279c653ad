"""The verdicts of `vision verify`, as a table and as JSON."""

from collections.abc import Sequence
from typing import Any

from stages.commands.verification.verdict import DIFFERENT, IDENTICAL, WITHIN, Output, Verdict


def table(verdicts: Sequence[Verdict], data: Sequence[Output]) -> str:
    """A line for each model, with what differs below it, then how many there are of each verdict."""
    width = max(map(len, (one.model for one in verdicts)))
    lines = [line for one in verdicts for line in _lines(one, width)]
    if data:
        lines.append("Not in DVC's cache, so made anew:")
        lines += [f"  {one.path}: {IDENTICAL if one.identical else DIFFERENT}" for one in data]
    counts = {status: sum(one.status == status for one in verdicts) for status in (IDENTICAL, WITHIN, DIFFERENT)}
    return "\n".join([*lines, ", ".join(f"{count} {status}" for status, count in counts.items() if count)])


def _lines(one: Verdict, width: int) -> list[str]:
    same = sum(output.identical for output in one.outputs)
    recorded, here = one.accuracy
    lines = [
        f"{one.model:{width}}  {one.status:{len(WITHIN)}}  {same} of {len(one.outputs)} outputs identical, "
        f"test accuracy {here:.2%} (recorded: {recorded:.2%})"
    ]
    if same < len(one.outputs):
        lines.append(f"  band {one.band.low:.2%} to {one.band.high:.2%} ({one.band.by})")
        lines += [f"  {output.path}: {one.of(output)}" for output in one.outputs if not output.identical]
    return [*lines, *(f"  likely cause: {cause}" for cause in one.causes)]


def as_json(commit: str, how: str, verdicts: Sequence[Verdict], data: Sequence[Output]) -> dict[str, Any]:
    """All of it: of every output its verdict and both MD5s."""
    return {
        "commit": commit,
        "how": how,
        "models": {one.model: _model(one) for one in verdicts},
        "data_made_anew": {one.path: _hashes(one, IDENTICAL if one.identical else DIFFERENT) for one in data},
    }


def _model(one: Verdict) -> dict[str, Any]:
    recorded, here = one.accuracy
    return {
        "verdict": one.status,
        "accuracy": {"recorded": recorded, "here": here},
        "band": {"low": one.band.low, "high": one.band.high, "by": one.band.by},
        "causes": one.causes,
        "outputs": {output.path: _hashes(output, one.of(output)) for output in one.outputs},
    }


def _hashes(output: Output, verdict: str) -> dict[str, Any]:
    return {"verdict": verdict, "recorded": output.recorded, "here": output.here}
