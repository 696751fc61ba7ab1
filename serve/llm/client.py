"""One model server: messages in, text out in pieces.

Uses langchain's chat models: that of OpenAI's protocol for vLLM, Ollama, llama.cpp and
most others, and one of our own for Argo. Knows no documents and no second server.
"""

import math
import re
from collections.abc import Generator
from typing import TYPE_CHECKING, Any, TypeVar

import httpx
from pydantic import BaseModel, SecretStr

from dunegpt.config import forbid_hubs
from dunegpt.errors import ModelFault
from dunegpt.llm_settings import LLMSettings
from dunegpt.serve.llm.errors import (
    InvalidResponseError,
    classify_errors,
    make_model_error,
)
from dunegpt.serve.llm.limits import LimitedStream, RequestTimer, TokenLimit
from dunegpt.serve.llm.messages import TRUNCATION_MARK, Messages, YesNo

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel
    from langchain_core.messages import BaseMessage

_FINISH_LENGTH = "length"
_TOP_LOGPROBS = 20
"""vLLM gives no more, unless it is told to."""
_AROUND_WORD = " \t\n\u0120\u2581.,:;!*\"'"
"""Blanks and marks around a word of a tokenizer."""
_SAID_YES = 0.9
_REFUSED_FIELDS = {400, 404, 422}
_Schema = TypeVar("_Schema", bound=BaseModel)
_CONNECT_S = 5.0
_MEDIA_TYPES = ("text/event-stream", "application/json", "text/plain")


