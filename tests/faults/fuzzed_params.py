"""Damaged copies of params.yaml: the n-th is the same in every run."""

import copy
import io
import random
from collections.abc import Callable
from typing import Any

from ruamel.yaml import YAML

RUNS_CODE = ["!!python/object/apply:os.mkdir [ran]", "!!python/name:os.system ''", "!!python/module:antigravity ''"]
_EXTREME: list[Any] = [
    0, -1, -0.0, 2**31, 2**63, 10**300, -(10**300), 1e308, 5e-324, float("nan"), float("inf"), -float("inf"),
    True, None, "", "none", "../../etc", "a" * 70_000, "\u202egnp.exe", "\U0001f600" * 40, "\x1b[31m", [], {}, [[]],
    [None] * 300, {"": 1}, {None: 1}, {1.5: 2}, b"\0\xff", {"probability": 1}, "1e400", "0x1F", "~",
]  # fmt: skip
_LITERALS = [
    "*unknown", "&a [*a]", "&a {b: *a}", "0x" + "f" * 5000, "9" * 5000, "1e999", ".inf", "-.INF", ".nan", "2001-01-01",
    "!!binary aGVsbG8=", "!!set {a, b}", "!!omap [a: 1]", "!unknown x", "!!float abc", "!!int abc", "!!timestamp x",
    "? [a]", "{a: 1, a: 2}", "[1, 2", "'open", '"\\uD800"', '"\\0"', "| \n  text", "<<", "%", "@", "`", "\t", "- - -",
    "{? {a: 1} : 2}", "[" * 2000 + "]" * 2000, "{a: " * 2000 + "1" + "}" * 2000, *RUNS_CODE,
]  # fmt: skip


def fuzzed(text: str, number: int) -> bytes:
    """The copy of that number: its values damaged, then its text, each in none to two ways, in one at least."""
    chance = random.Random(f"params/{number}")
    values, texts = chance.choice([(1, 0), (1, 0), (2, 0), (0, 1), (0, 1), (0, 2), (1, 1), (1, 2)])
    if values:
        text = _other_values(text, values, chance)
    for _ in range(texts):
        text = chance.choice(_WAYS)(text, chance)
    content = text.encode("utf-8", "surrogatepass")
    return _junk(content, chance) if chance.random() < 0.1 else content


def _other_values(text: str, times: int, chance: random.Random) -> str:
    yaml, written = YAML(typ="safe"), io.StringIO()
    params = yaml.load(text)
    for _ in range(times):
        section, key = chance.choice(_places(params))
        _damage(section, key, copy.deepcopy(chance.choice(_places(params))[0]), chance)
    yaml.dump(params, written)
    return written.getvalue()


def _damage(section: Any, key: Any, other: Any, chance: random.Random) -> None:
    """A value becomes another, is gone, has another name, or has a neighbour that nobody knows."""
    what = chance.choice(["gone", "extreme", "extreme", "other", "added", "renamed"])
    value = section.pop(key) if what in ("gone", "renamed") else section[key]
    if what in ("extreme", "other"):
        section[key] = chance.choice(_EXTREME) if what == "extreme" else other
    elif what == "added" and isinstance(section, dict):
        section[chance.choice(["x", "Seed", "lr ", "лр", "a.b", "a/b", "", "k" * 300])] = value
    elif what == "renamed" and isinstance(section, dict):
        section[f"{key}{chance.choice(['', 's', '-', '_', ' ', '.', '/', '..'])}"] = value


def _places(section: Any) -> list[tuple[Any, Any]]:
    """Every section or list with each of its keys."""
    if not isinstance(section, dict | list):
        return []
    keys = list(section) if isinstance(section, dict) else range(len(section))
    return [place for key in keys for place in [(section, key), *_places(section[key])]]


def _literal(text: str, chance: random.Random) -> str:
    """What no careful writer writes, in the place of a value."""
    lines = text.splitlines(keepends=True)
    valued = [n for n, line in enumerate(lines) if ": " in line and not line.lstrip().startswith("#")] or [0]
    number = chance.choice(valued)
    lines[number : number + 1] = [f"{lines[number].partition(':')[0] if lines else ''}: {chance.choice(_LITERALS)}\n"]
    return "".join(lines)


def _lines(text: str, chance: random.Random) -> str:
    """Lines that are gone, there twice, elsewhere, or further in or out."""
    lines = text.splitlines(keepends=True) or ["\n"]
    first = chance.randrange(len(lines))
    some = lines[first : first + chance.choice([1, 1, 3, 30])]
    what = chance.choice(["gone", "twice", "in", "out", "elsewhere", "tab"])
    if what != "twice":
        del lines[first : first + len(some)]
    put = {"in": [f"  {line}" for line in some], "out": [line.lstrip() for line in some]}
    put |= {"tab": [f"\t{line}" for line in some], "gone": []}
    where = chance.randrange(len(lines) + 1) if what in ("elsewhere", "twice") else first
    lines[where:where] = put.get(what, some)
    return "".join(lines)


def _bomb(text: str, chance: random.Random) -> str:
    """A few lines that stand for billions of values, or go on for ever."""
    levels, wide = chance.randint(3, 30), chance.randint(2, 10)
    kind, key = chance.choice(["list", "merge", "key"]), chance.choice(["seed", "models", "x"])
    first = "{a: 1, b: 2}" if kind == "merge" else "[1, 2]"
    many = [", ".join([f"*b{level}"] * wide) for level in range(levels)]
    forms = [f"{{<<: [{one}]}}" if kind == "merge" else f"[{one}]" for one in many]
    bomb = "".join(f"bomb{n}: &b{n} {form}\n" for n, form in enumerate([first, *forms]))
    return f"{bomb}{text}\n" + (f"? *b{levels}\n: 1\n" if kind == "key" else f"{key}: *b{levels}\n")


def _whole(text: str, chance: random.Random) -> str:
    """The file cut off, there twice, begun in another way, or with a character that is none of text."""
    where = chance.randrange(len(text) + 1)
    odd = chance.choice(["\0", "\ufeff", "\u2028", "\x85", "\x07", "\ud800", "\U0010ffff", "\r", "\x1b[2J", "&x ", "!"])
    first = chance.choice(["%YAML 1.1\n---\n", "%TAG ! x\n---\n", "---\n", "...\n---\n", "- ", "{", "\ufeff", "&all\n"])
    return chance.choice([text[:where], text + text, first + text, text[:where] + odd + text[where:], ""])


def _junk(content: bytes, chance: random.Random) -> bytes:
    """Bytes that are exchanged, put in, or not of UTF-8."""
    where = chance.randrange(len(content) + 1)
    if chance.random() < 0.3:
        return content.decode("utf-8", "replace").encode("utf-16")
    return content[:where] + chance.randbytes(chance.randint(1, 50)) + content[where + chance.randint(0, 9) :]


_WAYS: list[Callable[[str, random.Random], str]] = [_literal, _literal, _lines, _lines, _bomb, _whole]
