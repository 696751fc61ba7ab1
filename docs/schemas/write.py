"""Writes the JSON Schema of every command's output beside itself."""

import json
from pathlib import Path

from dunegpt.schemas.registry import RESPONSES, make_json_schema

for name in RESPONSES:
    content = json.dumps(make_json_schema(name), indent=1, sort_keys=True) + "\n"
    Path(__file__).with_name(f"{name}.json").write_text(content, encoding="utf-8")
