"""Write the JSON schema by which editors complete and check `params.yaml`.

Run `python -m vision_pipeline.config.json_schema` after a change of the schema.
"""

import json
from pathlib import Path

from vision_pipeline.config.schema import Params
from vision_pipeline.core.files import write_text

SCHEMA_FILE = Path(__file__).with_name("params.schema.json")


def render_json_schema() -> str:
    """Return the schema as JSON text, the same on every call."""
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **Params.model_json_schema()}
    return json.dumps(schema, indent=2, sort_keys=True) + "\n"


if __name__ == "__main__":
    write_text(SCHEMA_FILE, render_json_schema())
