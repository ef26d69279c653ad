"""What `vision doctor` finds."""

from dataclasses import dataclass

OK, NOTE, PROBLEM = "ok", "note", "PROBLEM"


@dataclass(frozen=True)
class Finding:
    """What one check found.

    Attributes:
        level: `OK`; `NOTE`, which is worth knowing and stops nothing; or `PROBLEM`.
        message: what is so, in a line.
        fix: what to do about it, empty where there is nothing to do.
    """

    level: str
    message: str
    fix: str = ""


def ok(message: str) -> Finding:
    """All is well."""
    return Finding(OK, message)


def note(message: str, fix: str) -> Finding:
    """Something worth knowing, and what could be done."""
    return Finding(NOTE, message, fix)


def problem(message: str, fix: str) -> Finding:
    """Something that fails now or will, and how to mend it."""
    return Finding(PROBLEM, message, fix)
