"""Images for a trained model: which files a path stands for."""

from pathlib import Path

import pytest

from vision_pipeline.cli.input_images import expand_paths
from vision_pipeline.core.errors import UserError


@pytest.fixture(autouse=True)
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_folders_are_listed_by_name_and_files_as_given() -> None:
    for path in ("d/b.png", "d/a.JPG", "d/c/0.webp", "z.txt"):
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).touch()
    assert [str(path) for path in expand_paths([Path("z.txt"), Path("d")])] == [
        "z.txt",
        "d/a.JPG",
        "d/b.png",
        "d/c/0.webp",
    ]


def test_a_folders_images_are_those_of_a_training(capsys: pytest.CaptureFixture[str]) -> None:
    for path in (
        "d/a.jfif",
        "d/b.jpe",
        "d/x.jpg/c.png",
        "d/._a.jpg",
        "d/@eaDir/a.jpg/SYNOPHOTO_THUMB_S.jpg",
        "d/e.HEIC",
    ):
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).touch()
    assert [str(path) for path in expand_paths([Path("d")])] == ["d/a.jfif", "d/b.jpe", "d/x.jpg/c.png"]
    assert "WARNING: d: left out because their formats are not read: .heic 1; convert" in capsys.readouterr().err
    Path("only").mkdir()
    Path("d/e.HEIC").rename("only/e.HEIC")
    with pytest.raises(UserError, match=r"only holds no images \(.*\.heic 1; convert them to JPEG or PNG"):
        expand_paths([Path("only")])
