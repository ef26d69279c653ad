"""What `dvc repro` and `dvc exp run` print, for people: what the stages say, each line with its stage in front."""

import re
from collections.abc import Iterable, Iterator


def named(lines: Iterable[str]) -> Iterator[str]:
    """What stages say, each line with its stage in front, without what DVC says of itself."""
    stage = "dvc"
    for line in lines:
        if begun := _BEGUN.match(line):
            stage = begun[1]
        elif not _CHATTER.match(line):
            yield from (f"{stage} | {part.rstrip()}" for part in re.split(r"[\r\n]", line) if part.strip())


_BEGUN = re.compile(r"Running stage '(.+)':$")
_CHATTER = re.compile(
    r"> |Stage '.+' didn't change, skipping|(Generating|Updating) lock file|To (track|enable|apply) "
    r"|\t(git add|dvc config|dvc exp|reports/)|Use `dvc push`|WARNING: '.+' is empty|WARNING: No file hash"
    r"|WARNING: The following untracked|(Reproducing|Ran) experiment"
)
