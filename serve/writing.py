"""What a model writes, cut into sentences as it comes, each held until it is checked.

Knows neither the search nor which servers there are.
"""

import re
from collections.abc import Generator, Iterator
from contextlib import closing

from dunegpt.config import LLMTable, Settings
from dunegpt.errors import ModelError, ModelFault
from dunegpt.index.encoder import Encoder
from dunegpt.serve.entailment import Entailment
from dunegpt.serve.judge import ModelJudge
from dunegpt.serve.llm import CUT, Messages
from dunegpt.serve.models import Stream
from dunegpt.serve.prompt import REFUSAL, messages
from dunegpt.serve.receipts import Account
from dunegpt.serve.sentences import ends_with_abbreviation
from dunegpt.serve.verify import Verifier
from dunegpt.types import Citation, Notice, Sentence

_SENTENCE_END = re.compile(
    r"[.!?](?:\s*\[[\d,;\s]+\])*\s+(?=[^\s\[])|\n\n+|\n(?=[^\sa-z])"
)


class Writer:
    """Lets model servers answer one question.

    Attributes:
        refused: Whether one said that the documents do not hold the answer.
    """

    def __init__(
        self,
        question: str,
        settings: Settings,
        encoder: Encoder,
        stream: Stream,
        account: Account,
    ) -> None:
        """Prepare to write.

        Args:
            question: As it is to be answered.
            settings: By which checks the sentences go.
            encoder: Of the index.
            stream: Asks a server.
            account: Is told how it goes.
        """
        self._question, self._settings = question, settings
        self.refused = False
        self._encoder, self._stream, self._account = encoder, stream, account

    def written(
        self, name: str, table: LLMTable, readable: list[Citation]
    ) -> Generator[Sentence | Notice]:
        """Yield one server's sentences, checked one by one as they come.

        A server that reads less than its settings say is told half as many passages,
        and half of those again, until it reads them.

        Args:
            name: Of the server.
            table: Its settings.
            readable: What it may be sent.

        Raises:
            ModelError: It did not write to the end.
            ConfigError: A check's model cannot be used.
        """
        budget = table.context_tokens - table.max_tokens
        while True:
            prompt, sent = messages(self._question, readable, budget)
            try:
                yield from self._of_prompt(name, prompt, sent)
            except ModelError as error:
                fewer = readable[: len(sent) // 2]
                if error.fault is not ModelFault.TOO_LONG or not fewer:
                    raise
                readable = fewer
                yield Notice(f"{error} It is told half as many passages.")
            else:
                return

    def _of_prompt(
        self, name: str, prompt: Messages, sent: list[Citation]
    ) -> Generator[Sentence | Notice]:
        """Yield what a server writes to a prompt, checked."""
        judge = ModelJudge.of(self._settings, self._stream)
        entailment = Entailment.of(self._settings)
        further = [m.objection for m in (entailment, judge) if m is not None]
        verifier = Verifier(sent, self._encoder, self._question, further)
        said: set[str] = set()
        with closing(self._account.watched(self._stream)(name, prompt)) as text:
            for piece in streamed_sentences(text):
                if piece == CUT:
                    continue
                if REFUSAL.casefold() in piece.casefold():
                    self.refused = True
                    continue
                with self._account.verifying():
                    sentence = verifier.verified(piece)
                if sentence.text not in said:
                    said.add(sentence.text)
                    yield sentence
        yield from map(Notice, judge.untold if judge else ())


def streamed_sentences(pieces: Iterator[str]) -> Iterator[str]:
    """Yield whole sentences, with the marks that follow them, from pieces of text."""
    text = ""
    for piece in pieces:
        text += piece
        text = yield from _whole(text)
    yield from filter(None, [text.strip()])


def _whole(text: str) -> Generator[str, None, str]:
    """Yield the sentences that a text holds whole; return what is left of it."""
    start = 0
    for end in _SENTENCE_END.finditer(text):
        sentence = text[start : end.end()].strip()
        if ends_with_abbreviation(sentence):
            continue
        yield from filter(None, [sentence])
        start = end.end()
    return text[start:]
