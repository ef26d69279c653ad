"""The console command itself."""

import subprocess
import sys

_HEAVY = ("torch", "mlflow", "dvc", "pandas", "scipy", "matplotlib", "sklearn", "optuna", "sqlalchemy")


def test_its_help_is_there_in_a_moment_for_it_imports_nothing_heavy() -> None:
    code = f"import sys; import vision_pipeline.cli.main; print([name for name in {_HEAVY} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"
