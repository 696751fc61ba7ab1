"""Checks that a model server can chat, stream, cancel and give structured output.

Knows no documents; sends words of its own only.
"""

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass

from pydantic import BaseModel

from dunegpt.config import Settings
from dunegpt.errors import ModelError, ModelFault
from dunegpt.llm_settings import LLMSettings
from dunegpt.serve.llm import client

_MAX_TOKENS = 256
_SHORT_PROMPT = [
    ("user", "Answer with one word: what is the element with the symbol Ar?")
]
_LONG_PROMPT = [("user", "Write a long text, of at least ten sentences, about argon.")]
_STRUCTURED_PROMPT = [
    ("user", 'Give the element argon as JSON with "symbol" and "number".')
]
_FATAL_FAULTS = {ModelFault.DOWN, ModelFault.KEY, ModelFault.MODEL, ModelFault.SILENT}


class Element(BaseModel):
    """What a server is asked to fill in."""

    symbol: str
    number: int


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One thing that was tried.

    Attributes:
        detail: What was seen, or what went wrong.
    """

    name: str
    ok: bool
    detail: str


class ServerCheck:
    """One server, tried."""

    def __init__(self, name: str, settings: Settings) -> None:
        """Take a server by its name.

        Raises:
            ConfigError: Its key cannot be had.
        """
        table = settings.llm[name]
        most = min(table.max_tokens, _MAX_TOKENS)
        self._name, self._key = name, settings.read_model_key(name)
        self._table: LLMSettings = table.model_copy(update={"max_tokens": most})

    def run(self) -> list[CheckResult]:
        """Return what was tried; after a failure that all would share, no more."""
        steps: dict[str, Callable[[], str]] = {"chat": self._check_chat}
        if self._table.kind == "openai":
            steps = {"models": self._check_models, **steps}
        if self._key:
            steps["key"] = self._check_key
        steps |= {"streaming": self._check_streaming, "cancel": self._check_cancel}
        if self._table.kind == "openai":
            steps["structured"] = self._check_structured
        found: list[CheckResult] = []
        for name, step in steps.items():
            try:
                found.append(CheckResult(name, ok=True, detail=step()))
            except ModelError as error:
                found.append(CheckResult(name, ok=False, detail=str(error)))
                if error.fault in _FATAL_FAULTS:
                    break
        return found

    def _check_models(self) -> str:
        names = client.list_models(self._name, self._table, self._key)
        tokens, meant = names.get(self._table.model, 0), self._table.context_tokens
        if self._table.model not in names:
            raise ModelError(
                f"It has {', '.join(names) or 'none'}, not {self._table.model}.",
                fault=ModelFault.MODEL,
            )
        if 0 < tokens < meant:
            raise ModelError(
                f"{self._table.model} reads {tokens} tokens there, not {meant}.",
                fault=ModelFault.TOO_LONG,
            )
        return f"has {self._table.model}" + (f", {tokens} tokens" if tokens else "")

    def _check_chat(self) -> str:
        said = "".join(client.stream(self._name, self._table, self._key, _SHORT_PROMPT))
        return f"answered {' '.join(said.split())[:60]!r}"

    def _check_key(self) -> str:
        try:
            with closing(
                client.stream(self._name, self._table, "not-the-key", _SHORT_PROMPT)
            ) as pieces:
                next(pieces)
        except ModelError as error:
            if error.fault is ModelFault.KEY:
                return "another key was refused"
            raise
        raise ModelError("It answers whatever the key is.")

    def _check_streaming(self) -> str:
        count = sum(
            1 for _ in client.stream(self._name, self._table, self._key, _LONG_PROMPT)
        )
        if count < 2:
            raise ModelError("The answer came in one piece.")
        return f"came in {count} pieces"

    def _check_cancel(self) -> str:
        with closing(
            client.stream(self._name, self._table, self._key, _LONG_PROMPT)
        ) as pieces:
            next(pieces)
        self._check_chat()
        return "closed after the first piece; it answers again"

    def _check_structured(self) -> str:
        found = client.generate_structured(
            self._name, self._table, self._key, _STRUCTURED_PROMPT, Element
        )
        return f"filled in {found.model_dump_json()}"
