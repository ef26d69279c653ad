"""Errors that a user can mend. The message is one line: what happened, the file or the key, and the fix."""


class UserError(Exception):
    """Expected error; a stage or a command prints its message without a traceback and exits with code 1."""


class ConfigError(UserError):
    """A file of settings (params.yaml, an experiment, a sweep, a preset) that is missing or not valid."""


class DataError(UserError):
    """Images, texts, archives or prepared data that are missing, damaged or do not fit."""


class ArtifactError(UserError):
    """A file that the pipeline wrote (checkpoint, export, report) and that is missing, damaged or does not fit."""
