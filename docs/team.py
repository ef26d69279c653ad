"""Start what a team shares, on this machine: MLflow's server on PostgreSQL, and a bucket for artifacts and data.

`python docs/team.py` opens a shell in which everything is set; `python docs/team.py bash docs/team.sh` shows it all.
What it starts listens on 127.0.0.1 only, keeps its data in a temporary folder, and ends with the command.
It needs `pip install -e '.[team]'` and PostgreSQL's programs (Debian: `apt-get install postgresql`).
"""

import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

_SECONDS_TO_START = 120
_BUCKET = "team"
_LOOPBACK = "127.0.0.1"


def missing() -> str:
    """Return the names of missing packages and programs; empty where nothing is missing."""
    modules = {"psycopg2": "psycopg2-binary", "boto3": "boto3", "dvc_s3": "dvc-s3", "moto": "moto[server]"}
    packages = [package for module, package in modules.items() if find_spec(module) is None]
    return ", ".join(packages + ([] if _postgres_folder() else ["PostgreSQL's initdb and postgres"]))


def _postgres_folder() -> Path | None:
    """Return the folder of PostgreSQL's programs, of the newest version; Debian keeps them out of PATH."""
    on_path = shutil.which("initdb")
    programs = [Path(on_path)] if on_path else sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return programs[-1].parent if programs else None


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((_LOOPBACK, 0))
        return probe.getsockname()[1]