def stream(
    name: str, table: LLMSettings, key: str, messages: Messages
) -> Generator[str]:
    """Yield the answer's text as the server writes it.

    Closing the generator closes the connection, which stops the server. What was cut at
    the limit of tokens, by the server or here, ends with `TRUNCATION_MARK`.

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
    limit = TokenLimit(table.max_tokens)
    timer = RequestTimer(table.timeout_s, table.answer_limit_s)
    with (
        _make_client(table, timer) as client,
        classify_errors(name, table, key, lambda: begun),
    ):
        # Before the time counts: the first import of the library takes a second.
        model = _make_chat_model(table, key, client)
        with timer:
            for chunk in model.stream(list(messages)):
                timer.record_progress()
                ended = ended or str(chunk.response_metadata.get("finish_reason") or "")
                text = limit.cut(chunk.text)
                if text:
                    begun = True
                    with timer.paused():
                        yield text
                if limit.is_exceeded:
                    ended = _FINISH_LENGTH
                    break
            timer.check()
        if not ended:
            raise httpx.RemoteProtocolError("the answer has no end")
        if not begun:
            raise make_model_error(name, ModelFault.EMPTY)
        if ended == _FINISH_LENGTH:
            yield f" {TRUNCATION_MARK}"


def generate_structured(
    name: str, table: LLMSettings, key: str, messages: Messages, shape: type[_Schema]
) -> _Schema:
    """Return the answer in the shape that was asked for.

    Raises:
        ModelError: There is none, or it has another shape.
    """
    wanted = {"name": shape.__name__, "schema": shape.model_json_schema()}
    timer = RequestTimer(table.timeout_s, table.answer_limit_s)
    with (
        _make_client(table, timer) as client,
        classify_errors(name, table, key, lambda: False),
    ):
        model = _make_chat_model(table, key, client)
        with timer:
            answer = model.invoke(
                list(messages),
                response_format={"type": "json_schema", "json_schema": wanted},
            )
        return shape.model_validate_json(str(answer.text))


def ask_yes_no(name: str, table: LLMSettings, key: str, messages: Messages) -> YesNo:
    """Return how probably a model answers yes: one token, by its log-probabilities.

    Models that think first are told not to, as vLLM and llama.cpp understand it; a
    server that refuses these fields is asked without them.

    Raises:
        ModelError: It does not answer.
    """
    timer = RequestTimer(table.timeout_s, table.answer_limit_s)
    with (
        _make_client(table, timer) as client,
        classify_errors(name, table, key, lambda: False),
    ):
        model = _make_chat_model(table, key, client)
        told = list(messages)
        if table.kind == "argo":
            with timer:
                return _read_yes_no(model.invoke(told))
        fields: dict[str, Any] = {
            "logprobs": True,
            "top_logprobs": _TOP_LOGPROBS,
            "extra_body": {"chat_template_kwargs": {"enable_thinking": False}},
        }
        from openai import APIStatusError  # noqa: PLC0415 - .5 s, only to generate

        with timer:
            try:
                return _read_yes_no(model.bind(**fields).invoke(told))
            except APIStatusError as error:
                if error.status_code not in _REFUSED_FIELDS:
                    raise
                return _read_yes_no(model.invoke(told))


def _read_yes_no(answer: "BaseMessage") -> YesNo:
    """Return what an answer says, by the first token that may be yes or no."""
    details = getattr(answer, "usage_metadata", None) or {}
    tokens = int(details.get("input_tokens") or 0)
    cached = (details.get("input_token_details") or {}).get("cache_read")
    logprobs = answer.response_metadata.get("logprobs") or {}
    for entry in logprobs.get("content") or ():
        shares = {"yes": 0.0, "no": 0.0}
        for choice in entry.get("top_logprobs") or ():
            word = str(choice["token"]).strip(_AROUND_WORD).casefold()
            if word in shares:
                shares[word] += math.exp(float(choice["logprob"]))
        if total := sum(shares.values()):
            return YesNo(shares["yes"] / total, True, tokens, cached)
    words = re.findall(r"[A-Za-z]+", str(answer.text))
    said = words[0].casefold() if words else ""
    probability = {"yes": _SAID_YES, "no": 1 - _SAID_YES}.get(said)
    return YesNo(probability, bool(logprobs), tokens, cached)


def list_models(name: str, table: LLMSettings, key: str) -> dict[str, int]:
    """Return the models that a server of OpenAI's protocol has, by name.

    Returns: How many tokens each reads and writes at most; 0 where it does not say:
        vLLM does, as ``max_model_len``.

    Raises:
        ModelError: It does not say which it has.
    """
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    timer = RequestTimer(table.timeout_s, table.answer_limit_s)
    with (
        _make_client(table, timer) as client,
        classify_errors(name, table, key, lambda: False),
        timer,
    ):
        response = client.get(f"{table.base_url.rstrip('/')}/models", headers=headers)
        response.raise_for_status()
        own = response.json()["data"]
        return {str(m["id"]): int(m.get("max_model_len") or 0) for m in own}


def _make_client(table: LLMSettings, timer: RequestTimer) -> httpx.Client:
    """Return a client of its own: closing it closes the connection, at once."""
    timeout = httpx.Timeout(
        table.timeout_s, connect=min(_CONNECT_S, table.timeout_s), pool=None
    )

    def check_response(response: httpx.Response) -> None:
        _check_media_type(response)
        response.stream = LimitedStream(response.stream, table.max_tokens)

    return httpx.Client(
        timeout=timeout,
        event_hooks={"request": [timer.watch], "response": [check_response]},
    )


def _check_media_type(response: httpx.Response) -> None:
    """Refuse what is no answer.

    Raises:
        InvalidResponseError: It is a web page, or the like.
    """
    kind = response.headers.get("content-type", "")
    if response.status_code == 200 and not kind.startswith(_MEDIA_TYPES):
        raise InvalidResponseError(
            f"it sent {kind.partition(';')[0] or 'no media type'}"
        )


def _make_chat_model(
    table: LLMSettings, key: str, client: httpx.Client
) -> "BaseChatModel":
    forbid_hubs()
    if table.kind == "argo":
        from dunegpt.serve.llm.argo import ArgoChat  # noqa: PLC0415 - start-up time

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
