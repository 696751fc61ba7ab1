"""A language model behind an OpenAI-compatible server: messages in, text out in pieces.

Uses langchain's chat model, so that any such server works; vLLM first. Knows no
documents.
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from dunegpt.config import LLMTable, forbid_hubs, read_secret
from dunegpt.errors import ModelError

if TYPE_CHECKING:
    from langchain_openai import ChatOpenAI


def stream(
    name: str, table: LLMTable, messages: Sequence[tuple[str, str]]
) -> Iterator[str]:
    """Yield the answer's text as the server writes it.

    Args:
        name: Of the server in the settings, for errors.
        table: Its settings.
        messages: As (role, text).

    Raises:
        ModelError: The server is down, refuses, breaks off, or answers with nothing.
        ConfigError: Its key is not in the environment.
    """
    model = _open(table)
    empty = True
    try:
        for chunk in model.stream(list(messages)):
            text = chunk.text
            if text:
                empty = False
                yield text
    except Exception as error:  # the door to a server: openai, httpx and pydantic raise
        raise ModelError(f"The model server {name!r}: {_reason(error)}") from error
    if empty:
        raise ModelError(f"The model server {name!r} answered with nothing.")


def _open(table: LLMTable) -> "ChatOpenAI":
    forbid_hubs()
    from langchain_openai import ChatOpenAI  # noqa: PLC0415 - 1 s, only to generate
    from pydantic import SecretStr  # noqa: PLC0415

    return ChatOpenAI(
        base_url=table.base_url,
        model=table.model,
        api_key=SecretStr(read_secret(table.api_key_env) or "none"),
        temperature=0,
        seed=0,
        max_completion_tokens=table.max_tokens,
        timeout=table.timeout_s,
        max_retries=0,
    )


def _reason(error: Exception) -> str:
    """Return what went wrong, without the texts that were sent."""
    cause = error.__cause__ or error
    status = getattr(error, "status_code", None)
    if status is not None:
        return f"status {status}: {str(getattr(error, 'message', ''))[:200]}"
    return f"{type(error).__name__}: {str(cause)[:200]}"
