"""The request for an answer: question, reader, filters and settings."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date

from dunegpt.access import Access
from dunegpt.config import Settings
from dunegpt.index.search.filters import Filters
from dunegpt.serve.question.conversation import Turn


@dataclass(frozen=True, slots=True)
class AnswerRequest:
    """One question, with everything that its answer depends on except the index.

    Attributes:
        question: A question, or the name of a document.
        settings: Settings with the data folder and the model servers.
        principals: Principals of the person who asks.
        filters: Filters on the documents to search.
        k: Maximum number of references.
        use_model: Whether a model may write the answer.
        history: Earlier turns of the conversation, oldest first.
        without: Words of the question that are not to be used as filters.
        as_asked: Whether to use no words of the question as filters.
        today: Day that ``last year`` refers to; None for the current day.
    """

    question: str
    settings: Settings
    principals: Access
    filters: Filters = field(default_factory=Filters)
    k: int = 8
    use_model: bool = True
    history: Sequence[Turn] = ()
    without: Sequence[str] = ()
    as_asked: bool = False
    today: date | None = None
