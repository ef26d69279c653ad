"""The JSON schema of `params.yaml`, by which editors complete and check it: `python -m stages.params.json_schema`."""

import json
from pathlib import Path

from stages.params.schema import Params
from stages.project.files import write_text

FILE = Path(__file__).with_name("params.schema.json")


def json_schema() -> str:
    """The schema as JSON text, the same on every call."""
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **Params.model_json_schema()}
    return json.dumps(schema, indent=2, sort_keys=True) + "\n"


if __name__ == "__main__":
    write_text(FILE, json_schema())
