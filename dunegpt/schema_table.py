"""The shape of all JSON that the program prints, by command.

Their JSON Schema lies under ``docs/schemas/``; a test compares.
"""

from typing import Any

from pydantic import BaseModel

from dunegpt.operating_schemas import (
    AccessShape,
    CrawlShape,
    DiffShape,
    ExtractShape,
    ForgetShape,
    IndexRunShape,
    LLMCheckShape,
    PersonShape,
    SnapshotsShape,
    StatusShape,
    VerifyShape,
)
from dunegpt.receipt_schemas import ReceiptsShape, ReplayShape
from dunegpt.schemas import AskShape, ChatErrorShape, RunsShape, SearchShape, ShowShape

SHAPES: dict[str, type[BaseModel]] = {
    "access": AccessShape,
    "ask": AskShape,
    "chat-error": ChatErrorShape,
    "crawl": CrawlShape,
    "forget": ForgetShape,
    "extract": ExtractShape,
    "index": IndexRunShape,
    "llm-check": LLMCheckShape,
    "principals": PersonShape,
    "receipts": ReceiptsShape,
    "replay": ReplayShape,
    "runs": RunsShape,
    "search": SearchShape,
    "show": ShowShape,
    "snapshot-diff": DiffShape,
    "snapshot-list": SnapshotsShape,
    "snapshot-verify": VerifyShape,
    "status": StatusShape,
}


def json_schema(name: str) -> dict[str, Any]:
    """Return the JSON Schema of one command's output."""
    return SHAPES[name].model_json_schema()
