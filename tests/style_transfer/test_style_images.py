"""The style pictures of a catalogue, and of a folder."""

from pathlib import Path

import numpy as np
import pytest

from vision_pipeline.core.errors import ConfigError, DataError
from vision_pipeline.sources.image_files import list_files
from vision_pipeline.style_transfer.style_images import iter_style_images


def _not_read(path: Path, size: int) -> np.ndarray:
    raise AssertionError(f"{path} is read")


def test_the_projects_catalogue_draws_every_motif_in_every_palette(repository: Path) -> None:
    drawn = list(iter_style_images(repository / "data/catalog/styles.yaml", 16, _not_read, list_files))
    assert [picture.shape for picture in drawn] == [(16, 16, 3)] * 64
    assert len({picture.tobytes() for picture in drawn}) == 64


def test_another_palette_leaves_the_others_pictures_as_they_are(tmp_path: Path) -> None:
    catalogue = tmp_path / "styles.yaml"
    catalogue.write_text('motifs: [dabs]\npalettes: {ink: ["#000000", "#ffffff"]}\n')
    (alone,) = iter_style_images(catalogue, 16, _not_read, list_files)
    catalogue.write_text('motifs: [dabs]\npalettes: {sea: ["#001020", "#80f0ff"], ink: ["#000000", "#ffffff"]}\n')
    assert np.array_equal(list(iter_style_images(catalogue, 16, _not_read, list_files))[1], alone)


def test_a_folders_pictures_come_by_name(tmp_path: Path) -> None:
    for name in (
        "b/2.png",
        "a.png",
        "b/1.png",
        ".DS_Store",
        ".thumbs/a.png",
        "b/._1.png",
        "b/@eaDir/1.png",
        "Thumbs.db",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    read_files = []

    def read(path: Path, size: int) -> np.ndarray:
        read_files.append((path.relative_to(tmp_path).as_posix(), size))
        return np.zeros((size, size, 3), np.uint8)

    assert len(list(iter_style_images(tmp_path, 8, read, list_files))) == 3
    assert read_files == [("a.png", 8), ("b/1.png", 8), ("b/2.png", 8)]


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("motifs: [dabs]\n", "palettes: Field required"),
        ('motifs: [dubs]\npalettes: {ink: ["#000000", "#ffffff"]}\n', "motif 'dubs'; did you mean 'dabs'"),
        ('motifs: [dabs]\npalettes: {ink: ["#000000", "white"]}\n', r"palettes\.ink\.1"),
        ('motifs: [dabs]\npalettes: {ink: ["#000000"]}\n', r"palettes\.ink"),
        ("motifs: [", "is not valid YAML"),
    ],
)
def test_what_is_no_catalogue_is_refused(content: str, why: str, tmp_path: Path) -> None:
    (tmp_path / "styles.yaml").write_text(content)
    with pytest.raises(ConfigError, match=rf"styles\.yaml.*{why}"):
        iter_style_images(tmp_path / "styles.yaml", 16, _not_read, list_files)


def test_an_empty_folder_and_a_missing_file_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no style pictures"):
        iter_style_images(tmp_path, 16, _not_read, list_files)
    with pytest.raises(ConfigError, match=r"none\.yaml is missing"):
        iter_style_images(tmp_path / "none.yaml", 16, _not_read, list_files)
