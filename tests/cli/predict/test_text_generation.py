"""`vision predict --prompt`: the output of a step is the next one's input."""

import json
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest
import torch
import typer
from tiny_model import tiny_checkpoint
from tiny_text import VOCABULARY, text_checkpoint
from typer.testing import CliRunner, Result

from vision_pipeline.cli.predict.command import predict
from vision_pipeline.cli.predict.text_generation import generate_text
from vision_pipeline.models.checkpoint import build_from_checkpoint, build_with_preprocessing, save_checkpoint


def run(*arguments: str) -> Result:
    app = typer.Typer()
    app.command()(predict)
    return CliRunner().invoke(app, list(arguments))


@pytest.fixture(autouse=True)
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    save_checkpoint(Path("exports/small/checkpoint.pth"), text_checkpoint())
    save_checkpoint(Path("exports/dark/checkpoint.pth"), tiny_checkpoint())
    save_checkpoint(Path("exports/copy/checkpoint.pth"), text_checkpoint(shape=[9]))


@pytest.mark.parametrize("cell", ["elman", "lstm", "gru", "none"])
def test_each_symbol_is_the_likeliest_after_all_that_was_said(cell: str) -> None:
    checkpoint = text_checkpoint(cell)
    text = generate_text(checkpoint, "he", length=30, temperature=0.0, top_k=0, seed=0)
    assert len(text) == 30
    assert text.startswith("he")
    numbers = torch.tensor([[VOCABULARY.index(symbol) for symbol in text]], dtype=torch.uint8)
    assert torch.equal(build_with_preprocessing(checkpoint)(numbers)[0, 1:-1].argmax(1), numbers[0, 2:].long())


def test_it_is_said_and_written() -> None:
    result = run("small", "--prompt", "hell", "--length", "12", "--json", "out.json")
    assert result.exit_code == 0, result.exception
    text = generate_text(text_checkpoint(), "hell", length=12, temperature=0.0, top_k=0, seed=0)
    assert result.stdout == text + "\n"
    assert json.loads(Path("out.json").read_text()) == {"model": "small", "prompt": "hell", "text": text}


def test_a_seed_draws_the_same_text_again() -> None:
    draws = [
        generate_text(text_checkpoint(), "h", length=60, temperature=1.0, top_k=0, seed=seed) for seed in (1, 1, 2)
    ]
    assert draws[0] == draws[1] != draws[2]


def test_symbols_are_drawn_by_their_chances() -> None:
    checkpoint = text_checkpoint("none")  # what comes next depends on the symbol alone
    text = generate_text(checkpoint, "h", length=20_000, temperature=2.0, top_k=3, seed=0)
    counts = Counter(after for before, after in pairwise(text) if before == "h")
    logits = build_from_checkpoint(checkpoint)(torch.tensor([[VOCABULARY.index("h")]]))[0, 0]
    values, symbols = logits.topk(3)
    expected = {VOCABULARY[symbol]: chance for symbol, chance in zip(symbols, (values / 2).softmax(0), strict=True)}
    assert counts.keys() == expected.keys()
    assert all(abs(counts[name] / counts.total() - chance) < 0.03 for name, chance in expected.items())


@pytest.mark.parametrize("temperature", [5e-324, 1e308])
def test_at_the_ends_of_temperature_a_text_is_drawn_all_the_same(temperature: float) -> None:
    assert len(generate_text(text_checkpoint(), "h", length=20, temperature=temperature, top_k=0, seed=0)) == 20


def test_a_seed_that_no_generator_takes_is_refused() -> None:
    result = run("small", "--prompt", "h", "--seed", str(2**63))
    assert (result.exit_code, "9223372036854775807" in result.output) == (2, True)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["small", "--prompt", "hex"], "'x' of --prompt is not in the vocabulary of small; allowed: e, h, l, o"),
        (["small", "--prompt", ""], "--prompt is empty"),
        (["small", "--prompt", "hello", "--length", "3"], "--length is 3, but the prompt alone has 5 symbols"),
        (["small", "exports"], "exports holds no images"),
        (["small", "--random", "2"], "small is a model of a text and takes no images; give it --prompt TEXT"),
        (["small", "--random", "2", "--prompt", "h"], r"or --prompt TEXT \(one of the three\)"),
        (["dark", "--prompt", "h"], "small takes images and no text"),
        (["dark", "--random", "2", "--length", "5"], "they need --prompt TEXT"),
        (["dark", "--random", "2", "--top-k", "5"], "they need --prompt TEXT"),
        (["dark", "--random", "2", "--temperature", "0"], "they need --prompt TEXT"),
        (["small", "--prompt", "h", "--temperature", "inf"], "--temperature is inf; it must be a number"),
        (["copy", "--prompt", "h"], "small takes sequences of 9 symbols"),
    ],
)
def test_what_is_refused(arguments: list[str], message: str) -> None:
    result = run(*arguments)
    assert result.exit_code != 0
    with pytest.raises(type(result.exception), match=message):  # type: ignore[arg-type]
        raise result.exception  # type: ignore[misc]
