"""What the README tells to add to `params.yaml` can be added."""

import re
from pathlib import Path

from ruamel.yaml import YAML

from vision_pipeline.config.load import list_validation_errors


def test_its_sections_are_valid(repository: Path, tmp_path: Path) -> None:
    yaml = YAML(typ="safe", pure=True)
    params = yaml.load(repository / "params.yaml")
    added = re.findall(r"```yaml\n(.*?)```", (repository / "README.md").read_text(), re.DOTALL)
    for section in added:
        for name, entries in yaml.load(section).items():
            params[name].update(entries)
    yaml.dump(params, tmp_path / "params.yaml")
    assert list_validation_errors(tmp_path / "params.yaml") == []
    assert len(added) == 7
