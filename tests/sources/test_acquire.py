"""A data set is taken from the first source that has it, and its provenance is recorded."""

import gzip
import hashlib
from pathlib import Path

import numpy as np
import pytest
from raw_folders import idx_bytes, random_images
from tiny_set import ARCHIVES, Tiny

from vision_pipeline.core.errors import UserError
from vision_pipeline.core.files import write_json
from vision_pipeline.data.readers.dispatch import open_raw_dataset
from vision_pipeline.sources.acquire import acquire_dataset
from vision_pipeline.sources.catalog import CatalogEntry, RemoteFile, read_entry

HUB = "https://hub.invalid/"


def put(folder: Path, files: dict[str, bytes] = ARCHIVES) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)


def file_names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("place", ["", "tiny"])
def test_official_archives_of_the_mirror(tiny: Tiny, into: Path, mirror: Path, place: str) -> None:
    put(mirror / place)
    provenance = acquire_dataset(tiny.entry(), "auto", into)
    listing = "".join(f"{hashlib.sha256(content).hexdigest()}  {name}\n" for name, content in ARCHIVES.items())
    assert provenance == {
        "name": "tiny",
        "status": "official",
        "source": "mirror",
        "format": "idx",
        "files": {name: hashlib.sha256(content).hexdigest() for name, content in ARCHIVES.items()},
        "digest": hashlib.sha256(listing.encode()).hexdigest(),
        "licence": "none",
        "class_names": ["a", "b"],
        "note": "",
    }
    assert file_names(into) == ["one.gz", "two.gz"]
    assert (into / "one.gz").stat().st_nlink == 1  # a copy: DVC write-protects what it is given


@pytest.mark.parametrize("place", ["tiny/plain", "someone/tiny/plain"])
@pytest.mark.parametrize("order", [None, [5, 6, 7, 8, 9, 0, 1, 2, 3, 4]])
def test_parquet_with_the_official_pixels(
    tiny: Tiny, into: Path, mirror: Path, place: str, order: list[int] | None
) -> None:
    tiny.write(mirror / place, order)
    provenance = acquire_dataset(tiny.entry(), "mirror", into)
    assert (provenance["status"], provenance["format"], provenance["note"]) == ("official", "parquet", "")
    assert file_names(into) == [
        "test-00000-of-00001.parquet",
        "train-00000-of-00002.parquet",
        "train-00001-of-00002.parquet",
    ]


def test_one_other_pixel_makes_a_variant(tiny: Tiny, into: Path, mirror: Path) -> None:
    entry = tiny.entry()
    tiny.images["train"][3, 0, 0] ^= 1
    tiny.labels["test"][0] ^= 1
    tiny.write(mirror / "tiny/plain")
    provenance = acquire_dataset(entry, "auto", into)
    assert provenance["status"] == "variant"
    assert provenance["note"] == (
        "pixels of train differ from the official release's; labels of test differ from the official release's"
    )


def test_another_row_count_makes_a_variant(tiny: Tiny, into: Path, mirror: Path) -> None:
    tiny.write(mirror / "tiny/plain")
    provenance = acquire_dataset(tiny.entry(rows={"train": 23_410, "test": 4}), "auto", into)
    assert provenance["status"] == "variant"
    assert provenance["note"] == "train has 10 images, the official release 23,410"


def test_images_that_cannot_be_read_make_a_variant(tiny: Tiny, into: Path, mirror: Path) -> None:
    from vision_pipeline.sources.hub_parquet import write_hub_parquet

    tiny.write(mirror / "tiny/plain")
    rows = [(b"no image", "x.png", 0)] * 4
    write_hub_parquet(mirror / "tiny/plain/test-00000-of-00001.parquet", rows, ["a", "b"])
    assert acquire_dataset(tiny.entry(), "auto", into)["note"] == "pixels of test differ from the official release's"


def test_swapped_classes_are_not_used(tiny: Tiny, into: Path, mirror: Path) -> None:
    tiny.write(mirror / "tiny/plain", class_names=("b", "a"))
    with pytest.raises(UserError, match=r"has the classes \['b', 'a'\], expected \['a', 'b'\]"):
        acquire_dataset(tiny.entry(), "mirror", into)


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"one.gz": ARCHIVES["one.gz"]}, "lacks two.gz"),
        ({**ARCHIVES, "two.gz": b"short"}, "has 5 bytes, expected 14"),
        ({**ARCHIVES, "two.gz": b"second archivE"}, "expected " + hashlib.sha256(ARCHIVES["two.gz"]).hexdigest()),
    ],
)
def test_a_damaged_archive_is_not_used(
    tiny: Tiny, into: Path, mirror: Path, files: dict[str, bytes], message: str
) -> None:
    put(mirror, files)
    with pytest.raises(UserError, match=message):
        acquire_dataset(tiny.entry(), "mirror", into)
    assert file_names(into) == []
    tiny.write(mirror / "tiny/plain")
    assert acquire_dataset(tiny.entry(), "mirror", into)["format"] == "parquet"


