"""Messages reach the terminal as one line each; VISION_LOG chooses how much of them."""

import re
import subprocess
import sys
from collections.abc import Iterator

import pytest

from vision_pipeline.core.errors import ArtifactError, ConfigError, DataError, UserError
from vision_pipeline.core.logging import VARIABLE, logger, setup_logging


@pytest.fixture(autouse=True)
def default_level(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The level of other tests again, whatever a test sets."""
    monkeypatch.delenv(VARIABLE, raising=False)
    yield
    monkeypatch.delenv(VARIABLE, raising=False)
    setup_logging()


def test_news_are_bare_lines_and_warnings_say_so(capsys: pytest.CaptureFixture[str]) -> None:
    setup_logging()
    logger.debug("hidden")
    logger.info("mnist: 10 images")
    logger.warning("a class is empty")
    logger.error("stopped")
    printed = capsys.readouterr()
    assert printed.out == "mnist: 10 images\n"
    assert printed.err == "WARNING: a class is empty\nERROR: stopped\n"


def test_debug_adds_time_and_module(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "DEBUG")
    setup_logging()
    logger.debug("a detail")
    logger.info("news")
    detail, news = capsys.readouterr().out.splitlines()
    assert re.fullmatch(r"\d\d:\d\d:\d\d test_logging: DEBUG: a detail", detail)
    assert re.fullmatch(r"\d\d:\d\d:\d\d test_logging: news", news)


def test_warning_leaves_out_news(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "warning")
    setup_logging()
    logger.info("news")
    logger.warning("careful")
    assert capsys.readouterr() == ("", "WARNING: careful\n")


def test_messages_are_printed_once_however_often_it_is_set_up(capsys: pytest.CaptureFixture[str]) -> None:
    setup_logging()
    setup_logging()
    logger.info("once")
    assert capsys.readouterr().out == "once\n"


def test_a_level_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "loud")
    with pytest.raises(ConfigError, match="VISION_LOG is 'loud'; allowed: debug, info, warning, error"):
        setup_logging()


@pytest.mark.parametrize("module", ["stages.check", "vision_pipeline.cli.main"])
def test_a_stage_and_a_command_refuse_a_level_in_one_line(module: str, repository: object) -> None:
    done = subprocess.run(
        [sys.executable, "-m", module], cwd=str(repository), env={"VISION_LOG": "loud", "PATH": ""},
        capture_output=True, text=True,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "ERROR: VISION_LOG is 'loud'; allowed: debug, info, warning, error\n"


def test_a_closed_pipe_is_no_error_of_logging(repository: object) -> None:
    code = "from vision_pipeline.core.logging import *; setup_logging(); [logger.info('x' * 1000) for _ in range(1000)]"
    done = subprocess.run(
        f'{sys.executable} -c "{code}" | head -1', shell=True, cwd=str(repository), capture_output=True, text=True
    )
    assert "--- Logging error ---" not in done.stderr


def test_every_expected_error_is_a_user_error() -> None:
    assert all(issubclass(error, UserError) for error in (ConfigError, DataError, ArtifactError))
