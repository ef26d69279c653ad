"""Files of systems are skipped, formats that are not read are listed: in training and in prediction alike."""

import os
from pathlib import Path

import pytest
from own_folder import fill, packed

from vision_pipeline.core.errors import UserError
from vision_pipeline.data.readers.raw import read_left_out
from vision_pipeline.sources.image_files import UnusedFiles, list_files, match_skip_pattern, select_images
from vision_pipeline.sources.image_folder import pack_image_folder
from vision_pipeline.sources.provenance import make_provenance

SYSTEM = [
    ".DS_Store",
    "._a.jpg",
    "__MACOSX",
    ".Spotlight-V100",
    ".Trashes",
    ".fseventsd",
    "Thumbs.db",
    "thumbs.db",
    "ehthumbs.db",
    "ehthumbs_vista.db",
    "desktop.ini",
    "Desktop.ini",
    "$RECYCLE.BIN",
    "FOUND.000",
    "@eaDir",
    "#recycle",
    "@tmp",
    "#snapshot",
    "SYNOPHOTO_THUMB_S.jpg",
    ".@__thumb",
    "@Recycle",
    ".@__qini",
    "@Recently-Snapshot",
    ".directory",
    "lost+found",
    ".Trash-1000",
    ".thumbnails",
    ".xvpics",
    ".fuse_hidden0001",
    ".nfs0001",
    ".ipynb_checkpoints",
    ".git",
    ".dvc",
    ".gitignore",
    "cat.dvc",
    ".dropbox.cache",
    ".stfolder",
    ".sync",
    ".AppleDouble",
]


@pytest.mark.parametrize("name", [*SYSTEM, "Icon\r", "System Volume Information"])
def test_what_a_system_leaves_is_skipped_and_counted(name: str, root: Path, into: Path, capsys) -> None:
    fill(root, f"rose/{name}/x.jpg", f"rose/sub/{name}", f"{name}/x.jpg")
    assert pack_image_folder(root, into) == ["daisy", "rose"]
    assert len(packed(into, "train")) == 4
    printed = capsys.readouterr()
    assert printed.out.startswith(f"{root}: skipped as hidden or of the system: ")
    assert printed.out.endswith(" 3\n")
    assert "is left out; rename it" not in printed.err


@pytest.mark.parametrize("name", ["found.1.jpg", "recycle", "thumbs", "icon", "tmp", "snapshot", "at@tmp", "cache"])
def test_other_names_are_not_skipped(name: str) -> None:
    assert match_skip_pattern(name) is None


def test_a_class_whose_name_begins_with_a_dot_is_named(root: Path, into: Path, capsys) -> None:
    fill(root, ".cats/1.jpg", ".config/settings")
    pack_image_folder(root, into)
    assert capsys.readouterr().err == (
        f"WARNING: the folder {root}/.cats begins with a dot and is left out; rename it if it is a class\n"
    )


def test_images_that_are_not_used_are_listed_with_the_reason(root: Path, into: Path, capsys) -> None:
    fill(root, "rose/1.HEIC", "rose/2.avif", "daisy/deep/3.ppm", "daisy/4.CR2", "cover.jpg", "labels.csv")
    pack_image_folder(root, into)
    assert read_left_out(into) == [
        ("cover.jpg", "it lies in no class folder"),
        ("daisy/4.CR2", "the format is not read (camera raw); convert it to JPEG or PNG"),
        ("daisy/deep/3.ppm", "the format is not read (PNM); convert it to JPEG or PNG"),
        ("rose/1.HEIC", "the format is not read (HEIC); convert it to JPEG or PNG"),
        ("rose/2.avif", "the format is not read (AVIF); convert it to JPEG or PNG"),
    ]
    assert capsys.readouterr().out == (
        f"{root}: left out because their formats are not read: .avif 1, .cr2 1, .heic 1, .ppm 1; "
        "convert them to JPEG or PNG, such as with ImageMagick (`mogrify -format jpg FILES`)\n"
        f"{root}: left out because they lie in no class folder: .jpg 1, such as {root}/cover.jpg\n"
    )


def test_what_is_left_out_does_not_change_the_digest(root: Path, tmp_path: Path) -> None:
    digests = []
    for folder in ("before", "after"):
        (tmp_path / folder).mkdir()
        class_names = pack_image_folder(root, tmp_path / folder)
        digests.append(
            make_provenance(
                "own",
                status="own",
                source="folder",
                data_format="parquet",
                folder=tmp_path / folder,
                licence="yours",
                class_names=class_names,
            )["digest"]
        )
        fill(root, "rose/1.heic")
    assert digests[0] == digests[1]
    assert (tmp_path / "after/left_out.csv").exists()


def test_a_class_in_a_format_that_is_not_read_names_the_suffixes(root: Path, into: Path) -> None:
    fill(root, "tulip/1.heic", "tulip/2.HEIC", "tulip/3.heif", "tulip/notes.txt")
    with pytest.raises(
        UserError, match=r"tulip has no images in a format that is read, only \.heic 2, \.heif 1; convert"
    ):
        pack_image_folder(root, into)


def test_a_damaged_list_is_refused_by_its_name(tmp_path: Path) -> None:
    for content in (b"", b"file,reason\na\n", b"file,reason\n\xff,b\n", b'file,reason\n"a'):
        (tmp_path / "left_out.csv").write_bytes(content)
        with pytest.raises(UserError, match=r"left_out\.csv is damaged"):
            read_left_out(tmp_path)


def test_folders_links_and_pipes_that_are_named_as_images(tmp_path: Path) -> None:
    fill(tmp_path, "x.jpg/a.png", "b.jfif", "c.jpe")
    (tmp_path / "folder.png").symlink_to("x.jpg")
    (tmp_path / "link.png").symlink_to("b.jfif")
    os.mkfifo(tmp_path / "pipe.png")
    images = select_images(list_files(tmp_path), UnusedFiles())
    assert [file.relative_to(tmp_path).as_posix() for file in images] == ["b.jfif", "c.jpe", "link.png", "x.jpg/a.png"]