def test_a_missing_shard_is_named(tiny: Tiny, into: Path, mirror: Path) -> None:
    tiny.write(mirror / "tiny/plain")
    (mirror / "tiny/plain/train-00001-of-00002.parquet").unlink()
    with pytest.raises(UserError, match=r"train-00001-of-00002\.parquet"):
        acquire_dataset(tiny.entry(), "mirror", into)


def test_a_file_that_is_not_parquet_is_named(tiny: Tiny, into: Path, mirror: Path) -> None:
    tiny.write(mirror / "tiny/plain")
    (mirror / "tiny/plain/test-00000-of-00001.parquet").write_bytes(b"PAR1 no, it is not PAR1")
    with pytest.raises(UserError, match=r"test-00000-of-00001\.parquet is not a Parquet file"):
        acquire_dataset(tiny.entry(), "mirror", into)


def test_a_mirror_that_is_not_there_is_refused(tiny: Tiny, into: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATA_MIRROR", "nowhere")
    with pytest.raises(UserError, match="DATA_MIRROR is 'nowhere', but there is no such folder"):
        acquire_dataset(tiny.entry(), "auto", into)


def test_a_forced_mirror_that_is_not_set_is_refused(tiny: Tiny, into: Path) -> None:
    with pytest.raises(UserError, match="DATA_MIRROR is not set"):
        acquire_dataset(tiny.entry(), "mirror", into)


def test_a_relative_mirror_counts_from_the_repository(
    tiny: Tiny, into: Path, mirror: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(mirror)
    monkeypatch.setenv("DVC_ROOT", str(mirror.parent))
    monkeypatch.chdir(into)
    assert acquire_dataset(tiny.entry(), "auto", into)["source"] == "mirror"


def test_official_archives_from_the_second_mirror(tiny: Tiny, into: Path, internet: dict[str, bytes]) -> None:
    internet.update({f"https://two.invalid/{name}": content for name, content in ARCHIVES.items()})
    provenance = acquire_dataset(tiny.entry(), "auto", into)
    assert (provenance["status"], provenance["source"]) == ("official", "official")
    assert provenance["url"] == "https://one.invalid/"  # whichever mirror answered, the same bytes are written
    assert file_names(into) == ["one.gz", "two.gz"]


def test_an_empty_mirror_falls_through_and_says_so(
    tiny: Tiny, into: Path, mirror: Path, internet: dict[str, bytes], capsys: pytest.CaptureFixture[str]
) -> None:
    internet.update({f"https://one.invalid/{name}": content for name, content in ARCHIVES.items()})
    assert acquire_dataset(tiny.entry(), "auto", into)["source"] == "official"
    assert f"tiny: mirror: {mirror} has nothing to use for it" in capsys.readouterr().out


def test_hub_parquet_where_the_archives_cannot_be_had(
    tiny: Tiny, into: Path, tmp_path: Path, internet: dict[str, bytes]
) -> None:
    tiny.write(tmp_path / "hub")
    internet.update({HUB + path.name: path.read_bytes() for path in (tmp_path / "hub").iterdir()})
    provenance = acquire_dataset(tiny.entry(), "official", into)
    assert (provenance["status"], provenance["format"], provenance["url"]) == ("official", "parquet", HUB)


def test_a_web_page_instead_of_parquet_is_not_used(tiny: Tiny, into: Path, internet: dict[str, bytes]) -> None:
    for file in tiny.entry().releases[1].files:
        internet[HUB + file.name] = b"<html>Please log in</html>"
    with pytest.raises(UserError, match="is not a Parquet file"):
        acquire_dataset(tiny.entry(), "official", into)
    assert file_names(into) == []


def test_what_was_fetched_is_kept_when_the_rest_fails(tiny: Tiny, into: Path, internet: dict[str, bytes]) -> None:
    internet["https://one.invalid/one.gz"] = ARCHIVES["one.gz"]
    with pytest.raises(UserError) as refusal:
        acquire_dataset(tiny.entry(), "official", into)
    for url in ("https://one.invalid/two.gz", "https://two.invalid/two.gz", HUB + "train-00000-of-00002.parquet"):
        assert f"{url}: unreachable" in str(refusal.value)
    internet.clear()
    internet["https://one.invalid/two.gz"] = ARCHIVES["two.gz"]
    assert acquire_dataset(tiny.entry(), "official", into)["status"] == "official"


def clothes() -> tuple[CatalogEntry, dict[str, bytes]]:
    """The entry of Fashion-MNIST with small files in place of its own, and their content by address."""
    entry = read_entry(Path(__file__).parents[2] / "data/catalog/fashion_mnist.yaml")
    arrays = [
        random_images(20, 28, 28), np.arange(20, dtype=np.uint8) % 10, random_images(10, 28, 28, seed=1),
        np.arange(10, dtype=np.uint8),
    ]  # fmt: skip
    release = entry.releases[0]
    files = {file.name: gzip.compress(idx_bytes(array)) for file, array in zip(release.files, arrays, strict=True)}
    remote = [
        RemoteFile(name=name, size=len(content), sha256=hashlib.sha256(content).hexdigest())
        for name, content in files.items()
    ]
    small = entry.model_copy(update={"releases": [release.model_copy(update={"files": remote})]})
    return small, {release.urls[0] + name: content for name, content in files.items()}


def test_fashion_mnist_comes_from_its_publisher_and_is_read(into: Path, internet: dict[str, bytes]) -> None:
    entry, pages = clothes()
    internet.update(pages)
    provenance = acquire_dataset(entry, "official", into)
    assert (provenance["status"], provenance["source"], provenance["licence"]) == (
        "official",
        "official",
        "MIT (Zalando SE)",
    )
    write_json(into / "provenance.json", provenance)
    raw = open_raw_dataset(into)
    assert raw.class_names[:2] == ["t-shirt", "trouser"]
    items = list(raw.iter_examples())
    assert ([item.split for item in items].count("train"), len(items)) == (20, 30)
    assert items[29].label == 9


def test_its_files_are_not_taken_for_mnist_s_which_are_called_the_same(into: Path, mirror: Path) -> None:
    entry, pages = clothes()
    put(mirror, {address.rsplit("/", 1)[1]: b"MNIST's" for address in pages})
    with pytest.raises(UserError, match="has 7 bytes, expected"):
        acquire_dataset(entry, "mirror", into)
    put(mirror / "fashion_mnist", {address.rsplit("/", 1)[1]: content for address, content in pages.items()})
    assert acquire_dataset(entry, "mirror", into)["status"] == "official"


def test_fashion_mnist_has_no_stand_in(into: Path, internet: dict[str, bytes]) -> None:
    with pytest.raises(UserError, match="there is no stand-in for fashion_mnist"):
        acquire_dataset(clothes()[0], "auto", into)


def test_the_last_resort_is_the_stand_in(tiny: Tiny, into: Path, internet: dict[str, bytes]) -> None:
    entry = tiny.entry(name="cifar10", class_names=[str(number) for number in range(10)])
    provenance = acquire_dataset(entry, "auto", into)
    assert (provenance["status"], provenance["source"], provenance["format"]) == ("stand-in", "stand-in", "parquet")
    assert provenance["note"] == "1,800 images drawn by this project"
    assert internet == {}


def test_a_data_set_without_a_stand_in_is_refused(tiny: Tiny, into: Path) -> None:
    with pytest.raises(UserError, match="there is no stand-in for tiny"):
        acquire_dataset(tiny.entry(), "stand-in", into)


@pytest.mark.real
@pytest.mark.parametrize(
    ("name", "status", "note"),
    [
        ("mnist", "official", ""),
        (
            "cifar10",
            "variant",
            "pixels of train differ from the official release's; pixels of test differ from the official release's",
        ),
        ("cats_dogs", "variant", "train has 10,000 images, the official release 25,000"),
    ],
)
def test_the_real_images(
    real_data: Path, repository: Path, into: Path, monkeypatch: pytest.MonkeyPatch, name: str, status: str, note: str
) -> None:
    from vision_pipeline.sources.catalog import read_entry

    monkeypatch.setenv("DATA_MIRROR", str(real_data))
    entry: CatalogEntry = read_entry(repository / f"data/catalog/{name}.yaml")
    provenance = acquire_dataset(entry, "auto", into)
    assert (provenance["status"], provenance["source"], provenance["note"]) == (status, "mirror", note)
