"""Texts and drawn sequences in the prepared format."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vision_pipeline.config.data import PrepareTextConfig
from vision_pipeline.core.errors import UserError
from vision_pipeline.data.format import SPLITS, open_dataset
from vision_pipeline.data.token_datasets import prepare_copy_task, prepare_text, read_text

ABOUT: dict[str, Any] = {"name": "t", "status": "own", "note": "", "licence": "", "source": "file", "digest": "0"}


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw/provenance.json").write_text("{}")
    return tmp_path / "raw"


def prepared(raw: Path, content: bytes, validation: float = 0.0, test: float = 0.0, limit: int = 0) -> Any:
    (raw / "text.txt").write_bytes(content)
    folder = raw.parent / "prepared"
    folder.mkdir(exist_ok=True)
    prepare_text(
        folder, raw, settings=PrepareTextConfig(validation=validation, test=test), limit=limit, provenance=ABOUT
    )
    return open_dataset(folder)


def text_of(data: Any, split: str) -> str:
    """The symbols of a split and its last target."""
    names = data.info.class_names
    return "".join(names[symbol] for symbol in [*data.inputs(split), data.targets(split)[-1]])


def test_hello_is_four_pairs_that_are_trained_on_and_tested(raw: Path) -> None:
    data = prepared(raw, b"hello")
    assert data.info.class_names == ["e", "h", "l", "o"]
    assert (data.info.kind, data.info.shape, data.info.mean) == ("text", [], [])
    for split in SPLITS:
        assert data.inputs(split).dtype == np.uint8
        assert data.inputs(split).tolist() == [1, 0, 2, 2]
        assert data.targets(split).tolist() == [0, 2, 2, 3]
    assert data.info.provenance["not_held_out"] == ["val", "test"]
    assert data.info.provenance["note"] == "Not held out, but the training text itself: validation and test."


def test_splits_follow_each_other_and_share_no_symbol(raw: Path) -> None:
    text = "".join(chr(ord("A") + i) for i in range(50))
    data = prepared(raw, text.encode(), validation=0.1, test=0.2)
    assert [text_of(data, split) for split in SPLITS] == [text[:35], text[35:40], text[40:]]
    assert "not_held_out" not in data.info.provenance
    assert sum(data.info.counts["train"].values()) == 34


def test_one_of_the_splits_may_be_the_training_text(raw: Path) -> None:
    data = prepared(raw, b"abcdefghij", test=0.2)
    assert [text_of(data, split) for split in SPLITS] == ["abcdefgh", "abcdefgh", "ij"]
    assert data.info.provenance["not_held_out"] == ["val"]


@pytest.mark.parametrize("content", [b"a\r\nb\r\nc", b"a\nb\nc", b"a\rb\rc", b"\xef\xbb\xbfa\nb\nc"])
def test_line_ends_and_a_byte_order_mark_make_no_difference(raw: Path, content: bytes) -> None:
    (raw / "text.txt").write_bytes(content)
    assert read_text(raw) == "a\nb\nc"


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\ufeff"), min_size=2))
def test_any_text_can_be_read_back(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    raw = tmp_path_factory.mktemp("any") / "raw"
    raw.mkdir()
    if len(set(text)) == 1:
        with pytest.raises(UserError, match="1 different symbols"):
            prepared(raw, text.encode())
        return
    data = prepared(raw, text.encode())
    assert text_of(data, "train") == text
    assert data.info.class_names == sorted(set(text))


def test_many_symbols_take_two_bytes(raw: Path) -> None:
    text = "".join(chr(0x4E00 + i) for i in range(300))
    data = prepared(raw, text.encode())
    assert data.inputs("test").dtype == np.uint16
    assert text_of(data, "test") == text


def test_the_limit_counts_lines(raw: Path) -> None:
    assert text_of(prepared(raw, b"ab\ncd\nef\n", limit=2), "train") == "ab\ncd\n"


@pytest.mark.parametrize(
    ("content", "shares", "message"),
    [
        (b"ab\xffcd", (0.0, 0.0), r"text.txt is damaged \(invalid start byte at byte 2\)"),
        (b"abcdefgh", (0.1, 0.0), "the val split of the text in .* would have 1 characters"),
        (b"aaaa", (0.0, 0.0), "1 different symbols"),
    ],
)
def test_what_cannot_be_a_text(raw: Path, content: bytes, shares: tuple[float, float], message: str) -> None:
    with pytest.raises(UserError, match=message):
        prepared(raw, content, *shares)


@pytest.mark.parametrize("length", [1, 5, 100])
def test_a_copy_task_asks_for_the_first_symbol(tmp_path: Path, length: int) -> None:
    rows = {"train": 500, "val": 40, "test": 30}
    (tmp_path / "copy.json").write_text(json.dumps({"rows": rows}))
    (tmp_path / "set").mkdir()
    prepare_copy_task(tmp_path / "set", tmp_path, length=length, limit=0, vocabulary=["a", "b", "c"], provenance=ABOUT)
    data = open_dataset(tmp_path / "set")
    assert (data.info.kind, data.info.shape) == ("sequences", [length])
    for split in SPLITS:
        assert data.inputs(split).shape == (rows[split], length)
        assert np.array_equal(data.inputs(split)[:, 0], data.targets(split))
        assert len((tmp_path / "set" / split / "rows.csv").read_text().splitlines()) == rows[split] + 1
    assert min(data.info.counts["train"].values()) > 120
