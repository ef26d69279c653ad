"""Downloads from a local server that misbehaves in every way that real ones do."""

import os
import resource
import signal
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from faulty_server import CONTENT, DIGEST, SIZE, Server

from vision_pipeline.core.errors import UserError
from vision_pipeline.core.locks import file_lock
from vision_pipeline.sources import download
from vision_pipeline.sources.download import DownloadError, download_file


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A server on 127.0.0.1, reached without a proxy."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    running = Server()
    yield running
    running.stop()


def why(failure: pytest.ExceptionInfo[DownloadError]) -> list[str]:
    """The reasons of a failure."""
    return [reason for _, reason in failure.value.attempts]


def test_a_file_is_fetched_and_verified(server: Server, tmp_path: Path) -> None:
    target = tmp_path / "deep" / "file.bin"
    assert download_file([server.url("good")], target, size=SIZE, sha256=DIGEST) == server.url("good")
    assert target.read_bytes() == CONTENT
    assert not (tmp_path / "deep" / "file.bin.partial").exists()


def test_a_file_that_is_there_is_not_fetched_again(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(CONTENT)
    download_file([server.url("missing")], tmp_path / "file", size=SIZE, sha256=DIGEST)
    assert server.log(0) == []


def test_the_published_start_of_a_checksum_is_enough(server: Server, tmp_path: Path) -> None:
    download_file([server.url("good")], tmp_path / "file", size=None, sha256=DIGEST[:8])
    assert (tmp_path / "file").read_bytes() == CONTENT
    with pytest.raises(DownloadError, match="expected 00000000"):
        download_file([server.url("good")], tmp_path / "other", size=None, sha256="00000000")


def test_a_broken_download_is_resumed_where_it_broke_off(server: Server, tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match=f"ended after {SIZE // 2} of {SIZE} bytes"):
        download_file([server.url("half")], tmp_path / "file", size=SIZE, sha256=DIGEST)
    assert (tmp_path / "file.partial").read_bytes() == CONTENT[: SIZE // 2]
    num_requests = len(server.log(2))
    download_file([server.url("good")], tmp_path / "file", size=SIZE, sha256=DIGEST)
    assert (tmp_path / "file").read_bytes() == CONTENT
    assert server.log(num_requests + 1)[num_requests:] == [("/good", f"bytes={SIZE // 2}-", SIZE - SIZE // 2)]


def test_a_flaky_host_is_asked_again_while_it_brings_bytes(server: Server, tmp_path: Path) -> None:
    download_file([server.url("flaky")], tmp_path / "file", size=SIZE, sha256=DIGEST)
    assert (tmp_path / "file").read_bytes() == CONTENT
    assert sum(sent for _, _, sent in server.log(3)) == SIZE


def test_the_next_mirror_continues_the_file(server: Server, tmp_path: Path) -> None:
    used = download_file([server.url("half"), server.url("good")], tmp_path / "file", size=SIZE, sha256=DIGEST)
    assert used == server.url("good")
    assert server.log(3)[-1] == ("/good", f"bytes={SIZE // 2}-", SIZE - SIZE // 2)


def test_a_killed_run_that_had_every_byte_asks_for_none(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file.partial").write_bytes(CONTENT)
    download_file([server.url("missing")], tmp_path / "file", size=SIZE, sha256=DIGEST)
    assert (tmp_path / "file").read_bytes() == CONTENT
    assert server.log(0) == []


def test_a_second_download_of_a_file_waits_for_the_first(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    target = tmp_path / "tiny" / "file"
    args = {"urls": [server.url("good")], "path": target, "size": SIZE, "sha256": DIGEST}
    second = threading.Thread(target=download_file, kwargs=args)
    with file_lock("download-tiny-file"):
        second.start()
        second.join(0.3)
        assert second.is_alive() and server.log(0) == []
    second.join(10)
    assert target.read_bytes() == CONTENT
    assert f"waiting for process {os.getpid()}, which downloads file" in capsys.readouterr().out


@pytest.mark.parametrize("answer", ["norange", "elsewhere"])
def test_a_server_that_cannot_resume_sends_the_whole_file(server: Server, tmp_path: Path, answer: str) -> None:
    (tmp_path / "file.partial").write_bytes(CONTENT[:1000])
    download_file([server.url(answer)], tmp_path / "file", size=SIZE, sha256=DIGEST)
    assert (tmp_path / "file").read_bytes() == CONTENT


@pytest.mark.parametrize("garbage", [b"g" * 1000, b"g" * SIZE, b"g" * (SIZE + 7)])
@pytest.mark.parametrize("size", [SIZE, None])
def test_a_wrong_partial_file_is_thrown_away(server: Server, tmp_path: Path, garbage: bytes, size: int | None) -> None:
    (tmp_path / "file.partial").write_bytes(garbage)
    download_file([server.url("good")], tmp_path / "file", size=size, sha256=DIGEST)
    assert (tmp_path / "file").read_bytes() == CONTENT


def test_without_a_checksum_nothing_is_resumed(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file.partial").write_bytes(b"g" * 1000)
    download_file([server.url("good")], tmp_path / "file", size=SIZE, sha256=None)
    assert (tmp_path / "file").read_bytes() == CONTENT
    assert server.log(1)[0][1] is None


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("missing", "HTTP 404"),
        ("error", "HTTP 500"),
        ("corrupt", f"expected {DIGEST}"),
        ("toolong", f"sent more than {SIZE} bytes"),
        ("othersize", f"offers 5 bytes, expected {SIZE}"),
        ("unknownlength", f"ended after 1000 of {SIZE} bytes"),
        ("loop", "infinite loop"),
        ("hops/0", "infinite loop"),
        ("tofile", "not allowed"),
    ],
)
def test_what_goes_wrong_is_said_and_the_next_mirror_is_used(
    server: Server, tmp_path: Path, answer: str, reason: str
) -> None:
    with pytest.raises(DownloadError) as failure:
        download_file([server.url(answer)], tmp_path / "file", size=SIZE, sha256=DIGEST)
    assert reason in why(failure)[0]
    assert not (tmp_path / "file").exists()
    assert download_file([server.url(answer), server.url("redirect")], tmp_path / "file", size=SIZE, sha256=DIGEST)
    assert (tmp_path / "file").read_bytes() == CONTENT


def test_redirects_are_few(server: Server, tmp_path: Path) -> None:
    with pytest.raises(DownloadError):
        download_file([server.url("hops/0")], tmp_path / "file", size=SIZE, sha256=DIGEST)
    assert len(server.log(6)) == download.MAX_REDIRECTS + 1


def test_a_redirects_body_is_not_read(server: Server, tmp_path: Path) -> None:
    assert download_file([server.url("endless")], tmp_path / "file", size=SIZE, sha256=DIGEST)
    assert (tmp_path / "file").read_bytes() == CONTENT
    (sent,) = [sent for path, _, sent in server.log(2) if path == "/endless"]
    assert sent < 64 << 20  # what lies in the buffers between


@pytest.mark.parametrize("answer", ["silent", "stall"])
def test_a_host_that_falls_silent_is_left(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: str
) -> None:
    monkeypatch.setattr(download, "TIMEOUT_SECONDS", 0.2)
    with pytest.raises(DownloadError) as failure:
        download_file([server.url(answer)], tmp_path / "file", size=SIZE, sha256=DIGEST)
    assert why(failure) == ["no answer for 0.2 s"]


def test_a_host_that_drips_is_left(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "STALL_WINDOW_SECONDS", 0.3)
    monkeypatch.setattr(download, "MAX_ATTEMPTS", 1)
    assert download_file(
        [server.url("drip"), server.url("norange")], tmp_path / "file", size=SIZE, sha256=DIGEST
    ) == server.url("norange")
    with pytest.raises(DownloadError, match="stalled: "):
        download_file([server.url("drip")], tmp_path / "other", size=SIZE, sha256=DIGEST)


def test_the_limit_holds_where_no_size_is_known(server: Server, tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match="sent more than 10000 bytes"):
        download_file([server.url("toolong")], tmp_path / "file", size=None, sha256=None, max_bytes=10_000)
    assert (tmp_path / "file.partial").stat().st_size == 0


def test_every_mirror_is_listed_with_its_reason(server: Server, tmp_path: Path) -> None:
    with socket.socket() as closed:  # bound, so that nobody else answers there, but not listening
        closed.bind(("127.0.0.1", 0))
        dead = f"http://127.0.0.1:{closed.getsockname()[1]}/x"
        urls = [server.url("missing"), dead, "ftp://127.0.0.1/x", "file:///etc/hostname"]
        with pytest.raises(DownloadError) as failure:
            download_file(urls, tmp_path / "file", size=SIZE, sha256=DIGEST)
    assert [url for url, _ in failure.value.attempts] == urls
    assert all(url in str(failure.value) for url in urls)
    assert "refused" in why(failure)[1]
    assert why(failure)[2:] == ["unknown url type: ftp", "unknown url type: file"]


def test_a_disk_that_cannot_be_written_is_not_the_mirror_s_fault(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file.partial").mkdir()
    with pytest.raises(UserError, match=r"file\.partial cannot be written"):
        download_file([server.url("good")], tmp_path / "file", size=SIZE, sha256=DIGEST)


def test_a_full_disk_is_not_the_mirror_s_fault_however_small_the_pieces(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beyond the size that a process may write, as on a full disk, `write` fails; a buffer would hide that."""
    monkeypatch.setattr(download, "_CHUNK_BYTES", 1400)
    before, ignored = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
        with pytest.raises(UserError, match=r"file\.partial cannot be written: .*File too large"):
            download_file([server.url("good"), server.url("norange")], tmp_path / "file", size=SIZE, sha256=DIGEST)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)
    assert [path for path, _, _ in server.log(1)] == ["/good"]
