"""The tables ``[llm.NAME]`` of the settings: the model servers, and how to start them.

Whether a server can be reached is checked by `dunegpt.serve.llm.check`.
"""

from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from dunegpt.access import PUBLIC


class ServeSettings(BaseModel):
    """``[llm.NAME.serve]``: how ``dunegpt llm serve`` starts vLLM or llama.cpp.

    Attributes:
        environment: Folder of the Python environment in which it is installed.
        program: Program to start; llama.cpp runs through ``xllamacpp``.
        weights: Folder or file of the model; by default a hub model of that name.
        gpus: Number of GPUs to spread the model over; 0 for CPU.
        gpu_memory: Share of the memory of each GPU to use.
        arguments: Additional arguments, appended as they are.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    environment: Path
    program: Literal["vllm", "llama.cpp"] = "vllm"
    weights: str = ""
    gpus: int = Field(1, ge=0)
    gpu_memory: float = Field(0.9, gt=0, le=1)
    prefix_caching: bool = True
    arguments: tuple[str, ...] = ()


class LLMSettings(BaseModel):
    """``[llm.NAME]``: one model server.

    Attributes:
        kind: ``openai`` for the OpenAI protocol, ``argo`` for Argonne's service.
        user: User name to send to Argo.
        may_read: Principals whose passages may be sent to it.
        timeout_s: Time limit for the first token and between tokens.
        answer_timeout_s: Time limit for a whole answer; 0 for ten times ``timeout_s``.
        max_tokens: Maximum length of an answer, also if the server ignores it.
        context_tokens: Context length of the server.
        at_once: Maximum number of answers at a time; further ones wait in a queue.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["openai", "argo"] = "openai"
    base_url: str
    model: str
    user: str = ""
    api_key_env: str = ""
    api_key_file: str = ""
    may_read: tuple[str, ...] = (PUBLIC,)
    timeout_s: float = Field(60, gt=0)
    answer_timeout_s: float = Field(0, ge=0)
    max_tokens: int = Field(600, ge=16)
    context_tokens: int = Field(8192, ge=1024)
    at_once: int = Field(8, ge=1)
    serve: ServeSettings | None = None

    @field_validator("base_url")
    @classmethod
    def _check_base_url(cls, url: str) -> str:
        address = urlsplit(url)
        if address.scheme not in {"http", "https"} or not address.hostname:
            raise ValueError("must be an address with http:// or https://")
        return url

    @property
    def answer_limit_s(self) -> float:
        """Time limit in seconds for a whole answer."""
        return self.answer_timeout_s or 10 * self.timeout_s

    @model_validator(mode="after")
    def _check_consistency(self) -> "LLMSettings":
        if self.max_tokens * 2 > self.context_tokens:
            raise ValueError("max_tokens may be at most half of context_tokens")
        if self.kind == "argo" and not self.user:
            raise ValueError("kind argo requires user")
        return self
