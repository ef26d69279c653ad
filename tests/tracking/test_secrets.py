"""Passwords: in what is printed, and in what MLflow keeps."""

import sys

import pytest
from tiny_project import git

from tests.tracking.sample_runs import train
from vision_pipeline.cli import main
from vision_pipeline.cli.sweep.command import _resolve_storage_url
from vision_pipeline.cli.ui import _print_addresses
from vision_pipeline.core.errors import UserError
from vision_pipeline.tracking.lineage import uncommitted_diff
from vision_pipeline.tracking.optuna_trial import storage_errors
from vision_pipeline.tracking.secrets import redact
from vision_pipeline.tracking.store import require_store

SERVER = "http://me:top%40secret@127.0.0.1:9"


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        ("postgresql://me:secret@host/db", "postgresql://me:***@host/db"),
        ("at https://me:p@ss:word@host:1/x, and http://you:pw@b", "at https://me:***@host:1/x, and http://you:***@b"),
        ("postgresql://host/db?user=me&password=secret&x=1", "postgresql://host/db?user=me&password=***&x=1"),
        ("the key is wJalrXUtnFEMI!", "the key is ***!"),
        ("postgresql://me:a/b+c=/d@host/db", "postgresql://me:***@host/db"),
        ('"mysql://me:a/b@host/db", "m@il"', '"mysql://me:***@host/db", "m@il"'),
        ("mysql://me:it's/not@host", "mysql://me:***@host"),
        ("https://ghp_0123456789@host/x.git", "https://***@host/x.git"),
        ("http://host:5000/#/runs", "http://host:5000/#/runs"),
        ("s3://me@host and a@b.c", "s3://me@host and a@b.c"),
    ],
)
def test_a_secret_is_three_asterisks(monkeypatch, text, redacted):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI")
    monkeypatch.setenv("PGPASSWORD", "e")
    assert redact(text) == redacted


@pytest.fixture
def server(workspace, monkeypatch):
    """MLflow's address has a password, and nobody answers there."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", SERVER)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")


def test_a_training_does_not_show_the_servers_password(server, capsys):
    with train():
        pass
    said = capsys.readouterr().err
    assert "me:***@127.0.0.1" in said
    assert "secret" not in said


def test_a_refusal_does_not_show_the_servers_password(server):
    with pytest.raises(UserError, match=r"store http://me:\*\*\*@127.0.0.1:9 cannot be opened") as refusal:
        require_store()
    assert "secret" not in str(refusal.value)


def test_the_page_is_named_without_the_password_and_opened_with_it(capsys):
    assert _print_addresses(SERVER, "/runs") == f"{SERVER}/#/runs"
    assert capsys.readouterr().out.splitlines()[0] == "Runs: http://me:***@127.0.0.1:9/#/runs"


def test_a_sweeps_storage_is_shown_without_its_password():
    said = r"storage postgresql://me:\*\*\*@host/db failed"
    with pytest.raises(UserError, match=said), storage_errors("postgresql://me:secret@host/db"):
        raise KeyError("study")


def test_what_is_no_address_of_a_storage_is_not_shown():
    with pytest.raises(UserError) as refusal:
        _resolve_storage_url("me/secret@host")
    assert "secret" not in str(refusal.value)


def test_the_traceback_of_a_defect_shows_no_password(monkeypatch, capsys):
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    monkeypatch.setattr(main, "run_with_exit_code", lambda app: None)
    main.run()
    error = RuntimeError(f"API request to {SERVER} failed")
    sys.excepthook(RuntimeError, error, None)
    assert capsys.readouterr().err == "RuntimeError: API request to http://me:***@127.0.0.1:9 failed\n"


def test_a_patch_has_neither_dvcs_settings_nor_a_typed_password(workspace):
    (workspace / ".dvc").mkdir(exist_ok=True)
    files = {name: workspace / name for name in (".dvc/config", "params.yaml")}
    files[".dvc/config"].write_text("[core]\n")
    for command in (["init", "-q"], ["add", "-f", *files], ["commit", "-qm", "All"]):
        git(*command)
    files[".dvc/config"].write_text("[core]\n['remote \"team\"']\n    secret_access_key = abc\n")
    files["params.yaml"].write_text(f"tracking_uri: {SERVER}\n")
    patch = uncommitted_diff()
    assert "+tracking_uri: http://me:***@127.0.0.1:9\n" in patch
    assert ".dvc/config" not in patch


def test_a_patch_can_be_applied(workspace, monkeypatch):
    """Whatever stands at a file's end, with bytes that are no text, and with the user's own settings of git."""
    files = {"script.py": b"a = 1\n\n\n\n", "no-newline.txt": b"a\nb", "picture.png": bytes(range(256))}
    for name, content in files.items():
        (workspace / name).write_bytes(content)
    for command in (["init", "-q"], ["add", "-f", *files], ["commit", "-qm", "All"]):
        git(*command)
    for setting in ("color.ui=always", "diff.noprefix=true"):
        git("config", *setting.split("="))
    (workspace / "script.py").write_bytes(b"a = 2\n\n\n\n")
    (workspace / "no-newline.txt").write_bytes(b"a\nc")
    (workspace / "picture.png").write_bytes(bytes(range(255)))
    changed = {name: (workspace / name).read_bytes() for name in files}
    (workspace / "the.patch").write_text(uncommitted_diff())
    git("checkout", "-q", "--", *files)
    git("apply", "the.patch")
    assert {name: (workspace / name).read_bytes() for name in files} == changed
