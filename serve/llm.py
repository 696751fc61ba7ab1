"""One model server: messages in, text out in pieces.

Uses langchain's chat models: that of OpenAI's protocol for vLLM, Ollama, llama.cpp and
most others, and one of our own for Argo. Knows no documents and no second server.
"""

import time
from collections.abc import Generator, Iterator, Sequence
from typing import TYPE_CHECKING, TypeVar, cast

import httpx
from pydantic import BaseModel, SecretStr

from dunegpt.config import LLMTable, forbid_hubs
from dunegpt.errors import ModelFault
from dunegpt.serve.faults import NotAnAnswerError, model_error, told_apart

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

Messages = Sequence[tuple[str, str]]
"""As (role, text)."""

CUT = "\u2026"
"""Ends an answer that was cut at ``max_tokens``."""

_AT_THE_LIMIT = "length"
_Shape = TypeVar("_Shape", bound=BaseModel)
_CONNECT_S = 5.0
_WHOLE = 10
"""So many times as long as to the next word an answer may take as a whole."""
_MEDIA_TYPES = ("text/event-stream", "application/json", "text/plain")


def stream(name: str, table: LLMTable, key: str, messages: Messages) -> Generator[str]:
    """Yield the answer's text as the server writes it.

    Closing the generator closes the connection, which stops the server. What was cut at
    the limit of tokens ends with `CUT`.

    Args:
        name: Of the server in the settings, for errors.
        table: Its settings.
        key: Its secret; empty for none.
        messages: What it is told.

    Raises:
        ModelError: It did not write an answer to its end; `fault` says why.
    """
    begun = False
    ended = ""
    with (
        _client(table) as client,
        told_apart(name, table, key, lambda: begun),
    ):
        for chunk in _open(table, key, client).stream(list(messages)):
            ended = ended or str(chunk.response_metadata.get("finish_reason") or "")
            text = chunk.text
            if text:
                begun = True
                yield text
        if not ended:
            raise httpx.RemoteProtocolError("the answer has no end")
        if not begun:
            raise model_error(name, ModelFault.EMPTY)
        if ended == _AT_THE_LIMIT:
            yield f" {CUT}"


def structured(
    name: str, table: LLMTable, key: str, messages: Messages, shape: type[_Shape]
) -> _Shape:
    """Return the answer in the shape that was asked for.

    Raises:
        ModelError: There is none, or it has another shape.
    """
    wanted = {"name": shape.__name__, "schema": shape.model_json_schema()}
    with _client(table) as client, told_apart(name, table, key, lambda: False):
        model = _open(table, key, client)
        answer = model.invoke(
            list(messages),
            response_format={"type": "json_schema", "json_schema": wanted},
        )
        return shape.model_validate_json(str(answer.text))


def models(name: str, table: LLMTable, key: str) -> dict[str, int]:
    """Return the models that a server of OpenAI's protocol has, by name.

    Returns: How many tokens each reads and writes at most; 0 where it does not say:
        vLLM does, as ``max_model_len``.

    Raises:
        ModelError: It does not say which it has.
    """
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    with _client(table) as client, told_apart(name, table, key, lambda: False):
        response = client.get(f"{table.base_url.rstrip('/')}/models", headers=headers)
        response.raise_for_status()
        own = response.json()["data"]
        return {str(m["id"]): int(m.get("max_model_len") or 0) for m in own}


def _client(table: LLMTable) -> httpx.Client:
    """Return a client of its own: closing it closes the connection, at once."""
    timeout = httpx.Timeout(
        table.timeout_s, connect=min(_CONNECT_S, table.timeout_s), pool=None
    )
    return httpx.Client(timeout=timeout, event_hooks={"response": [_is_an_answer]})


def _is_an_answer(response: httpx.Response) -> None:
    """Refuse what is no answer, and watch over what is.

    Raises:
        NotAnAnswerError: It is a web page, or the like.
    """
    kind = response.headers.get("content-type", "")
    if response.status_code == 200 and not kind.startswith(_MEDIA_TYPES):
        raise NotAnAnswerError(f"it sent {kind.partition(';')[0] or 'no media type'}")
    if kind.startswith("text/event-stream"):
        limit_s = float(response.request.extensions["timeout"]["read"])
        response.stream = _Watched(response.stream, limit_s)


class _Watched(httpx.SyncByteStream):
    """A stream that ends where nothing but signs of life come for too long.

    Some servers send them each half minute while they do nothing, so that no read times
    out. An answer as a whole has ten times as long.
    """

    def __init__(self, stream: object, limit_s: float) -> None:
        self._stream = cast("httpx.SyncByteStream", stream)
        self._limit_s = limit_s

    def __iter__(self) -> Iterator[bytes]:
        begun = last = time.monotonic()
        for content in self._stream:
            now = time.monotonic()
            if not content.lstrip().startswith(b":"):
                last = now
            if now - last > self._limit_s or now - begun > _WHOLE * self._limit_s:
                raise httpx.ReadTimeout("it went on for too long")
            yield content

    def close(self) -> None:
        self._stream.close()


def _open(table: LLMTable, key: str, client: httpx.Client) -> "BaseChatModel":
    forbid_hubs()
    if table.kind == "argo":
        from dunegpt.serve.argo import ArgoChat  # noqa: PLC0415 - start-up time

        return ArgoChat(
            base_url=table.base_url,
            model=table.model,
            user=table.user,
            key=SecretStr(key),
            max_tokens=table.max_tokens,
            client=client,
        )
    from langchain_openai import ChatOpenAI  # noqa: PLC0415 - 1 s, only to generate

    return ChatOpenAI(
        base_url=table.base_url,
        model=table.model,
        api_key=SecretStr(key or "none"),
        temperature=0,
        seed=0,
        max_completion_tokens=table.max_tokens,
        max_retries=0,
        http_client=client,
        timeout=client.timeout,
    )
