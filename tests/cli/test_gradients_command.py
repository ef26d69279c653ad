"""`vision gradients` on a text and on sequences."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tiny_model import PROVENANCE, tiny_checkpoint
from tiny_text import VOCABULARY, text_checkpoint

from vision_pipeline.cli.gradients import gradients
from vision_pipeline.core.errors import UserError
from vision_pipeline.data.format import SPLITS, write_info, write_tokens
from vision_pipeline.models.checkpoint import save_checkpoint


def write_set(shape: tuple[int, ...]) -> None:
    folder = Path("data/prepared/tiny")
    for split in SPLITS:
        symbols = np.random.default_rng(0).integers(0, 6, shape)
        targets = np.roll(symbols, -1) if symbols.ndim == 1 else symbols[:, 0]
        write_tokens(folder, split, tokens=symbols, targets=targets, vocabulary_size=6)
    write_info(folder, "text" if len(shape) == 1 else "sequences", VOCABULARY, mean=[], std=[], provenance=PROVENANCE)


@pytest.mark.parametrize(("shape", "lengths"), [((500,), [1, 2, 5, 10, 20, 50, 100]), ((70, 20), [1, 2, 5, 10, 20])])
def test_a_line_for_each_length(
    shape: tuple[int, ...],
    lengths: list[int],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    write_set(shape)
    save_checkpoint(Path("small.pth"), text_checkpoint(shape=list(shape[1:])))
    gradients("small.pth", Path("g.png"))
    head, *lines = capsys.readouterr().out.splitlines()
    assert head == "steps  gradient"
    assert [int(line.split()[0]) for line in lines] == lengths
    assert all(float(line.split()[1]) > 0 for line in lines)
    assert Image.open("g.png").size[0] > 500


def test_a_model_of_images_is_refused(tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "small.pth", tiny_checkpoint())
    with pytest.raises(UserError, match="small is no recurrent model"):
        gradients(str(tmp_path / "small.pth"), tmp_path / "g.png")


def test_other_symbols_than_the_models_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_set((500,))
    save_checkpoint(Path("small.pth"), replace(text_checkpoint(), class_names=[*VOCABULARY[:-1], "?"]))
    with pytest.raises(UserError, match="was trained on other symbols or lengths than data/prepared/tiny has"):
        gradients("small.pth", Path("g.png"))
