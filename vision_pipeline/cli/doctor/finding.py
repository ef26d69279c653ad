"""The findings of `vision doctor`."""

from dataclasses import dataclass

OK, NOTE, PROBLEM = "ok", "note", "PROBLEM"


@dataclass(frozen=True)
class Finding:
    """A finding of a check.

    Attributes:
        level: `OK`; `NOTE`, which is worth knowing and stops nothing; or `PROBLEM`.
        message: the finding, in a line.
        fix: what to do about it, empty where there is nothing to do.
    """

    level: str
    message: str
    fix: str = ""


def ok(message: str) -> Finding:
    """Return a finding that all is well."""
    return Finding(OK, message)


def note(message: str, fix: str) -> Finding:
    """Return a finding that is worth knowing, and what could be done."""
    return Finding(NOTE, message, fix)


def problem(message: str, fix: str) -> Finding:
    """Return a finding of something that fails now or will, and its fix."""
    return Finding(PROBLEM, message, fix)
