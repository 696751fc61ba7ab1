"""Short LLM calls (follow-up, rewrite, rerank) that share one time budget per question.

A server that is late or down costs at most that time. What it should have said is then
done without. Knows no documents.
"""

import threading
import time
from collections.abc import Callable, Generator
from contextlib import closing
from queue import Empty, SimpleQueue

from dunegpt.config import Settings
from dunegpt.errors import ModelError, ModelFault
from dunegpt.llm_settings import LLMSettings
from dunegpt.serve.llm.messages import TRUNCATION_MARK, Messages
from dunegpt.serve.llm.pool import LLMPool

BuildPrompt = Callable[[LLMSettings], Messages | None]
"""From a server to what it may be told; None if there is nothing of that."""


class BudgetedLLM:
    """Asks the first server that answers.

    Attributes:
        left_s: Seconds that are left for all further questions.
    """

    def __init__(self, models: LLMPool, settings: Settings, person: str = "") -> None:
        """Start with all of the time.

        Args:
            models: The servers.
            settings: Their tables, and the time.
            person: Whose turn is taken.
        """
        self._models = models
        self._settings = settings
        self._person = person
        self.remaining_s = settings.answer.budget_s

    def ask(self, told: BuildPrompt, max_tokens: int) -> str:
        """Return what a server writes, stripped.

        Args:
            told: What each server is told.
            max_tokens: At most so many are written.

        Raises:
            ModelError: None wrote an answer in time, or none may be told anything.
            ConfigError: A key cannot be had.
        """
        problem = ModelError("No model server may be sent what it would have to read.")
        for name, table in self._settings.llm.items():
            messages = told(table)
            if messages is None:
                continue
            begun = time.monotonic()
            try:
                text = self._ask_one(name, messages, max_tokens)
                return text.removesuffix(TRUNCATION_MARK).strip()
            except ModelError as error:
                problem = error
            finally:
                self.remaining_s -= time.monotonic() - begun
        raise problem

    def _ask_one(self, name: str, messages: Messages, max_tokens: int) -> str:
        """Return one server's text.

        Raises:
            ModelError: It did not end in time, or not at all.
        """
        deadline = time.monotonic() + self.remaining_s
        if self.remaining_s <= 0:
            raise self._make_timeout_error(name)
        reading = _BackgroundStream(
            lambda: self._models.stream(
                name,
                messages,
                self._person,
                within_s=self.remaining_s,
                tokens=max_tokens,
            )
        )
        try:
            return reading.read_all(deadline)
        except Empty:
            raise self._make_timeout_error(name) from None

    def _make_timeout_error(self, name: str) -> ModelError:
        budget_s = self._settings.answer.budget_s
        return ModelError(
            f"The model server {name!r} was not done in {budget_s:g} s.",
            fault=ModelFault.SILENT,
        )


class _BackgroundStream:
    """A stream that is read in a thread of its own, so that one can stop waiting."""

    def __init__(self, opened: Callable[[], Generator[str]]) -> None:
        self._pieces: SimpleQueue[str | Exception | None] = SimpleQueue()
        self._cancelled = threading.Event()
        threading.Thread(target=self._read, args=(opened,), daemon=True).start()

    def read_all(self, deadline: float) -> str:
        """Return all of it.

        Raises:
            Empty: It has no end at the deadline.
            ModelError: It ended badly.
        """
        text = ""
        try:
            while True:
                left_s = max(0.0, deadline - time.monotonic())
                piece = self._pieces.get(timeout=left_s)
                if piece is None:
                    return text
                if isinstance(piece, Exception):
                    raise piece
                text += piece
        finally:
            self._cancelled.set()

    def _read(self, opened: Callable[[], Generator[str]]) -> None:
        try:
            with closing(opened()) as pieces:
                for piece in pieces:
                    if self._cancelled.is_set():
                        return
                    self._pieces.put(piece)
            self._pieces.put(None)
        except Exception as error:  # raised again where it is waited for
            self._pieces.put(error)
