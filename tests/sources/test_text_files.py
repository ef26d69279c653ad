"""Texts of the user's own, from a file or an address, and public ones."""

import hashlib
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from vision_pipeline.core.errors import UserError
from vision_pipeline.data.token_datasets import read_text
from vision_pipeline.sources import text_files
from vision_pipeline.sources.acquire import acquire_dataset
from vision_pipeline.sources.catalog import read_copy_entry, read_entry
from vision_pipeline.sources.text_files import import_text

CATALOG = Path(__file__).parents[2] / "data" / "catalog"


@pytest.fixture
def into(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DATA_MIRROR", raising=False)
    monkeypatch.delenv("DVC_ROOT", raising=False)
    (tmp_path / "raw").mkdir()
    return tmp_path / "raw"


def test_a_file_is_copied_as_it_is(into: Path) -> None:
    Path("mine.txt").write_bytes(b"a\r\nb")
    provenance = import_text("mine", "mine.txt", into)
    assert (into / "text.txt").read_bytes() == b"a\r\nb"
    assert (provenance["status"], provenance["source"], provenance["format"], provenance["class_names"]) == (
        "own",
        "file",
        "text",
        [],
    )
    assert provenance["files"] == {"text.txt": hashlib.sha256(b"a\r\nb").hexdigest()}


def test_an_address_is_fetched_and_its_digest_recorded(into: Path) -> None:
    Path("served").mkdir()
    Path("served/mine.txt").write_bytes(b"hello")
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(SimpleHTTPRequestHandler, directory="served"))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        url = f"http://127.0.0.1:{server.server_port}/mine.txt"
        provenance = import_text("mine", url, into)
        with pytest.raises(UserError, match=r"datasets\.mine\.path: .*none\.txt: .*404"):
            import_text("mine", url.replace("mine.txt", "none.txt"), into)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    assert (into / "text.txt").read_bytes() == b"hello"
    assert (provenance["source"], provenance["url"]) == ("address", url)
    assert provenance["files"] == {"text.txt": hashlib.sha256(b"hello").hexdigest()}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"ab\xe4cd", "mine.txt is not UTF-8: invalid continuation byte at byte 2; save it as UTF-8"),
        (b"", "mine.txt is empty"),
        (b"hello, longer", "mine.txt has 13 bytes; a text may have 12"),
        (None, "mine.txt cannot be read: No such file or directory"),
    ],
)
def test_what_is_no_text(into: Path, content: bytes | None, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_files, "_MAX_TEXT_BYTES", 12)
    if content is not None:
        Path("mine.txt").write_bytes(content)
    with pytest.raises(UserError, match=message):
        import_text("mine", "mine.txt", into)
    assert list(into.iterdir()) == []


def test_shakespeares_stand_in_is_sonnets(into: Path) -> None:
    provenance = acquire_dataset(read_entry(CATALOG / "shakespeare.yaml"), "stand-in", into)
    assert (provenance["status"], provenance["format"]) == ("stand-in", "text")
    text = read_text(into)
    assert text.startswith("Shall I compare thee to a summer's day?\n")
    assert 8_000 < len(text) < 10_000
    assert text.isascii()
    assert text.count("\n\n") + 1 == 14


def test_shakespeare_from_a_mirror_must_be_the_published_file(into: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("mirror").mkdir()
    Path("mirror/input.txt").write_bytes(b"x" * 1_115_394)
    monkeypatch.setenv("DATA_MIRROR", "mirror")
    with pytest.raises(UserError, match=r"input\.txt has the SHA-256 .*, expected 86c4e6aa"):
        acquire_dataset(read_entry(CATALOG / "shakespeare.yaml"), "mirror", into)


def test_the_catalogues_facts() -> None:
    (release,) = read_entry(CATALOG / "shakespeare.yaml").releases
    assert [(file.name, file.size) for file in release.files] == [("input.txt", 1_115_394)]
    assert read_copy_entry(CATALOG / "copy.yaml").symbols == list("abcdefgh")


@pytest.mark.parametrize(
    "content",
    [
        "name: c\nsymbols: [a, a]\nrows: {train: 1, val: 1, test: 1}\n",
        "name: c\nsymbols: [a, b]\nrows: {train: 1, val: 1}\n",
        "name: c\nsymbols: [a]\nrows: {train: 1, val: 1, test: 1}\n",
    ],
)
def test_a_copy_entry_that_makes_no_task(tmp_path: Path, content: str) -> None:
    (tmp_path / "copy.yaml").write_text(content)
    with pytest.raises(UserError, match="is not a valid catalogue entry"):
        read_copy_entry(tmp_path / "copy.yaml")


def test_an_entry_of_images_needs_its_classes(tmp_path: Path) -> None:
    entry = (CATALOG / "cifar10.yaml").read_text()
    lines = [line for line in entry.splitlines() if not line.startswith("class_names")]
    (tmp_path / "cifar10.yaml").write_text("\n".join(lines))
    with pytest.raises(UserError, match="images need class_names, two at least, and rows"):
        read_entry(tmp_path / "cifar10.yaml")