@dataclass
class Servers:
    """PostgreSQL, a bucket like S3's and MLflow's server, each a process of its own.

    Attributes:
        folder: the folder of their data and logs.
        password: password of PostgreSQL's user and secret key of the bucket; random.
        ports: ports by server.
        running: processes by server.
    """

    folder: Path
    password: str = field(default_factory=lambda: secrets.token_hex(12))
    ports: dict[str, int] = field(default_factory=lambda: {name: _free_port() for name in ("postgres", "s3", "mlflow")})
    running: dict[str, subprocess.Popen] = field(default_factory=dict)

    def database(self, name: str) -> str:
        """Return the address of a database; it names the driver because SQLAlchemy's default has changed."""
        return f"postgresql+psycopg2://vision:{self.password}@{_LOOPBACK}:{self.ports['postgres']}/{name}"

    def variables(self) -> dict[str, str]:
        """Return the variables of a worker's environment: addresses and secrets."""
        s3 = f"http://{_LOOPBACK}:{self.ports['s3']}"
        keys = {
            "AWS_ACCESS_KEY_ID": "vision",
            "AWS_SECRET_ACCESS_KEY": self.password,
            "AWS_DEFAULT_REGION": "us-east-1",
        }
        return keys | {
            "MLFLOW_TRACKING_URI": f"http://{_LOOPBACK}:{self.ports['mlflow']}",
            "SWEEP_STORAGE": self.database("optuna"),
            "AWS_ENDPOINT_URL": s3,
            "REMOTE_URL": f"s3://{_BUCKET}/dvc",
        }

    def start_postgres(self) -> None:
        """Start PostgreSQL; the first time, make its data folder and the databases."""
        programs, data = _postgres_folder(), self.folder / "postgres"
        assert programs is not None
        new = not data.exists()
        if new:
            data.mkdir()
            word = data.with_name("password")
            word.write_text(self.password)
            if owner := _unprivileged():
                for path in (data, word):
                    shutil.chown(path, **owner)
            access = ("--username=vision", "--auth=scram-sha-256", f"--pwfile={word}", "--no-sync")
            self._finish(programs / "initdb", "-D", data, *access, **_unprivileged())
        port = self.ports["postgres"]
        command = (programs / "postgres", "-D", data, "-h", _LOOPBACK, "-p", port, "-k", self.folder)
        self._start("postgres", *command, **_unprivileged())
        self._wait("postgres", lambda: self._sql("SELECT 1"))
        for name in ("mlflow", "optuna") if new else ():
            self._sql(f"CREATE DATABASE {name}")

    def start_s3(self) -> None:
        """Start the bucket, whose content is lost when it ends."""
        import boto3

        self._start("s3", sys.executable, "-m", "moto.server", "-H", _LOOPBACK, "-p", self.ports["s3"])
        self._wait("s3", lambda: socket.create_connection((_LOOPBACK, self.ports["s3"]), 1).close())
        credentials = {
            "aws_access_key_id": "vision",
            "aws_secret_access_key": self.password,
            "region_name": "us-east-1",
        }
        boto3.client("s3", endpoint_url=self.variables()["AWS_ENDPOINT_URL"], **credentials).create_bucket(
            Bucket=_BUCKET
        )

    def start_mlflow(self) -> None:
        """Start MLflow's server; the environment holds its database's address because all users can read arguments."""
        port = self.ports["mlflow"]
        store = ("--artifacts-destination", f"s3://{_BUCKET}/mlflow", "--workers", 1)
        address = ("--host", _LOOPBACK, "--port", port, "--allowed-hosts", f"{_LOOPBACK}:{port}")
        settings = {"MLFLOW_BACKEND_STORE_URI": self.database("mlflow"), "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
        settings |= {"MLFLOW_S3_ENDPOINT_URL": self.variables()["AWS_ENDPOINT_URL"], "MLFLOW_DISABLE_TELEMETRY": "true"}
        environment = os.environ | self.variables() | settings
        environment.pop("MLFLOW_TRACKING_URI")
        self._start("mlflow", sys.executable, "-m", "mlflow", "server", *store, *address, env=environment)
        self._wait("mlflow", lambda: socket.create_connection((_LOOPBACK, port), 1).close())

    def stop(self, name: str) -> None:
        """Stop a server and the processes that it started."""
        process = self.running.pop(name)
        if process.poll() is None:
            stop_signal = (
                signal.SIGTERM if name == "mlflow" else signal.SIGINT
            )  # on SIGTERM PostgreSQL waits for its clients
            os.killpg(process.pid, stop_signal)
            process.wait(60)

    def _sql(self, command: str) -> None:
        import psycopg2

        connection = psycopg2.connect(self.database("postgres").replace("+psycopg2", ""))
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(command)
        connection.close()

    def _start(self, name: str, *command: object, **options: object) -> None:
        with (self.folder / f"{name}.log").open("ab") as log:
            self.running[name] = subprocess.Popen(
                list(map(str, command)), stdout=log, stderr=log, start_new_session=True, **options
            )  # type: ignore[call-overload]

    def _finish(self, *command: object, **options: object) -> None:
        with (self.folder / "setup.log").open("ab") as log:
            subprocess.run(list(map(str, command)), stdout=log, stderr=log, check=True, **options)  # type: ignore[call-overload]

    def _wait(self, name: str, ready: Callable[[], None]) -> None:
        last: Exception | None = None
        for _ in range(_SECONDS_TO_START * 5):
            try:
                return ready()
            except Exception as error:
                last = error
            if self.running[name].poll() is not None:
                break
            time.sleep(0.2)
        log = (self.folder / f"{name}.log").read_text(errors="replace")
        raise SystemExit(f"{name} did not start ({last}); the end of its log:\n{log[-3000:]}")


def _unprivileged() -> dict[str, str]:
    """Return the user and group of PostgreSQL's processes and files, which refuses to run as root."""
    if os.geteuid() != 0:
        return {}
    return {"user": "nobody", "group": "nogroup"}


@contextmanager
def servers() -> Iterator[Servers]:
    """Run all three servers inside the block; their data are removed at its end."""
    with tempfile.TemporaryDirectory(prefix="team-") as folder:
        Path(folder).chmod(0o711)
        if os.geteuid() == 0:
            shutil.chown(folder, **_unprivileged())
        started = Servers(Path(folder))
        try:
            for start in (started.start_postgres, started.start_s3, started.start_mlflow):
                start()
            yield started
        finally:
            for name in reversed(list(started.running)):
                started.stop(name)


def main(command: Sequence[str]) -> int:
    """Run a command, or a shell, in the environment of a worker; its exit status."""
    if missing_names := missing():
        raise SystemExit(f"install first: {missing_names}; docs/team.md says how")
    print("starting PostgreSQL, the bucket and MLflow's server; half a minute ...", flush=True)
    with servers() as started:
        print(f"MLflow: {started.variables()['MLFLOW_TRACKING_URI']}; exit the shell to end it all", flush=True)
        environment = os.environ | started.variables() | {"TEAM": str(started.folder)}
        return subprocess.run(command or [os.environ.get("SHELL", "bash")], env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
