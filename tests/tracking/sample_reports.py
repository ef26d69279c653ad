"""Files that `evaluate` and `export` write of a model, for tests of what is logged."""

import json
from pathlib import Path

REPORTS = Path("reports/models/mnist-mlp")


def write_test(folder: Path, **more: float) -> None:
    """Write what `evaluate` writes, as far as it is logged."""
    figures = {"accuracy": 0.9, "accuracy_low": 0.8, "accuracy_high": 0.95, "images": 10, "parameters": 7}
    figures |= {"trainable_parameters": 7, "dataset": "mnist", "provenance": "official"}
    (folder / "metrics.json").write_text(json.dumps(figures | more))
    (folder / "per_class.csv").write_text("class,f1\ncat,0.8\ndog,1.0\n")
    (folder / "mistakes.png").write_bytes(b"PNG")
    (folder / "summary.csv").write_text("layer\n")


def write_exports(folder: Path) -> None:
    """Write what `export` writes, as far as it is logged."""
    folder.mkdir(parents=True)
    formats = {file: {"accuracy": 0.9, "max_logit_gap": gap} for file, gap in (("a.onnx", 0.0002), ("b.pt2", 0.0))}
    (folder / "parity.json").write_text(json.dumps({"reference": {"accuracy": 0.9}, "formats": formats}))
    (folder / "card.md").write_text("# card\n")
