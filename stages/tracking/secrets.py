"""What is neither shown nor logged: passwords in addresses, and the values of the environment's secrets."""

import os
import re

_HIDDEN = "***"
_VARIABLES = (
    "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN", "PGPASSWORD",
)  # fmt: skip
_SHORTEST = 6  # characters; the value "a" would be found in every text
# to the last @, slashes included, for who types a password does not always escape it; a quote more likely ends it
_IN_ADDRESS = re.compile(r"(://[^/\s:@]*):(?:[^\s\"'<>]*|\S*)@")
_TOKEN = re.compile(r"(https?://)[^/\s:@\"'<>]+@")
_IN_QUERY = re.compile(r"([?&](?:ssl)?password=)[^&\s]*")


def masked(text: str) -> str:
    """A text as it may be shown: each password and secret is three asterisks."""
    for secret in filter(None, map(os.environ.get, _VARIABLES)):
        if len(secret) >= _SHORTEST:
            text = text.replace(secret, _HIDDEN)
    text = _TOKEN.sub(rf"\1{_HIDDEN}@", _IN_ADDRESS.sub(rf"\1:{_HIDDEN}@", text))
    return _IN_QUERY.sub(rf"\1{_HIDDEN}", text)
