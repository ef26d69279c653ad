"""Redaction of secrets before a text is printed or logged: passwords in addresses, values of secret variables."""

import os
import re

_MASK = "***"
_SECRET_VARIABLES = (
    "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN", "PGPASSWORD",
)  # fmt: skip
_MIN_SECRET_LENGTH = 6  # characters; the value "a" would be found in every text
# up to the last @, slashes included, because a typed password is not always escaped; a quote more likely ends it
_PASSWORD_IN_URL = re.compile(r"(://[^/\s:@]*):(?:[^\s\"'<>]*|\S*)@")
_TOKEN_IN_URL = re.compile(r"(https?://)[^/\s:@\"'<>]+@")
_PASSWORD_IN_QUERY = re.compile(r"([?&](?:ssl)?password=)[^&\s]*")


def redact(text: str) -> str:
    """Return a text in which each password and secret is replaced by three asterisks."""
    for secret in filter(None, map(os.environ.get, _SECRET_VARIABLES)):
        if len(secret) >= _MIN_SECRET_LENGTH:
            text = text.replace(secret, _MASK)
    text = _TOKEN_IN_URL.sub(rf"\1{_MASK}@", _PASSWORD_IN_URL.sub(rf"\1:{_MASK}@", text))
    return _PASSWORD_IN_QUERY.sub(rf"\1{_MASK}", text)
