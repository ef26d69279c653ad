"""DVC's experiments and other commits, read from git without a checkout."""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from vision_pipeline.config.effective import fill_defaults
from vision_pipeline.config.fields import did_you_mean
from vision_pipeline.config.load import PARAMS, safe_load
from vision_pipeline.core.errors import UserError
from vision_pipeline.core.paths import MODEL_REPORTS, model_report_dir
from vision_pipeline.vcs.git import cat_files, git_or_empty

_EXPERIMENT_REF = re.compile(r"([0-9a-f]{40}) refs/exps/([0-9a-f]{2})/([0-9a-f]{38})/([^/]+)")


@dataclass(frozen=True)
class DvcExperiment:
    """A DVC experiment.

    Attributes:
        name: the name that DVC or the user chose.
        commit: the commit with its params and reports.
        baseline: the commit that it started from.
    """

    name: str
    commit: str
    baseline: str


def list_experiments() -> list[DvcExperiment]:
    """Return all experiments that git holds, by name, as `dvc exp list --all-commits` lists them."""
    lines = git_or_empty("for-each-ref", "--format=%(objectname) %(refname)", "refs/exps").splitlines()
    matches = [match for line in lines if (match := _EXPERIMENT_REF.fullmatch(line))]
    return sorted(
        (DvcExperiment(match[4], match[1], match[2] + match[3]) for match in matches),
        key=lambda experiment: experiment.name,
    )


def resolve_commit(name: str) -> str:
    """Return the commit of an experiment, a branch, a tag or any other revision of git.

    Raises:
        UserError: there is none.
    """
    commits = {experiment.name: experiment.commit for experiment in list_experiments()}
    commit = commits.get(name) or git_or_empty("rev-parse", "--verify", "--quiet", f"{name}^{{commit}}")
    if not commit:
        raise UserError(f"{name} is neither an experiment nor a commit; {did_you_mean(name, sorted(commits))}")
    return commit


def find_commits(key: str) -> list[str]:
    """Return the branches, tags and experiments whose reports are of the training `key`, HEAD first, as sentences."""
    lines = git_or_empty(
        "for-each-ref", "--format=%(objectname) %(refname)", "refs/heads", "refs/tags", "refs/exps"
    ).splitlines()
    commits = {"HEAD": git_or_empty("rev-parse", "--verify", "--quiet", "HEAD")} | {
        name: commit for commit, name in (line.split(" ", 1) for line in lines)
    }
    reports = f":(glob){MODEL_REPORTS}/*/train.json"
    matching = {line.partition(":")[0] for line in _grep(key, sorted(set(commits.values()) - {""}), reports)}
    return [_describe_ref(name, commit) for name, commit in commits.items() if commit in matching]


def _grep(text: str, commits: list[str], pathspec: str) -> list[str]:
    args = ("grep", "--files-with-matches", "--fixed-strings", text, *commits, "--", pathspec)
    return git_or_empty(*args, seconds=None).splitlines()


def _describe_ref(name: str, commit: str) -> str:
    for prefix, kind in (("refs/heads/", "branch "), ("refs/tags/", "tag "), ("refs/exps/", "experiment ")):
        if name.startswith(prefix):
            name = kind + (name.rpartition("/")[2] if kind == "experiment " else name.removeprefix(prefix))
    return f"{name}, commit {commit[:12]}"


@dataclass(frozen=True)
class CommitState:
    """The params and reports of a commit, from git.

    Attributes:
        params: the effective values of params.yaml.
        reports: the joined contents of `train.json` and `metrics.json` by model of `params`; empty without files.
    """

    params: dict[str, Any]
    reports: dict[str, dict[str, Any]]


def read_commits(commits: Iterable[str]) -> dict[str, CommitState]:
    """Return the params and reports of each commit, read in two calls."""
    commits = list(dict.fromkeys(commits))
    texts = cat_files([(commit, PARAMS) for commit in commits])
    params = {commit: fill_defaults(safe_load(text or "{}")) for commit, text in zip(commits, texts, strict=True)}
    report_files = [
        (commit, name, file)
        for commit in commits
        for name in params[commit].get("models", {})
        for file in ("train.json", "metrics.json")
    ]
    report_texts = cat_files([(commit, model_report_dir(name) / file) for commit, name, file in report_files])
    states = {commit: CommitState(params[commit], {}) for commit in commits}
    for (commit, name, _), text in zip(report_files, report_texts, strict=True):
        states[commit].reports.setdefault(name, {}).update(json.loads(text or "{}"))
    return states
