"""Better sources than those of the data at hand are detected."""

import json
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from tiny_set import ARCHIVES, Tiny

from vision_pipeline.core.errors import UserError
from vision_pipeline.sources import availability
from vision_pipeline.sources.availability import find_better_source, find_better_weights
from vision_pipeline.sources.pretrained_weights import lookup_weights


@pytest.fixture(params=[True, False], ids=["online", "offline"])
def online(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """With hosts that answer, and without."""
    monkeypatch.setattr(availability, "_any_reachable", lambda urls: request.param)
    return bool(request.param)


def at_hand(folder: Path, source: str, status: str, files: dict[str, bytes] = ARCHIVES) -> Path:
    """Raw data with a provenance; returns the folder of all raw data."""
    (folder / "raw/tiny").mkdir(parents=True)
    for name, content in files.items():
        (folder / "raw/tiny" / name).write_bytes(content)
    provenance = {"source": source, "status": status, "files": dict.fromkeys(files, "")}
    (folder / "raw/tiny/provenance.json").write_text(json.dumps(provenance))
    return folder / "raw"


def mirrored(mirror: Path) -> None:
    """Put the archives into the mirror."""
    for name, content in ARCHIVES.items():
        (mirror / name).write_bytes(content)


def test_nothing_at_hand_is_left_to_the_stage(tiny: Tiny, mirror: Path, tmp_path: Path, online: bool) -> None:
    mirrored(mirror)
    assert (
        find_better_source("tiny", tiny.entry(), requested="auto", raw_dir=tmp_path / "raw", probe_network=True) is None
    )


def test_a_stand_in_is_replaced_by_the_mirror(tiny: Tiny, mirror: Path, tmp_path: Path, online: bool) -> None:
    raw = at_hand(tmp_path, "stand-in", "stand-in")
    assert find_better_source("tiny", tiny.entry(), requested="auto", raw_dir=raw, probe_network=False) is None
    mirrored(mirror)
    assert find_better_source("tiny", tiny.entry(), requested="auto", raw_dir=raw, probe_network=False) == "mirror"


def test_a_stand_in_is_replaced_by_the_official_release(tiny: Tiny, into: Path, tmp_path: Path, online: bool) -> None:
    raw = at_hand(tmp_path, "stand-in", "stand-in")
    assert find_better_source("tiny", tiny.entry(), requested="auto", raw_dir=raw, probe_network=True) == (
        "official" if online else None
    )
    assert find_better_source("tiny", tiny.entry(), requested="auto", raw_dir=raw, probe_network=False) is None
    assert find_better_source("tiny", tiny.entry(), requested="stand-in", raw_dir=raw, probe_network=True) is None


def test_what_the_mirror_gave_is_replaced_when_the_mirror_has_changed(
    tiny: Tiny, mirror: Path, tmp_path: Path, online: bool
) -> None:
    raw = at_hand(tmp_path, "mirror", "official")
    mirrored(mirror)
    assert find_better_source("tiny", tiny.entry(), requested="auto", raw_dir=raw, probe_network=True) is None
    (raw / "tiny/one.gz").write_bytes(b"of another size")
    assert find_better_source("tiny", tiny.entry(), requested="auto", raw_dir=raw, probe_network=True) == "mirror"


def test_what_the_mirror_gave_stays_when_the_mirror_is_gone(
    tiny: Tiny, into: Path, tmp_path: Path, online: bool
) -> None:
    raw = at_hand(tmp_path, "mirror", "variant")
    assert find_better_source("tiny", tiny.entry(), requested="auto", raw_dir=raw, probe_network=True) is None


def test_the_official_release_stays_whatever_the_mirror_has(
    tiny: Tiny, mirror: Path, tmp_path: Path, online: bool
) -> None:
    raw = at_hand(tmp_path, "official", "official")
    mirrored(mirror)
    assert find_better_source("tiny", tiny.entry(), requested="auto", raw_dir=raw, probe_network=True) is None
    assert find_better_source("tiny", tiny.entry(), requested="official", raw_dir=raw, probe_network=True) is None


def test_a_forced_source_is_asked_for(tiny: Tiny, mirror: Path, tmp_path: Path, online: bool) -> None:
    raw = at_hand(tmp_path, "mirror", "variant")
    assert find_better_source("tiny", tiny.entry(), requested="official", raw_dir=raw, probe_network=True) == (
        "official" if online else None
    )
    assert find_better_source("tiny", tiny.entry(), requested="stand-in", raw_dir=raw, probe_network=True) == "stand-in"


def test_a_mirror_that_is_not_there_is_refused(
    tiny: Tiny, into: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATA_MIRROR", "nowhere")
    with pytest.raises(UserError, match="no such folder"):
        find_better_source(
            "tiny",
            tiny.entry(),
            requested="auto",
            raw_dir=at_hand(tmp_path, "stand-in", "stand-in"),
            probe_network=False,
        )


def test_only_random_weights_are_replaced(mirror: Path, tmp_path: Path, online: bool) -> None:
    (tmp_path / "weights/densenet121").mkdir(parents=True)
    provenance = tmp_path / "weights/densenet121/provenance.json"
    provenance.write_text('{"status": "random"}')
    entry = lookup_weights("torchvision", "densenet121")
    provenance.with_name("published.json").write_text(entry.model_dump_json())

    def better(network: bool, requested: str = "auto") -> str | None:
        return find_better_weights("densenet121", requested, tmp_path / "weights", network)

    assert better(network=False) is None
    assert better(network=True) == ("official" if online else None)
    (mirror / "weights").mkdir()
    (mirror / "weights/densenet121-a639ec97.pth").write_bytes(b"")
    assert better(network=True) == "mirror"
    assert better(network=True, requested="random") is None
    provenance.write_text('{"status": "pretrained"}')
    assert better(network=True) is None


def test_hosts_are_asked_with_one_small_request(monkeypatch: pytest.MonkeyPatch) -> None:
    paths: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            paths.append(self.path)
            self.send_response(200 if self.path == "/there" else 404)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        host = f"http://127.0.0.1:{server.server_address[1]}"
        assert availability._any_reachable([host + "/there", host + "/there-too"])
        assert not availability._any_reachable([host + "/gone"])
        server.shutdown()
    assert paths == ["/there", "/gone"]
    assert not availability._any_reachable([host + "/there"])


def test_asking_loads_nothing_heavy(repository: Path) -> None:
    heavy = "{'numpy', 'pyarrow', 'PIL', 'sklearn', 'pandas', 'torch', 'mlflow'}"
    code = f"import sys, vision_pipeline.sources.availability; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=repository, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
