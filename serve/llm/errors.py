"""Translates the exceptions of model servers into messages for people.

Knows the errors of openai, httpx, pydantic and langchain; knows no server.
"""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import httpx
from pydantic import ValidationError

from dunegpt.errors import ModelError, ModelFault
from dunegpt.llm_settings import LLMSettings
from dunegpt.serve.llm.limits import AnswerTimeoutError
from dunegpt.text.patterns import compile_re

_DESCRIPTIONS = {
    ModelFault.DOWN: "is down",
    ModelFault.REFUSES: "refuses the request",
    ModelFault.KEY: "refuses the key",
    ModelFault.MODEL: "has no such model, or not at this address",
    ModelFault.TOO_LONG: "cannot read so long a prompt",
    ModelFault.SILENT: "wrote nothing in time",
    ModelFault.STALLED: "stopped writing in mid-answer",
    ModelFault.BROKE_OFF: "broke off",
    ModelFault.EMPTY: "answered with nothing",
    ModelFault.NONSENSE: "answered with what is no answer",
    ModelFault.OVERLOADED: "is overloaded",
}
_STATUS_FAULTS = {
    401: ModelFault.KEY,
    403: ModelFault.KEY,
    404: ModelFault.MODEL,
    408: ModelFault.SILENT,
    413: ModelFault.TOO_LONG,
    429: ModelFault.OVERLOADED,
    502: ModelFault.DOWN,
    503: ModelFault.OVERLOADED,
    504: ModelFault.SILENT,
}
_TOO_LONG_STATUSES = {400, 422, 500}
_TOO_LONG = compile_re(
    r"context.{0,40}(?:length|size|window)|too long|too many tokens|max_model_len",
    re.IGNORECASE,
)


class InvalidResponseError(ValueError):
    """A server sent something of another kind than an answer."""


@contextmanager
def classify_errors(
    name: str, table: LLMSettings, key: str, begun: Callable[[], bool]
) -> Iterator[None]:
    """Raise whatever goes wrong inside as a ModelError that says what it is.

    Args:
        name: Of the server.
        table: Its settings.
        key: Its secret, which no message may hold.
        begun: Whether any text has come.
    """
    try:
        yield
    except ModelError:
        raise
    except Exception as error:  # the door to a server
        fault = classify_error(error, begun=begun())
        raise make_model_error(
            name, fault, _describe_error(name, error, table, fault), key
        ) from error


def make_model_error(
    name: str, fault: ModelFault, detail: str = "", key: str = ""
) -> ModelError:
    """Return an error that names the server and says what it did."""
    detail = " ".join(detail.split())
    detail = detail.replace(key, "***") if key else detail
    words = f"The model server {name!r} {_DESCRIPTIONS[fault]}"
    return ModelError(f"{words}: {detail}" if detail else f"{words}.", fault=fault)


def classify_error(error: Exception, *, begun: bool) -> ModelFault:
    """Return what went wrong, from what was raised.

    Args:
        error: Its causes are looked at too.
        begun: Whether any text had come before.
    """
    from openai import APIError  # noqa: PLC0415 - 0.5 s, only for what failed

    causes = _collect_causes(error)
    fault = _classify_status(causes) or _classify_connection_error(causes, begun=begun)
    if fault:
        return fault
    if isinstance(error, APIError):  # an event of the stream that tells of an error
        if _TOO_LONG.search(_get_message(error)):
            return ModelFault.TOO_LONG
        return ModelFault.BROKE_OFF if begun else ModelFault.REFUSES
    # What langchain raises for a stream without any piece.
    is_empty = "No generation chunks" in str(error)
    return ModelFault.EMPTY if is_empty else ModelFault.NONSENSE


def _classify_status(causes: Sequence[BaseException]) -> ModelFault | None:
    for cause in causes:
        status = _get_status(cause)
        if status is None:
            continue
        if status in _TOO_LONG_STATUSES and _TOO_LONG.search(_get_message(cause)):
            return ModelFault.TOO_LONG
        return _STATUS_FAULTS.get(status, ModelFault.REFUSES)
    return None


def _classify_connection_error(
    causes: Sequence[BaseException], *, begun: bool
) -> ModelFault | None:
    for cause in causes:
        match cause:
            case httpx.ConnectError() | httpx.ConnectTimeout():
                return ModelFault.DOWN
            case httpx.InvalidURL() | httpx.UnsupportedProtocol():
                return ModelFault.DOWN
            case httpx.TimeoutException():
                return ModelFault.STALLED if begun else ModelFault.SILENT
            case httpx.TransportError():
                return ModelFault.BROKE_OFF
            case InvalidResponseError() | json.JSONDecodeError() | ValidationError():
                return ModelFault.NONSENSE
    return None


def _collect_causes(error: BaseException) -> list[BaseException]:
    found: list[BaseException] = []
    each: BaseException | None = error
    while each is not None and each not in found:
        found.append(each)
        each = each.__cause__ or each.__context__
    return found


def _get_status(error: BaseException) -> int | None:
    if isinstance(error, httpx.HTTPStatusError):
        return error.response.status_code
    status = getattr(error, "status_code", None)
    return status if isinstance(status, int) else None


def _get_message(error: BaseException) -> str:
    if isinstance(error, httpx.HTTPStatusError):
        return error.response.text
    return str(getattr(error, "message", "") or error)


def _describe_error(
    name: str, error: Exception, table: LLMSettings, fault: ModelFault
) -> str:
    """Return what the server or the connection said, cut short."""
    causes = _collect_causes(error)
    for cause in causes:
        status = _get_status(cause)
        if status is not None:
            return f"status {status}: {_get_message(cause)[:200]}"
        if isinstance(cause, AnswerTimeoutError):
            return f"[llm.{name}] {cause}"
    if fault in {ModelFault.SILENT, ModelFault.STALLED}:
        return f"[llm.{name}] timeout_s = {table.timeout_s:g}"
    if isinstance(error, ValidationError):
        return f"{error.error_count()} mistakes in its JSON"
    return _get_message(causes[-1])[:200]
