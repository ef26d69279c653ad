"""No setting of git's changes a byte on the way into a working folder."""

import shutil
from pathlib import Path

import pytest
from tiny_project import git

FILES = {
    "stages/a.py": b"one\ntwo\n",
    "reports/a.csv": b"class,f1\ncat,1\n",
    "data/texts/mine.txt": b"one's own\r\ntext\r\n",
    "reports/mixed.txt": b"one\r\ntwo\n",
    "docs/a.png": b"\x89PNG\r\n\x1a\n\0\n",
}


@pytest.mark.parametrize("setting", ["core.autocrlf=true", "core.autocrlf=input", "core.eol=crlf"])
def test_a_clone_has_the_bytes_that_were_committed(tmp_path: Path, repository: Path, setting: str) -> None:
    root = tmp_path / "root"
    for name, content in FILES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    shutil.copy(repository / ".gitattributes", root)
    git("init", "-q", cwd=root)
    git("-c", setting, "add", "-A", cwd=root)
    git("commit", "-qm", "Files", cwd=root)
    git("clone", "-q", "--config", setting, str(root), str(tmp_path / "clone"))
    assert {name: (tmp_path / "clone" / name).read_bytes() for name in FILES} == FILES
