"""The verdict of `vision verify` on made-up records: status and likely causes."""

import json
from typing import Any

import pytest

from vision_pipeline.cli.verify import causes as verify_causes
from vision_pipeline.cli.verify.snapshot import CloneSnapshot
from vision_pipeline.cli.verify.verdict import (
    DIFFERENT,
    IDENTICAL,
    WITHIN,
    compare_data,
    compare_model,
    make_prediction_interval,
)
from vision_pipeline.vcs.dvc_lock import DvcLock


def record(made: str, accuracy: float = 0.9, **changes: Any) -> CloneSnapshot:
    """Of a model `m`, all of whose outputs have the hash `made`; changes of its params, data, code or train.json."""
    given = {"lr": 0.1, "data": "d", "code": "c", "threads": 2, "deterministic": True, **changes}
    code = {"path": "stages/a.py", "md5": given["code"]}
    lock = {
        "stages": {
            "prepare": {"outs": [{"path": "data/prepared/d", "md5": given["data"]}]},
            "train@m": {
                "deps": [{"path": "data/prepared/d", "md5": given["data"]}, code],
                "params": {"params.yaml": {"models.m": {"lr": given["lr"]}}},
                "outs": [{"path": "models/m", "md5": made}],
            },
            "evaluate@m": {
                "deps": [{"path": "models/m", "md5": made}],
                "outs": [{"path": "reports/models/m/metrics.json", "md5": made}],
            },
        }
    }  # fmt: skip
    metrics = {"accuracy": accuracy, "accuracy_low": 0.88, "accuracy_high": 0.92, "seeds": 1}
    train = {"threads": given["threads"], "deterministic": given["deterministic"], "device": "cpu"}
    reports = {"m": {"train": train, "metrics": metrics}}
    return CloneSnapshot(DvcLock(json.dumps(lock)), ["m"], reports, {}, {"m": []}, "")


def judged(before: CloneSnapshot, after: CloneSnapshot, monkeypatch: pytest.MonkeyPatch) -> tuple[str, list[str]]:
    monkeypatch.setattr(verify_causes, "checkpoint_versions", lambda name, commit: verify_causes.versions())
    found = compare_model("m", ["train", "evaluate"], "abc", before, after)
    return found.status, found.causes


def test_other_bits_are_within_the_band_or_different_by_the_accuracy(monkeypatch: pytest.MonkeyPatch) -> None:
    cause = ["threads: 2 in the commit's train.json, 8 here"]
    assert judged(record("x"), record("y", 0.91, threads=8), monkeypatch) == (WITHIN, cause)
    assert judged(record("x"), record("y", 0.93, threads=8), monkeypatch) == (DIFFERENT, cause)
    assert judged(record("x"), record("x"), monkeypatch) == (IDENTICAL, [])
    (status, (unknown,)) = judged(record("x"), record("y"), monkeypatch)
    assert status == WITHIN and unknown.startswith("nothing that is recorded differs")


def test_a_training_that_was_not_to_be_repeatable_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    before, after = (record(made, deterministic=False) for made in "xy")
    cause = "deterministic: false in the commit's train.json, so that each training may end in other bits"
    assert judged(before, after, monkeypatch) == (WITHIN, [cause])
    assert judged(before, before, monkeypatch) == (IDENTICAL, [])


def test_other_params_or_data_are_different_whatever_came_out(monkeypatch: pytest.MonkeyPatch) -> None:
    params = ["models.m.lr: 0.1 in dvc.lock, 0.2 in params.yaml"]
    assert judged(record("x"), record("x", lr=0.2), monkeypatch) == (DIFFERENT, params)
    data = ["data: data/prepared/d is not what dvc.lock has"]
    assert judged(record("x"), record("x", data="e"), monkeypatch) == (DIFFERENT, data)
    code = ["code: stages/a.py is not what dvc.lock was made with"]
    assert judged(record("x"), record("x", code="e"), monkeypatch) == (IDENTICAL, code)
    assert judged(record("x"), record("y", code="e"), monkeypatch) == (WITHIN, code)
    assert [one.identical for one in compare_data(["prepare", "train@m"], record("x"), record("y", data="e"))] == [
        False
    ]


def test_other_packages_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    old = {**verify_causes.versions(), "torch": "1.0"}
    monkeypatch.setattr(verify_causes, "checkpoint_versions", lambda name, commit: old)
    found = compare_model("m", ["train", "evaluate"], "abc", record("x"), record("y")).causes
    assert found == [f"torch: 1.0 in the commit's checkpoint, {verify_causes.versions()['torch']} here"]


def test_the_band_of_several_seeds_is_where_one_more_is_expected() -> None:
    metrics = {"seeds": 3, "accuracy_mean": 0.9, "accuracy_mean_sd": 0.01, "accuracy_low": 0.0, "accuracy_high": 1.0}
    band = make_prediction_interval(metrics)
    assert (band.low, band.high) == pytest.approx((0.9 - 0.04968, 0.9 + 0.04968), abs=1e-5)  # t(0.975, 2) = 4.30265
    assert band.contains(band.high) and not band.contains(band.high + 1e-4)
    assert make_prediction_interval({**metrics, "seeds": 1}).basis == "one seed: its 95 % Wilson interval"
