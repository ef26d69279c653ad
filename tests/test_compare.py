"""The stage compare, on fake reports."""

import shutil
from pathlib import Path

import pytest
from fake_reports import write_reports

from stages import compare
from vision_pipeline.core.errors import UserError


@pytest.fixture
def workspace(tmp_path: Path, repository: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copy(repository / "params.yaml", tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_four_files_are_written_and_the_leaderboard_is_printed(
    workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_reports(workspace / "reports/models/mnist-cnn", ease=5.0)
    write_reports(workspace / "reports/models/mnist-mlp", status="official", ease=1.0)
    write_reports(workspace / "reports/models/cifar10-cnn", "cifar10", "stand-in")
    write_reports(workspace / "reports/models/no-longer-in-params")
    compare.main()
    assert sorted(path.name for path in (workspace / "reports").iterdir()) == [
        "comparisons.csv",
        "index.html",
        "leaderboard.csv",
        "leaderboard.md",
        "models",
    ]
    rows = (workspace / "reports/leaderboard.csv").read_text().splitlines()
    assert rows[0].startswith("model,dataset,provenance,accuracy,accuracy_low,accuracy_high,parameters,")
    assert [row.split(",")[0] for row in rows[1:]] == ["mnist-cnn", "mnist-mlp", "cifar10-cnn"]
    output = capsys.readouterr()
    assert "mnist-cnn" in output.out
    assert "reports/index.html" in output.out
    assert "make ui" in output.out
    assert "Not evaluated yet: mnist-logistic, mnist-mlp-wide" in output.out
    assert "stand-in data" in output.err
    assert "no-longer-in-params" not in (workspace / "reports/index.html").read_text()


def test_the_preview_of_a_models_policy_is_on_the_page(workspace: Path) -> None:
    write_reports(workspace / "reports/models/mnist-cnn")
    preview = workspace / "data/augmented/mnist-shift/preview.png"
    preview.parent.mkdir(parents=True)
    preview.write_bytes(b"PNG")
    compare.main()
    assert "What training sees: mnist-shift" in (workspace / "reports/index.html").read_text()


def test_a_second_run_writes_the_same_bytes(workspace: Path) -> None:
    write_reports(workspace / "reports/models/mnist-cnn")
    compare.main()
    first = {path.name: path.read_bytes() for path in (workspace / "reports").iterdir() if path.is_file()}
    compare.main()
    assert {path.name: path.read_bytes() for path in (workspace / "reports").iterdir() if path.is_file()} == first


def test_nothing_evaluated_is_refused(workspace: Path) -> None:
    with pytest.raises(UserError, match="no evaluated model"):
        compare.main()
