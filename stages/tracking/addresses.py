"""Addresses of databases and stores, absolute: in the throw-away copy of an experiment a relative one would be lost."""

import os
from pathlib import Path
from urllib.parse import unquote, urlsplit

from stages.project.console import Refusal
from stages.project.paths import home

_FOLDERS = "MLFLOW_ALLOW_FILE_STORE"  # MLflow's variable, by which it goes on writing into folders


def absolute(address: str, setting: str) -> str:
    """Return the address of an MLflow store, its file or folder counted from the repository; a server's as it is.

    Args:
        address: as somebody has set it.
        setting: the variable or key that it is set in, for messages.

    Raises:
        Refusal: it is a database in memory, or a folder, which MLflow no longer writes unless it is asked to.
    """
    scheme = urlsplit(address).scheme
    if scheme.startswith("sqlite"):
        return in_repository(address, setting)
    if scheme not in ("", "file") or address == "databricks":
        return address
    if os.environ.get(_FOLDERS, "").lower() not in ("true", "1"):
        raise Refusal(
            f"{setting} is the folder {address}, and MLflow keeps runs in a database now; set it to "
            "sqlite:///mlruns.db, or so (`mlflow migrate-filestore` takes over the runs that a folder has)"
        )
    return (home() / unquote(urlsplit(address).path)).as_uri()


def in_repository(address: str, setting: str) -> str:
    """Return a SQLite database's address with its file counted from the repository.

    Args:
        address: as SQLAlchemy takes it: `?` begins options, and `%` is a character by its number.
        setting: the variable, key or option that it is set in, for messages.

    Raises:
        Refusal: it has no file.
    """
    scheme, prefix, path, options = _parts(address)
    if path in ("", ":memory:") or "mode=memory" in options:
        raise Refusal(f"{setting}: a database in memory cannot be shared with the trainings; name a file")
    file = str(home() / path).replace("%", "%25").replace("?", "%3F")
    return f"{scheme}:///{prefix}{file}" + (f"?{options}" if options else "")


def database_file(address: str) -> Path | None:
    """Return the file of an absolute SQLite address, None of another address."""
    return Path(_parts(address)[2]) if address.startswith("sqlite") else None


def _parts(address: str) -> tuple[str, str, str, str]:
    """Return a SQLite address's scheme, `file:` where its path has that in front, the path and the options."""
    scheme, _, rest = address.partition("://")
    path, _, options = rest.removeprefix("/").partition("?")
    prefix = "file:" if "uri=true" in options else ""  # SQLite's own form of an address
    return scheme, prefix, unquote(path).removeprefix(prefix), options
