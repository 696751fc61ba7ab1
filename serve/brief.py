"""Short questions to a model server on the way to an answer, within a time for all.

A server that is late or down costs at most that time. What it should have said is then
done without. Knows no documents.
"""

import threading
import time
from collections.abc import Callable, Generator
from contextlib import closing
from queue import Empty, SimpleQueue

from dunegpt.config import LLMTable, Settings
from dunegpt.errors import ModelError, ModelFault
from dunegpt.serve.llm import CUT, Messages
from dunegpt.serve.models import Models

Told = Callable[[LLMTable], Messages | None]
"""From a server to what it may be told; None if there is nothing of that."""


class Brief:
    """Asks the first server that answers.

    Attributes:
        left_s: Seconds that are left for all further questions.
    """

    def __init__(self, models: Models, settings: Settings, person: str = "") -> None:
        """Start with all of the time.

        Args:
            models: The servers.
            settings: Their tables, and the time.
            person: Whose turn is taken.
        """
        self._models = models
        self._settings = settings
        self._person = person
        self.left_s = settings.answer.budget_s

    def ask(self, told: Told, max_tokens: int) -> str:
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
                text = self._within(name, messages, max_tokens)
                return text.removesuffix(CUT).strip()
            except ModelError as error:
                problem = error
            finally:
                self.left_s -= time.monotonic() - begun
        raise problem

    def _within(self, name: str, messages: Messages, max_tokens: int) -> str:
        """Return one server's text.

        Raises:
            ModelError: It did not end in time, or not at all.
        """
        deadline = time.monotonic() + self.left_s
        if self.left_s <= 0:
            raise self._late(name)
        reading = _Reading(
            lambda: self._models.stream(
                name, messages, self._person, within_s=self.left_s, tokens=max_tokens
            )
        )
        try:
            return reading.text(deadline)
        except Empty:
            raise self._late(name) from None

    def _late(self, name: str) -> ModelError:
        budget_s = self._settings.answer.budget_s
        return ModelError(
            f"The model server {name!r} was not done in {budget_s:g} s.",
            fault=ModelFault.SILENT,
        )


class _Reading:
    """A stream that is read in a thread of its own, so that one can stop waiting."""

    def __init__(self, opened: Callable[[], Generator[str]]) -> None:
        self._pieces: SimpleQueue[str | Exception | None] = SimpleQueue()
        self._gone = threading.Event()
        threading.Thread(target=self._read, args=(opened,), daemon=True).start()

    def text(self, deadline: float) -> str:
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
            self._gone.set()

    def _read(self, opened: Callable[[], Generator[str]]) -> None:
        try:
            with closing(opened()) as pieces:
                for piece in pieces:
                    if self._gone.is_set():
                        return
                    self._pieces.put(piece)
            self._pieces.put(None)
        except Exception as error:  # raised again where it is waited for
            self._pieces.put(error)
