"""What a model writes, cut into sentences as it comes, each held until it is checked.

Knows neither the search nor which servers there are.
"""

from collections.abc import Generator
from contextlib import closing

from dunegpt.config import LLMSettings, Settings
from dunegpt.errors import ModelError, ModelFault
from dunegpt.index.encoder.onnx import Encoder
from dunegpt.serve.answer.prompt import REFUSAL, build_messages
from dunegpt.serve.answer.trace import AnswerTrace
from dunegpt.serve.llm.messages import TRUNCATION_MARK, Messages
from dunegpt.serve.llm.pool import StreamFunction
from dunegpt.serve.verify.entailment import EntailmentModel
from dunegpt.serve.verify.llm_judge import LLMJudge
from dunegpt.serve.verify.verifier import Verifier
from dunegpt.text.sentences import split_stream
from dunegpt.types import Citation, Notice, Sentence


class AnswerWriter:
    """Lets model servers answer one question.

    Attributes:
        refused: Whether one said that the documents do not hold the answer.
    """

    def __init__(
        self,
        question: str,
        settings: Settings,
        encoder: Encoder,
        stream: StreamFunction,
        trace: AnswerTrace,
    ) -> None:
        """Prepare to write.

        Args:
            question: As it is to be answered.
            settings: By which checks the sentences go.
            encoder: Of the index.
            stream: Asks a server.
            trace: Of the answer.
        """
        self._question, self._settings = question, settings
        self.refused = False
        self._encoder, self._stream, self._trace = encoder, stream, trace

    def stream_sentences(
        self, name: str, table: LLMSettings, readable: list[Citation]
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
            prompt, sent = build_messages(self._question, readable, budget)
            try:
                yield from self._stream_prompt(name, prompt, sent)
            except ModelError as error:
                fewer = readable[: len(sent) // 2]
                if error.fault is not ModelFault.TOO_LONG or not fewer:
                    raise
                readable = fewer
                yield Notice(f"{error} It is told half as many passages.")
            else:
                return

    def _stream_prompt(
        self, name: str, prompt: Messages, sent: list[Citation]
    ) -> Generator[Sentence | Notice]:
        """Yield what a server writes to a prompt, checked."""
        judge = LLMJudge.from_settings(self._settings, self._stream)
        entailment = EntailmentModel.from_settings(self._settings)
        further = [m.find_objection for m in (entailment, judge) if m is not None]
        verifier = Verifier(sent, self._encoder, self._question, further)
        said: set[str] = set()
        with closing(self._trace.watch_stream(self._stream)(name, prompt)) as text:
            for piece in split_stream(text):
                if piece == TRUNCATION_MARK:
                    continue
                if REFUSAL.casefold() in piece.casefold():
                    self.refused = True
                    continue
                with self._trace.time_verification():
                    sentence = verifier.verify(piece)
                if sentence.text not in said:
                    said.add(sentence.text)
                    yield sentence
        yield from map(Notice, judge.notices if judge else ())
