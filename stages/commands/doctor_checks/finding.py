"""What `vision doctor` finds."""

from dataclasses import dataclass

OK, NOTE, PROBLEM = "ok", "note", "PROBLEM"


@dataclass(frozen=True)
class Finding:
    """What one check found.

    Attributes:
        level: `OK`; `NOTE`, which is worth knowing and stops nothing; or `PROBLEM`.
        about: what is so, in a line.
        fix: what to do about it, empty where there is nothing to do.
    """

    level: str
    about: str
    fix: str = ""


def ok(about: str) -> Finding:
    """All is well."""
    return Finding(OK, about)


def note(about: str, fix: str) -> Finding:
    """Something worth knowing, and what could be done."""
    return Finding(NOTE, about, fix)


def problem(about: str, fix: str) -> Finding:
    """Something that fails now or will, and how to mend it."""
    return Finding(PROBLEM, about, fix)
