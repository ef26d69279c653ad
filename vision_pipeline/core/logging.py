"""The project's logger, which prints each message as one line on the terminal."""

import logging
import os
import sys

from vision_pipeline.core.errors import ConfigError

logger = logging.getLogger("vision_pipeline")

VARIABLE = "VISION_LOG"
_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


class _TerminalHandler(logging.Handler):
    """A handler that prints news to stdout and warnings to stderr, whatever these are at that moment."""

    def emit(self, record: logging.LogRecord) -> None:
        """Print a record; an error of the stream, such as a closed pipe, is raised."""
        print(self.format(record), file=sys.stderr if record.levelno >= logging.WARNING else sys.stdout, flush=True)


class _LineFormatter(logging.Formatter):
    """A formatter that adds the level to all messages but news, and time and module at level debug."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line to print."""
        text = super().format(record)
        line = text if record.levelno == logging.INFO else f"{record.levelname}: {text}"
        if logger.level > logging.DEBUG:
            return line
        return f"{self.formatTime(record, '%H:%M:%S')} {record.module}: {line}"


def setup_logging() -> None:
    """Send the project's messages to the terminal; VISION_LOG sets the least level that is printed.

    Stages and commands call it. A notebook may: without it, only warnings are printed.

    Raises:
        ConfigError: VISION_LOG is no level.
    """
    level = os.environ.get(VARIABLE, "info").lower()
    if level not in _LEVELS:
        raise ConfigError(f"{VARIABLE} is {level!r}; allowed: {', '.join(_LEVELS)}")
    logger.setLevel(_LEVELS[level])
    if not logger.handlers:
        handler = _TerminalHandler()
        handler.setFormatter(_LineFormatter())
        logger.addHandler(handler)
        logger.propagate = False
