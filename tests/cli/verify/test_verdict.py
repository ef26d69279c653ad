"""The verdict of `vision verify` on made-up records: status and likely causes."""

import json
from typing import Any

import pytest

from vision_pipeline.cli.verify import causes
from vision_pipeline.cli.verify.snapshot import CloneSnapshot
from vision_pipeline.cli.verify.verdict import (
    DIFFERENT,
    IDENTICAL,
    WITHIN,
    compare_data,
    compare_model,
    make_prediction_interval,
)
from vision_pipeline.core.system import get_library_versions
from vision_pipeline.vcs.dvc_lock import DvcLock


def record(md5: str, accuracy: float = 0.9, **changes: Any) -> CloneSnapshot:
    """Return the snapshot of a model `m`, all of whose outputs have the hash `md5`.

    Args:
        md5: hash of the outputs.
        accuracy: test accuracy.
        changes: other params, data, code or fields of train.json.
    """
    fields = {"lr": 0.1, "data": "d", "code": "c", "threads": 2, "deterministic": True, **changes}
    code = {"path": "stages/a.py", "md5": fields["code"]}
    lock = {
        "stages": {
            "prepare": {"outs": [{"path": "data/prepared/d", "md5": fields["data"]}]},
            "train@m": {
                "deps": [{"path": "data/prepared/d", "md5": fields["data"]}, code],
                "params": {"params.yaml": {"models.m": {"lr": fields["lr"]}}},
                "outs": [{"path": "models/m", "md5": md5}],
            },
            "evaluate@m": {
                "deps": [{"path": "models/m", "md5": md5}],
                "outs": [{"path": "reports/models/m/metrics.json", "md5": md5}],
            },
        }
    }  # fmt: skip
    metrics = {"accuracy": accuracy, "accuracy_low": 0.88, "accuracy_high": 0.92, "seeds": 1}
    train = {"threads": fields["threads"], "deterministic": fields["deterministic"], "device": "cpu"}
    reports = {"m": {"train": train, "metrics": metrics}}
    return CloneSnapshot(DvcLock(json.dumps(lock)), ["m"], reports, {}, {"m": []}, "")


def judge(before: CloneSnapshot, after: CloneSnapshot, monkeypatch: pytest.MonkeyPatch) -> tuple[str, list[str]]:
    monkeypatch.setattr(causes, "checkpoint_versions", lambda name, commit: get_library_versions())
    verdict = compare_model("m", ["train", "evaluate"], commit="abc", before=before, after=after)
    return verdict.status, verdict.causes


def test_other_bits_are_within_the_band_or_different_by_the_accuracy(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = ["threads: 2 in the commit's train.json, 8 here"]
    assert judge(record("x"), record("y", 0.91, threads=8), monkeypatch) == (WITHIN, lines)
    assert judge(record("x"), record("y", 0.93, threads=8), monkeypatch) == (DIFFERENT, lines)
    assert judge(record("x"), record("x"), monkeypatch) == (IDENTICAL, [])
    (status, (unknown,)) = judge(record("x"), record("y"), monkeypatch)
    assert status == WITHIN and unknown.startswith("nothing that is recorded differs")


def test_a_training_that_was_not_to_be_repeatable_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    before, after = (record(md5, deterministic=False) for md5 in "xy")
    cause = "deterministic: false in the commit's train.json, so that each training may end in other bits"
    assert judge(before, after, monkeypatch) == (WITHIN, [cause])
    assert judge(before, before, monkeypatch) == (IDENTICAL, [])


def test_other_params_or_data_are_different_whatever_came_out(monkeypatch: pytest.MonkeyPatch) -> None:
    params = ["models.m.lr: 0.1 in dvc.lock, 0.2 in params.yaml"]
    assert judge(record("x"), record("x", lr=0.2), monkeypatch) == (DIFFERENT, params)
    data = ["data: data/prepared/d is not what dvc.lock has"]
    assert judge(record("x"), record("x", data="e"), monkeypatch) == (DIFFERENT, data)
    code = ["code: stages/a.py is not what dvc.lock was made with"]
    assert judge(record("x"), record("x", code="e"), monkeypatch) == (IDENTICAL, code)
    assert judge(record("x"), record("y", code="e"), monkeypatch) == (WITHIN, code)
    assert [
        output.identical for output in compare_data(["prepare", "train@m"], record("x"), record("y", data="e"))
    ] == [False]


def test_other_packages_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    old = {**get_library_versions(), "torch": "1.0"}
    monkeypatch.setattr(causes, "checkpoint_versions", lambda name, commit: old)
    verdict = compare_model("m", ["train", "evaluate"], commit="abc", before=record("x"), after=record("y"))
    assert verdict.causes == [f"torch: 1.0 in the commit's checkpoint, {get_library_versions()['torch']} here"]


def test_the_band_of_several_seeds_is_where_one_more_is_expected() -> None:
    metrics = {"seeds": 3, "accuracy_mean": 0.9, "accuracy_mean_sd": 0.01, "accuracy_low": 0.0, "accuracy_high": 1.0}
    band = make_prediction_interval(metrics)
    assert (band.low, band.high) == pytest.approx((0.9 - 0.04968, 0.9 + 0.04968), abs=1e-5)  # t(0.975, 2) = 4.30265
    assert band.contains(band.high) and not band.contains(band.high + 1e-4)
    assert make_prediction_interval({**metrics, "seeds": 1}).basis == "one seed: its 95 % Wilson interval"
