"""Print docs/dependencies.md: what requirements.lock installs, by version and licence, as the packages themselves say.

Run from the repository's root, in the project's environment: `python docs/dependencies.py > docs/dependencies.md`
"""

from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path

from packaging.requirements import Requirement

_HEAD = """# Dependencies

Every package of `requirements.lock`, its version and the licence that its own metadata name.
Made by `python docs/dependencies.py > docs/dependencies.md`.

Known vulnerabilities are not looked up here, for that takes a network: before a release a person runs
`pip-audit -r requirements.lock` (after `pip install pip-audit`).

| package | version | licence |
|---|---|---|"""


def locked(lock: Path) -> list[Requirement]:
    """The requirements of a lock file, in its order."""
    lines = (line.partition("#")[0].strip() for line in lock.read_text().splitlines())
    return [Requirement(line) for line in lines if line and not line.startswith("-")]


def licence(package: str) -> str:
    """What the installed package says: an SPDX expression, else its classifiers, else the first line of its words."""
    try:
        about = metadata(package)
    except PackageNotFoundError:
        return "not installed where this was made"
    classified = [line.split(" :: ")[-1] for line in about.get_all("Classifier", []) if line.startswith("License ::")]
    words = (about.get("License") or "").strip().partition("\n")[0]
    found = about.get("License-Expression") or ", ".join(classified) or words or "not said"
    return found[:80].replace("|", "or")


if __name__ == "__main__":
    print(_HEAD)
    for one in locked(Path("requirements.lock")):
        print(f"| {one.name} | {str(one.specifier).removeprefix('==')} | {licence(one.name)} |")
