import sys
from types import ModuleType

import pytest

from vision_pipeline.core.fingerprint import compute_source_digest, compute_training_fingerprint


def test_a_key_depends_on_values_data_and_code_but_not_on_order(tmp_path):
    data = tmp_path / "dataset.json"
    data.write_text("{}")
    key = compute_training_fingerprint({"seed": 0, "lr": 0.1}, [data], "code")
    assert len(key) == 16
    assert compute_training_fingerprint({"lr": 0.1, "seed": 0}, [data], "code") == key
    others = {
        compute_training_fingerprint({"seed": 1, "lr": 0.1}, [data], "code"),
        compute_training_fingerprint({"seed": 0, "lr": 0.1}, [data], "other"),
    }
    data.write_text("{ }")
    others.add(compute_training_fingerprint({"seed": 0, "lr": 0.1}, [data], "code"))
    assert len(others | {key}) == 4


@pytest.mark.parametrize(
    ("name", "counts"),
    [
        ("vision_pipeline.training.invented", True),
        ("vision_pipeline.tracking.invented", False),
        ("vision_pipeline.config.invented", False),
        ("other.invented", False),
    ],
)
def test_code_that_changes_results_is_in_the_digest(name, counts, tmp_path, monkeypatch):
    before = compute_source_digest()
    source = tmp_path / "invented.py"
    source.write_text("one = 1")
    module = ModuleType(name)
    module.__file__ = str(source)
    monkeypatch.setitem(sys.modules, name, module)
    assert (compute_source_digest() != before) is counts
    with_one = compute_source_digest()
    source.write_text("one = 2")
    assert (compute_source_digest() != with_one) is counts
