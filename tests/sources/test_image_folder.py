"""A user's folder of class folders becomes Parquet, or is refused with the reason."""

import os
from pathlib import Path

import pytest
from own_folder import fill, packed

from vision_pipeline.core.errors import UserError
from vision_pipeline.sources.image_folder import pack_image_folder


def test_rows_are_sorted_and_labelled(root: Path, into: Path) -> None:
    fill(root, ".DS_Store", "rose/.hidden.jpg", "daisy/.cache/x.jpg", ".git/objects/x.jpg", "README.md")
    assert pack_image_folder(root, into) == ["daisy", "rose"]
    assert packed(into, "train") == [
        ("daisy/1.jpeg", "daisy/1.jpeg", 0),
        ("daisy/deep/2.webp", "daisy/deep/2.webp", 0),
        ("rose/a.PNG", "rose/a.PNG", 1),
        ("rose/b.jpg", "rose/b.jpg", 1),
    ]
    assert not (into / "test-00000-of-00001.parquet").exists()


def test_train_and_test(tmp_path: Path, into: Path) -> None:
    fill(tmp_path / "own", "train/a/1.png", "train/b/2.png", "test/a/3.png", "test/b/4.png")
    assert pack_image_folder(tmp_path / "own", into) == ["a", "b"]
    assert packed(into, "train") == [("a/1.png", "train/a/1.png", 0), ("b/2.png", "train/b/2.png", 1)]
    assert packed(into, "test") == [("a/3.png", "test/a/3.png", 0), ("b/4.png", "test/b/4.png", 1)]


def test_the_same_images_give_the_same_bytes(root: Path, tmp_path: Path) -> None:
    fill(tmp_path / "elsewhere", "rose/a.PNG", "daisy/deep/2.webp", "rose/b.jpg", "daisy/1.jpeg")
    os.utime(tmp_path / "elsewhere/rose/a.PNG", (0, 0))
    for name in ("own", "elsewhere"):
        (tmp_path / f"from {name}").mkdir()
        pack_image_folder(tmp_path / name, tmp_path / f"from {name}")
    file = "train-00000-of-00001.parquet"
    assert (tmp_path / "from own" / file).read_bytes() == (tmp_path / "from elsewhere" / file).read_bytes()


def test_what_is_no_image_is_left_out_and_named(root: Path, into: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fill(root, "rose/notes.txt", "rose/a.json", "daisy/b.JSON", "daisy/\x1b[31m.odd name")
    pack_image_folder(root, into)
    assert len(packed(into, "train")) == 4
    assert capsys.readouterr().out == (
        f"{root}: left out as no images by their names: .json 2, .txt 1, other names 1, "
        f"such as {root}/daisy/?[31m.odd name\n"
    )


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ([], "is not a folder"),
        (["readme.txt"], "too few class folders .found: none"),
        (["a/1.png"], "too few class folders .found: a"),
        (["a/1.png", "b/notes.txt"], "/b has no images"),
        (["a/1.png", "b/.hidden.png"], "/b has no images"),
        (["train/a/1.png", "train/b/2.png", "val/a/3.png"], "holds train/, val/, named as splits"),
        (["train/a/1.png", "train/b/2.png", "test/a/3.png"], "test/b has no images"),
        (["train/a/1.png", "train/b/2.png", "test/a/3.png", "test/b/4.png", "test/c/5.png"], "c is a class that"),
    ],
)
def test_a_folder_that_makes_no_data_set_is_refused(tmp_path: Path, into: Path, files: list[str], message: str) -> None:
    fill(tmp_path / "own", *files)
    with pytest.raises(UserError, match=message):
        pack_image_folder(tmp_path / "own", into)


def test_a_link_within_the_folder_is_followed(root: Path, into: Path) -> None:
    (root / "rose/c.jpg").symlink_to("b.jpg")
    pack_image_folder(root, into)
    assert packed(into, "train")[-1] == ("rose/c.jpg", "rose/b.jpg", 1)


@pytest.mark.parametrize("target", ["../../secret.jpg", "/etc/hostname", "../daisy", "link.jpg"])
def test_a_link_that_leads_out_or_to_a_folder_is_refused(root: Path, into: Path, target: str) -> None:
    fill(root.parent, "secret.jpg")
    (root / "rose/link.jpg").symlink_to(target)
    with pytest.raises(UserError, match=r"rose/link\.jpg is a link"):
        pack_image_folder(root, into)


def test_a_link_into_the_cache_of_dvc_names_dvc_unprotect(root: Path, into: Path) -> None:
    fill(root.parent, "cache/files/md5/7c/87a27b1eed500bd67ba90739a1dfdb")
    (root / "rose/c.jpg").symlink_to(root.parent / "cache/files/md5/7c/87a27b1eed500bd67ba90739a1dfdb")
    with pytest.raises(
        UserError, match=rf"c\.jpg is a link into DVC's cache .* `dvc unprotect {root}` puts .* cache.type"
    ):
        pack_image_folder(root, into)


def test_a_class_that_is_a_link_is_refused(root: Path, into: Path) -> None:
    fill(root.parent, "outside/x.jpg")
    (root / "tulip").symlink_to("../outside")
    with pytest.raises(UserError, match="tulip is a link"):
        pack_image_folder(root, into)


def test_of_a_huge_file_no_more_is_packed_than_shows_that_it_is_too_large(root: Path, into: Path) -> None:
    with (root / "rose/huge.png").open("wb") as file:
        file.truncate(257 << 20)
    pack_image_folder(root, into)
    sizes = {name: len(content) for name, content, _ in packed(into, "train")}
    assert sizes["rose/huge.png"] == (64 << 20) + 1


def test_a_pipe_does_not_block(root: Path, into: Path) -> None:
    os.mkfifo(root / "rose/pipe.jpg")
    pack_image_folder(root, into)
    assert len(packed(into, "train")) == 4


def test_a_class_whose_name_is_not_utf8_is_refused_before_anything_is_packed(root: Path, into: Path) -> None:
    fill(root, os.fsdecode(b"caf\xe9/1.jpg"))
    with pytest.raises(UserError, match="caf\ufffd has a name that is not UTF-8"):
        pack_image_folder(root, into)
    assert list(into.iterdir()) == []


def test_an_image_whose_name_is_not_utf8_is_packed(root: Path, into: Path) -> None:
    fill(root, os.fsdecode(b"rose/caf\xe9.jpg"))
    pack_image_folder(root, into)
    assert packed(into, "train")[-1][0] == "rose/caf\ufffd.jpg"
