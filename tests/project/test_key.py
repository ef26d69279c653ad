import sys
from types import ModuleType

import pytest

from stages.project.key import code_digest, run_key


def test_a_key_depends_on_values_data_and_code_but_not_on_order(tmp_path):
    data = tmp_path / "dataset.json"
    data.write_text("{}")
    key = run_key({"seed": 0, "lr": 0.1}, [data], "code")
    assert len(key) == 16
    assert run_key({"lr": 0.1, "seed": 0}, [data], "code") == key
    others = {run_key({"seed": 1, "lr": 0.1}, [data], "code"), run_key({"seed": 0, "lr": 0.1}, [data], "other")}
    data.write_text("{ }")
    others.add(run_key({"seed": 0, "lr": 0.1}, [data], "code"))
    assert len(others | {key}) == 4


@pytest.mark.parametrize(
    ("name", "counts"),
    [
        ("stages.training.invented", True),
        ("stages.tracking.invented", False),
        ("stages.params.invented", False),
        ("other.invented", False),
    ],
)
def test_code_that_changes_results_is_in_the_digest(name, counts, tmp_path, monkeypatch):
    before = code_digest()
    source = tmp_path / "invented.py"
    source.write_text("one = 1")
    module = ModuleType(name)
    module.__file__ = str(source)
    monkeypatch.setitem(sys.modules, name, module)
    assert (code_digest() != before) is counts
    with_one = code_digest()
    source.write_text("one = 2")
    assert (code_digest() != with_one) is counts
