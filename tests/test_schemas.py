"""The JSON Schemas under docs/schemas are those of the program."""

import json
from pathlib import Path

import pytest

from dunegpt.schemas.registry import RESPONSES, make_json_schema

FOLDER = Path(__file__).parent.parent / "docs" / "schemas"


@pytest.mark.parametrize("name", RESPONSES)
def test_schema(name: str) -> None:
    expected = json.dumps(make_json_schema(name), indent=1, sort_keys=True) + "\n"
    assert (FOLDER / f"{name}.json").read_text(encoding="utf-8") == expected


def test_no_others() -> None:
    assert {path.stem for path in FOLDER.glob("*.json")} == RESPONSES.keys()
