"""Argo, Argonne's gateway to models of OpenAI, Anthropic and Google, for langchain.

It speaks a JSON of its own: a user, a model and messages; whole answers from ``chat/``,
plain text in pieces from ``streamchat/``. It knows no seed, and no schema of an answer.
Knows no settings and handles no failure: httpx's errors pass through.

Source: the gateway's public documentation of October 2025.
"""

from collections.abc import Iterator
from typing import Any

import httpx
from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from pydantic import ConfigDict, SecretStr

from dunegpt.serve.llm.errors import InvalidResponseError

_ROLES = {"system": "system", "human": "user", "ai": "assistant"}
_REASONING_PREFIXES = ("gpto", "gpt5")
"""Such models take no temperature, and count their tokens by another name."""
_NO_SYSTEM_ROLE = ("gpto1preview", "gpto1mini")


class ArgoChat(BaseChatModel):
    """A model behind Argo.

    Attributes:
        base_url: Ends in ``/argoapi/api/v1/resource``.
        user: Name of a person or of a service at Argonne; Argo logs it.
        key: Is sent as a bearer token, if there is one.
        client: Its time-outs hold.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True, protected_namespaces=())

    base_url: str
    model: str
    user: str
    key: SecretStr = SecretStr("")
    max_tokens: int
    client: httpx.Client

    @property
    def _llm_type(self) -> str:
        return "argo"

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        if kwargs.get("response_format"):
            raise InvalidResponseError("Argo offers no structured output")
        response = self.client.post(**self._build_request("chat/", messages, stop))
        response.raise_for_status()
        text = response.json().get("response")
        if not isinstance(text, str):
            raise InvalidResponseError("its JSON has no response")
        message = AIMessage(text, response_metadata={"finish_reason": "stop"})
        return ChatResult(generations=[ChatGeneration(message=message)])

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        request = self._build_request("streamchat/", messages, stop)
        with self.client.stream("POST", **request) as response:
            if response.is_error:
                response.read()
            response.raise_for_status()
            response.encoding = "utf-8"
            for text in response.iter_text():
                yield ChatGenerationChunk(message=AIMessageChunk(content=text))
        yield ChatGenerationChunk(
            message=AIMessageChunk(content=""),
            generation_info={"finish_reason": "stop"},
        )

    def _build_request(
        self, door: str, messages: list[BaseMessage], stop: list[str] | None
    ) -> dict[str, Any]:
        """Return what to post, and where."""
        secret = self.key.get_secret_value()
        return {
            "url": f"{self.base_url.rstrip('/')}/{door}",
            "json": {
                "user": self.user,
                "model": self.model,
                "messages": self._convert_messages(messages),
                "stop": stop or [],
                **self._build_limits(),
            },
            "headers": {"Authorization": f"Bearer {secret}"} if secret else {},
        }

    def _build_limits(self) -> dict[str, Any]:
        if self.model.startswith(_REASONING_PREFIXES):
            return {"max_completion_tokens": self.max_tokens}
        # Only one of temperature and top_p: Anthropic's models refuse both.
        return {"temperature": 0, "max_tokens": self.max_tokens}

    def _convert_messages(self, messages: list[BaseMessage]) -> list[dict[str, str]]:
        told = [{"role": _ROLES[m.type], "content": str(m.text)} for m in messages]
        if not self.model.startswith(_NO_SYSTEM_ROLE):
            return told
        whole = "\n\n".join(each["content"] for each in told)
        return [{"role": "user", "content": whole}]
