"""Failures of the store: which may pass, and what is said of them."""

from stages.project.console import Refusal, warn
from stages.tracking.secrets import masked
from stages.tracking.store import mode


def refused(error: Exception) -> bool:
    """Whether the store has answered, and will not answer otherwise: HTTP's 4xx but for "later" (408, 429)."""
    from mlflow.exceptions import MlflowException

    if isinstance(error, MlflowException):
        status = error.get_http_status_code()
    else:  # of requests, which moves the artifacts
        status = getattr(getattr(error, "response", None), "status_code", 500)
    return isinstance(error, Refusal) or (400 <= status < 500 and status not in (408, 429))


def give_up(what: str, error: Exception) -> None:
    """Say what was not logged.

    Raises:
        Refusal: TRACKING is strict.
    """
    lost = f"MLflow: {what} could not be logged ({told(error)})"
    if mode() == "strict":
        raise Refusal(f"{lost}, and TRACKING is strict") from error
    warn(f"{lost}; the results are not touched, and `vision sync` logs it later")


def told(error: Exception) -> str:
    """Return kind and first line of an error, of a refusal the line alone, without passwords."""
    first_line = (str(error).splitlines() or [""])[0]
    return masked(first_line if isinstance(error, Refusal) else f"{type(error).__name__}: {first_line}")
