"""A backbone's weights come from the first source that has them; random ones are never silent."""

import hashlib
from pathlib import Path

import pytest

from vision_pipeline.core.errors import UserError
from vision_pipeline.sources.catalog import WeightsEntry
from vision_pipeline.sources.pretrained_weights import acquire_weights, lookup_weights

CONTENT = b"weights"
DIGEST = hashlib.sha256(CONTENT).hexdigest()
URL = "https://one.invalid/net.pth"


# published under a shortened checksum
NET = WeightsEntry(
    licence="MIT", file="net.pth", sha256=DIGEST[:8], limit=100, mean=[0.5] * 3, std=[0.2] * 3, url=URL, package=None
)


def expected_provenance(source: str) -> dict[str, str | None]:
    """The provenance of weights that are there."""
    keys = {"file": "net.pth", "sha256": DIGEST, "licence": "MIT", "note": ""}
    return {"name": "net", "status": "pretrained", "source": source, **keys}


def test_from_the_mirror(mirror: Path, into: Path) -> None:
    (mirror / "weights").mkdir()
    (mirror / "weights/net.pth").write_bytes(CONTENT)
    assert acquire_weights("net", "auto", NET, into) == expected_provenance("mirror")
    assert (into / "net.pth").read_bytes() == CONTENT


def test_from_the_publisher(into: Path, internet: dict[str, bytes]) -> None:
    internet[URL] = CONTENT
    assert acquire_weights("net", "auto", NET, into) == expected_provenance("official")
    assert (into / "net.pth").read_bytes() == CONTENT


def test_without_a_published_checksum_the_digest_of_what_came_is_kept(into: Path, internet: dict[str, bytes]) -> None:
    internet[URL] = b"anything"
    provenance = acquire_weights("net", "official", NET.model_copy(update={"sha256": None}), into)
    assert provenance["sha256"] == hashlib.sha256(b"anything").hexdigest()


@pytest.mark.parametrize(("content", "message"), [(b"other", "has the SHA-256"), (b"w" * 101, "larger than 100 bytes")])
def test_wrong_bytes_are_not_used(mirror: Path, into: Path, content: bytes, message: str) -> None:
    (mirror / "weights").mkdir()
    (mirror / "weights/net.pth").write_bytes(content)
    with pytest.raises(UserError, match=message):
        acquire_weights("net", "mirror", NET, into)
    assert list(into.iterdir()) == []


def test_random_weights_are_said_loudly(
    into: Path, internet: dict[str, bytes], capsys: pytest.CaptureFixture[str]
) -> None:
    provenance = acquire_weights("net", "auto", NET, into)
    assert (provenance["status"], provenance["source"], provenance["file"], provenance["sha256"]) == (
        "random",
        "random",
        None,
        None,
    )
    warning = capsys.readouterr().err
    assert warning.startswith("WARNING: net: its pretrained weights cannot be had")
    assert f"{URL}: unreachable" in warning
    assert "`dvc repro -f -s weights@net`" in warning


def test_random_weights_that_were_asked_for_need_no_warning(into: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert acquire_weights("net", "random", NET, into)["status"] == "random"
    assert capsys.readouterr().err == ""


def test_a_forced_source_that_fails_is_refused(into: Path, internet: dict[str, bytes]) -> None:
    for source, message in (
        ("official", f"{URL}: unreachable"),
        ("mirror", "DATA_MIRROR is not set"),
        ("package", "no package carries them"),
    ):
        with pytest.raises(UserError, match=message):
            acquire_weights("net", source, NET, into)


def test_efficientnet_lite0_comes_with_its_package(into: Path) -> None:
    provenance = acquire_weights("lite0", "auto", lookup_weights("timm", "tf_efficientnet_lite0"), into)
    assert (provenance["status"], provenance["source"]) == ("pretrained", "package")
    assert provenance["file"] == "efficientnet-lite0-57934424.pth"
    assert hashlib.sha256((into / str(provenance["file"])).read_bytes()).hexdigest() == provenance["sha256"]
