"""`vision plots` in a DVC repository of one table."""

import subprocess
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from vision_pipeline.cli.pipeline import dvc
from vision_pipeline.cli.plots import plots
from vision_pipeline.core.errors import UserError

TABLE = "epoch,accuracy\n1,0.5\n2,0.875\n"


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments: str) -> Result:
    app = typer.Typer()
    app.command()(plots)
    return CliRunner().invoke(app, [*arguments, "--no-browser"])


def test_the_page_has_the_plots_and_all_that_draws_them(workspace: Path) -> None:
    subprocess.run(dvc.dvc_command("init", "--no-scm", "--quiet"), check=True)
    (workspace / "history.csv").write_text(TABLE)
    (workspace / "dvc.yaml").write_text("plots:\n- history.csv: {x: epoch, y: accuracy}\n")
    result = run()
    assert result.exit_code == 0, result.exception
    assert result.stdout == f"Plots: {(workspace / 'dvc_plots/index.html').as_uri()}\n"
    page = (workspace / "dvc_plots/index.html").read_text()
    assert '"accuracy": "0.875"' in page
    assert page.index("window.vegaEmbed=") < page.index("vegaEmbed('#")
    assert "<script src" not in page
    assert page.count("</script>") == 2


def test_what_dvc_refuses_is_refused(workspace: Path) -> None:
    (workspace / ".dvc").mkdir()
    refusal = run("HEAD", "workspace").exception
    assert isinstance(refusal, UserError)
    assert str(refusal).startswith("`dvc plots diff HEAD workspace` failed with exit code 1;")


def test_elsewhere_it_is_refused(workspace: Path) -> None:
    assert str(run().exception) == ".dvc is missing; run from the repository's root"
