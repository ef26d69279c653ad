"""The plots: they are drawn for every odd case, are deterministic, and show what they should."""

import warnings
from pathlib import Path

import numpy as np
import pytest
from fake_reports import HISTORY, random_logits
from PIL import Image

from vision_pipeline.evaluation.metrics import compute_reliability, make_predictions
from vision_pipeline.evaluation.plots import (
    plot_confusion,
    plot_contexts,
    plot_learning_curves,
    plot_mistakes,
    plot_reliability,
)
from vision_pipeline.evaluation.tokens import most_surprising

# A class may be called anything: mathematics that matplotlib would parse, markup, very long names.
HOSTILE = ["$x_{", "<script>", "a" * 200, "two\nlines"]


def plot_all(folder: Path, names: list[str], images: int, ease: float) -> None:
    targets = np.arange(images) % len(names)
    predictions = make_predictions(random_logits(targets, len(names), ease), targets)
    plot_learning_curves(folder / "learning_curves.png", HISTORY, best_epoch=2)
    plot_confusion(folder / "confusion.png", predictions.confusion, names)
    plot_reliability(folder / "reliability.png", compute_reliability(predictions.confidence, predictions.correct, 10))
    pixels = np.zeros((images, 8, 8, 3), np.uint8)
    plot_mistakes(folder / "mistakes.png", predictions, images=pixels, class_names=names, max_mistakes=9)


def test_the_same_results_give_the_same_bytes(tmp_path: Path) -> None:
    for folder in ("one", "two"):
        plot_all(tmp_path / folder, ["cat", "dog"], 30, 1.0)
    files = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert files == ["confusion.png", "learning_curves.png", "mistakes.png", "reliability.png"]
    for file in files:
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes(), file


def test_pictures_name_no_software_and_no_time(tmp_path: Path) -> None:
    plot_all(tmp_path, ["cat", "dog"], 30, 1.0)
    for path in tmp_path.iterdir():
        with Image.open(path) as image:
            assert set(image.info) == {"dpi"}, path


def test_a_persons_own_matplotlib_settings_change_nothing(tmp_path: Path) -> None:
    import matplotlib as mpl

    plot_confusion(tmp_path / "plain.png", np.eye(2, dtype=int), ["cat", "dog"])
    with mpl.rc_context({"figure.facecolor": "black", "font.size": 30, "savefig.dpi": 30}):
        plot_confusion(tmp_path / "styled.png", np.eye(2, dtype=int), ["cat", "dog"])
        assert mpl.rcParams["font.size"] == 30  # and theirs are as they were
    assert (tmp_path / "plain.png").read_bytes() == (tmp_path / "styled.png").read_bytes()


@pytest.mark.parametrize(
    ("names", "images", "ease"),
    [(HOSTILE, 40, 1.0), (["cat", "dog"], 1, 5.0), (["cat", "dog"], 1, -5.0), ([str(i) for i in range(45)], 90, 1.0)],
    ids=["hostile names", "one image, right", "one image, wrong", "45 classes"],
)
def test_odd_cases_are_drawn_without_a_warning(tmp_path: Path, names: list[str], images: int, ease: float) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        plot_all(tmp_path, names, images, ease)
    for path in tmp_path.iterdir():
        with Image.open(path) as image:
            assert min(image.size) > 80, path


def read_pixels(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


def count_pixels(picture: np.ndarray, colour: tuple[int, int, int]) -> int:
    return int((picture == colour).all(axis=2).sum())


def test_the_mistakes_drawn_are_the_surest_ones(tmp_path: Path) -> None:
    """Three images in colours of their own; the first is right, the third is the surest mistake."""
    logits, targets = np.array([[4.0, 0.0], [1.0, 0.0], [2.0, 0.0]]), np.array([0, 1, 1])
    colours = [(250, 0, 250), (0, 250, 250), (250, 250, 0)]
    images = np.stack([np.full((8, 8, 3), colour, np.uint8) for colour in colours])
    predictions = make_predictions(logits, targets)
    for file, count in (("one.png", 1), ("two.png", 2)):
        plot_mistakes(tmp_path / file, predictions, images=images, class_names=["cat", "dog"], max_mistakes=count)
    first, second = read_pixels(tmp_path / "one.png"), read_pixels(tmp_path / "two.png")
    assert [count_pixels(first, colour) > 10_000 for colour in colours] == [False, False, True]
    assert [count_pixels(second, colour) > 10_000 for colour in colours] == [False, True, True]
    columns = [np.flatnonzero((second == colour).all(axis=2).any(axis=0))[0] for colour in (colours[2], colours[1])]
    assert columns[0] < columns[1]


def test_grey_images_are_drawn_as_they_are_stored(tmp_path: Path) -> None:
    """A dim image stays dim: its range is not stretched."""
    predictions, images = make_predictions(np.eye(2), np.array([1, 1])), np.full((2, 8, 8, 1), 77, np.uint8)
    plot_mistakes(tmp_path / "m.png", predictions, images=images, class_names="ab", max_mistakes=9)
    assert count_pixels(read_pixels(tmp_path / "m.png"), (77, 77, 77)) > 10_000


def test_no_mistakes_says_so_in_the_picture(tmp_path: Path) -> None:
    predictions = make_predictions(np.eye(2), np.array([0, 1]))
    images = np.zeros((2, 8, 8, 1), np.uint8)
    plot_mistakes(tmp_path / "m.png", predictions, images=images, class_names=["cat", "dog"], max_mistakes=9)
    green = (47, 143, 91)  # colour of the sentence
    assert count_pixels(read_pixels(tmp_path / "m.png"), green) > 50


def test_confusion_colours_shares_of_the_true_class(tmp_path: Path) -> None:
    """9 of 10 and 900 of 1,000 get the same colour."""
    plot_confusion(tmp_path / "c.png", np.array([[9, 1], [100, 900]]), ["cat", "dog"])
    picture = read_pixels(tmp_path / "c.png")
    values, counts = np.unique(picture.reshape(-1, 3), axis=0, return_counts=True)
    large = {tuple(int(v) for v in value): int(n) for value, n in zip(values, counts, strict=True) if n > 8000}
    assert len(large) == 3  # white, the share 0.9 twice, the share 0.1 twice


@pytest.mark.parametrize("count", [0, 1, 24])
def test_the_picture_grows_with_its_lines(tmp_path: Path, count: int) -> None:
    tokens = np.zeros(30, np.int64)
    contexts = most_surprising(make_predictions(np.zeros((30, 4)), tokens), tokens, list("↵␣ab"), count)
    plot_contexts(tmp_path / "p.png", "Title", contexts)
    with Image.open(tmp_path / "p.png") as image:
        assert image.width > 700
        assert abs(image.height - 120 * (0.55 + 0.27 * max(1, count))) < 40
