"""DVC's experiments and other commits, read from git without a checkout."""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from stages.params.fields import did_you_mean
from stages.params.load import PARAMS
from stages.params.plain_yaml import read_yaml
from stages.project.console import Refusal
from stages.project.paths import MODEL_REPORTS, model_report
from stages.tracking.git import contents, git

_REFERENCE = re.compile(r"([0-9a-f]{40}) refs/exps/([0-9a-f]{2})/([0-9a-f]{38})/([^/]+)")


@dataclass(frozen=True)
class Experiment:
    """A DVC experiment.

    Attributes:
        name: DVC's.
        commit: that holds its params and reports.
        baseline: the commit that it began from.
    """

    name: str
    commit: str
    baseline: str


def experiments() -> list[Experiment]:
    """All that git holds, by name: those of every commit, as `dvc exp list --all-commits` tells them."""
    lines = git("for-each-ref", "--format=%(objectname) %(refname)", "refs/exps").splitlines()
    found = [match for line in lines if (match := _REFERENCE.fullmatch(line))]
    return sorted((Experiment(match[4], match[1], match[2] + match[3]) for match in found), key=lambda one: one.name)


def commit_of(name: str) -> str:
    """The commit of an experiment, a branch, a tag or of what else git knows.

    Raises:
        Refusal: there is none.
    """
    known = {one.name: one.commit for one in experiments()}
    commit = known.get(name) or git("rev-parse", "--verify", "--quiet", f"{name}^{{commit}}")
    if not commit:
        raise Refusal(f"{name} is neither an experiment nor a commit; {did_you_mean(name, sorted(known))}")
    return commit


def commits_with(key: str) -> list[str]:
    """The branches, tags and experiments here whose reports are of the training `key`, HEAD first, as sentences."""
    named = git(
        "for-each-ref", "--format=%(objectname) %(refname)", "refs/heads", "refs/tags", "refs/exps"
    ).splitlines()
    found = {"HEAD": git("rev-parse", "--verify", "--quiet", "HEAD")} | {
        name: commit for commit, name in (line.split(" ", 1) for line in named)
    }
    reports = f":(glob){MODEL_REPORTS}/*/train.json"
    holding = {line.partition(":")[0] for line in _grep(key, sorted(set(found.values()) - {""}), reports)}
    return [_told(name, commit) for name, commit in found.items() if commit in holding]


def _grep(text: str, commits: list[str], place: str) -> list[str]:
    asked = ("grep", "--files-with-matches", "--fixed-strings", text, *commits, "--", place)
    return git(*asked, seconds=None).splitlines()


def _told(name: str, commit: str) -> str:
    for prefix, kind in (("refs/heads/", "branch "), ("refs/tags/", "tag "), ("refs/exps/", "experiment ")):
        if name.startswith(prefix):
            name = kind + (name.rpartition("/")[2] if kind == "experiment " else name.removeprefix(prefix))
    return f"{name}, commit {commit[:12]}"


@dataclass(frozen=True)
class State:
    """What git holds of a commit.

    Attributes:
        params: of params.yaml.
        reports: by model of `params`, what its `train.json` and `metrics.json` say together; empty where it has none.
    """

    params: dict[str, Any]
    reports: dict[str, dict[str, Any]]


def states(commits: Iterable[str]) -> dict[str, State]:
    """What git holds of each commit, read in two calls."""
    commits = list(dict.fromkeys(commits))
    texts = contents([(commit, PARAMS) for commit in commits])
    params = {commit: read_yaml(text or "{}") for commit, text in zip(commits, texts, strict=True)}
    wanted = [
        (commit, name, file)
        for commit in commits
        for name in params[commit].get("models", {})
        for file in ("train.json", "metrics.json")
    ]
    found = contents([(commit, model_report(name) / file) for commit, name, file in wanted])
    known = {commit: State(params[commit], {}) for commit in commits}
    for (commit, name, _), text in zip(wanted, found, strict=True):
        known[commit].reports.setdefault(name, {}).update(json.loads(text or "{}"))
    return known
