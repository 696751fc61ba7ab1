"""Tries what a model server must do: chat, streaming, cancelling, structured output.

Knows no documents; sends words of its own only.
"""

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass

from pydantic import BaseModel

from dunegpt.config import LLMTable, Settings
from dunegpt.errors import ModelError, ModelFault
from dunegpt.serve import llm

_MOST_TOKENS = 256
_SHORT = [("user", "Answer with one word: what is the element with the symbol Ar?")]
_LONG = [("user", "Write a long text, of at least ten sentences, about argon.")]
_SHAPED = [("user", 'Give the element argon as JSON with "symbol" and "number".')]
_ENDS = {ModelFault.DOWN, ModelFault.KEY, ModelFault.MODEL, ModelFault.SILENT}


class Element(BaseModel):
    """What a server is asked to fill in."""

    symbol: str
    number: int


@dataclass(frozen=True, slots=True)
class Checked:
    """One thing that was tried.

    Attributes:
        detail: What was seen, or what went wrong.
    """

    name: str
    ok: bool
    detail: str


class Check:
    """One server, tried."""

    def __init__(self, name: str, settings: Settings) -> None:
        """Take a server by its name.

        Raises:
            ConfigError: Its key cannot be had.
        """
        table = settings.llm[name]
        most = min(table.max_tokens, _MOST_TOKENS)
        self._name, self._key = name, settings.model_key(name)
        self._table: LLMTable = table.model_copy(update={"max_tokens": most})

    def all(self) -> list[Checked]:
        """Return what was tried; after a failure that all would share, no more."""
        steps: dict[str, Callable[[], str]] = {"chat": self._chat}
        if self._table.kind == "openai":
            steps = {"models": self._models, **steps}
        if self._key:
            steps["key"] = self._refuses_another_key
        steps |= {"streaming": self._streaming, "cancel": self._cancel}
        if self._table.kind == "openai":
            steps["structured"] = self._structured
        found: list[Checked] = []
        for name, step in steps.items():
            try:
                found.append(Checked(name, ok=True, detail=step()))
            except ModelError as error:
                found.append(Checked(name, ok=False, detail=str(error)))
                if error.fault in _ENDS:
                    break
        return found

    def _models(self) -> str:
        names = llm.models(self._name, self._table, self._key)
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

    def _chat(self) -> str:
        said = "".join(llm.stream(self._name, self._table, self._key, _SHORT))
        return f"answered {' '.join(said.split())[:60]!r}"

    def _refuses_another_key(self) -> str:
        try:
            with closing(
                llm.stream(self._name, self._table, "not-the-key", _SHORT)
            ) as pieces:
                next(pieces)
        except ModelError as error:
            if error.fault is ModelFault.KEY:
                return "another key was refused"
            raise
        raise ModelError("It answers whatever the key is.")

    def _streaming(self) -> str:
        count = sum(1 for _ in llm.stream(self._name, self._table, self._key, _LONG))
        if count < 2:
            raise ModelError("The answer came in one piece.")
        return f"came in {count} pieces"

    def _cancel(self) -> str:
        with closing(llm.stream(self._name, self._table, self._key, _LONG)) as pieces:
            next(pieces)
        self._chat()
        return "closed after the first piece; it answers again"

    def _structured(self) -> str:
        found = llm.structured(self._name, self._table, self._key, _SHAPED, Element)
        return f"filled in {found.model_dump_json()}"
