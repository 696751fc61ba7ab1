"""The response models of all commands with JSON output, and of the server.

Their JSON Schemas are in ``docs/schemas/``; a test keeps them in step.
"""

from typing import Any

from pydantic import BaseModel

from dunegpt.schemas.accounts import (
    AuditResponse,
    ErasedResponse,
    NewTokenResponse,
    RevokedResponse,
    UserExportResponse,
    UserResponse,
    UsersResponse,
)
from dunegpt.schemas.operations import (
    AccessResponse,
    CrawlResponse,
    DiffResponse,
    ExtractResponse,
    ForgetResponse,
    IndexRunResponse,
    LLMCheckResponse,
    PersonResponse,
    SnapshotsResponse,
    StatusResponse,
    VerifyResponse,
)
from dunegpt.schemas.reading import (
    AskResponse,
    ChatErrorResponse,
    RunsResponse,
    SearchResponse,
    ShowResponse,
)
from dunegpt.schemas.receipts import ReceiptsResponse, ReplayResponse
from dunegpt.schemas.serving import ProblemResponse, ReaderStatusResponse

RESPONSES: dict[str, type[BaseModel]] = {
    "access": AccessResponse,
    "ask": AskResponse,
    "audit": AuditResponse,
    "chat-error": ChatErrorResponse,
    "crawl": CrawlResponse,
    "forget": ForgetResponse,
    "extract": ExtractResponse,
    "index": IndexRunResponse,
    "llm-check": LLMCheckResponse,
    "principals": PersonResponse,
    "problem": ProblemResponse,
    "reader-status": ReaderStatusResponse,
    "receipts": ReceiptsResponse,
    "replay": ReplayResponse,
    "runs": RunsResponse,
    "search": SearchResponse,
    "show": ShowResponse,
    "snapshot-diff": DiffResponse,
    "snapshot-list": SnapshotsResponse,
    "snapshot-verify": VerifyResponse,
    "status": StatusResponse,
    "user": UserResponse,
    "user-erase": ErasedResponse,
    "user-export": UserExportResponse,
    "user-list": UsersResponse,
    "user-revoke": RevokedResponse,
    "user-token": NewTokenResponse,
}


def make_json_schema(name: str) -> dict[str, Any]:
    """Return the JSON Schema of one command's output."""
    return RESPONSES[name].model_json_schema()
