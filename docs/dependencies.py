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


def read_lock(lock: Path) -> list[Requirement]:
    """Return the requirements of a lock file, in its order."""
    lines = (line.partition("#")[0].strip() for line in lock.read_text().splitlines())
    return [Requirement(line) for line in lines if line and not line.startswith("-")]


def find_licence(package: str) -> str:
    """Return a package's licence by its metadata: the SPDX expression, else classifiers, else the text's first line."""
    try:
        info = metadata(package)
    except PackageNotFoundError:
        return "not installed where this was made"
    classified = [line.split(" :: ")[-1] for line in info.get_all("Classifier", []) if line.startswith("License ::")]
    text = (info.get("License") or "").strip().partition("\n")[0]
    name = info.get("License-Expression") or ", ".join(classified) or text or "not said"
    return name[:80].replace("|", "or")


if __name__ == "__main__":
    print(_HEAD)
    for requirement in read_lock(Path("requirements.lock")):
        version = str(requirement.specifier).removeprefix("==")
        print(f"| {requirement.name} | {version} | {find_licence(requirement.name)} |")
