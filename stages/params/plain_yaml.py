"""YAML that may come from anyone, to plain values: no code, no key twice, no more values than memory has room for."""

from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.constructor import ConstructorError, SafeConstructor

_MOST = 100_000  # values; some hundred times as many as params.yaml has


class _Bounded(SafeConstructor):
    """Counts what a document stands for before it makes anything: ten lines of aliases and merges can be billions."""

    def construct_document(self, node: Any) -> Any:
        if (count := _values(node, {})) > _MOST:
            raise ValueError(f"with its aliases it has {count:,} values; allowed: {_MOST:,}")
        return super().construct_document(node)

    def construct_object(self, node: Any, deep: bool = False) -> Any:
        """A number or a date that is none is refused with its line."""
        try:
            return super().construct_object(node, deep)
        except ValueError as error:
            raise ConstructorError(problem=str(error), problem_mark=node.start_mark) from error


def read_yaml(text: str) -> Any:
    """Plain values of YAML 1.2, as DVC reads it (`1e-3` is a number, `no` is a word).

    Raises:
        YAMLError: it is not YAML, holds a key twice, a tag that is none of plain values, or a number of thousands of
            digits.
        ValueError: it holds more values than any file needs.
        RecursionError: it is nested too deeply.
    """
    yaml = YAML(typ="safe", pure=True)
    yaml.Constructor = _Bounded
    return yaml.load(text)


def _values(node: Any, known: dict[int, int]) -> int:
    """How many values a node stands for, each alias counted as all that it stands for."""
    if id(node) not in known:
        known[id(node)] = 1  # where it holds itself
        inner = node.value if isinstance(node.value, list) else ()
        parts = [part for one in inner for part in (one if isinstance(one, tuple) else (one,))]
        known[id(node)] += sum(_values(part, known) for part in parts)
    return known[id(node)]
