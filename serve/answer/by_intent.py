"""Questions whose intent decides the shape of the answer, answered by exact statements.

Lists, counts and the newest document come from typed fields; a definition is the line
that gives it. Everything goes through the reader's index. What none of the shapes fits
is answered from the best sentences, or by a model.
"""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import date

from dunegpt.errors import UsageError
from dunegpt.index.search.filters import Filters
from dunegpt.index.search.query import parse_query
from dunegpt.index.search.reader_index import ReaderIndex
from dunegpt.serve.answer.comparison import answer_comparison
from dunegpt.serve.answer.definitions import answer_definition
from dunegpt.serve.answer.listing import answer_request
from dunegpt.serve.answer.mentions import answer_from_mentions, answer_who_cites
from dunegpt.serve.answer.procedure import answer_procedure
from dunegpt.serve.answer.request import AnswerRequest
from dunegpt.serve.answer.statements import Statement, make_answer
from dunegpt.serve.answer.summary import answer_authorship, answer_summary
from dunegpt.serve.question.catalog_request import parse_catalog_request
from dunegpt.serve.question.wording import find_content
from dunegpt.types import AnswerEvent, Chip, QuestionEvent


@dataclass(frozen=True, slots=True)
class ShapedAnswer:
    """An answer in the shape that its question asks for.

    Attributes:
        chips: Filters that were found in the question.
        notices: Messages for the reader.
    """

    statements: tuple[Statement, ...]
    chips: tuple[Chip, ...] = ()
    notices: tuple[str, ...] = field(default_factory=tuple)


def answer_by_intent(
    asked: QuestionEvent, index: ReaderIndex, request: AnswerRequest
) -> Iterator[AnswerEvent] | None:
    """Return the events of an answer of its own shape; None if the question has none.

    Raises:
        UsageError: A typed filter is invalid.
        IndexBrokenError: The index cannot be read.
    """
    found = _find_answer(asked.question, index, request)
    if found is None or not found.statements:
        return None

    def tell() -> Iterator[AnswerEvent]:
        yield replace(asked, chips=found.chips)
        yield from make_answer(found.statements, index, request.settings, found.notices)

    return tell()


def _find_answer(
    question: str, index: ReaderIndex, request: AnswerRequest
) -> ShapedAnswer | None:
    query = parse_query(question)
    filters = [each for each in (request.filters, query.filters) if each != Filters()]
    if not query.text:
        return None
    texts = tuple(dict.fromkeys((query.text, find_content(query.text))))
    if not filters and (found := _answer_about_names(query.text, index)):
        return found
    if not request.as_asked and (found := _list(texts, index, filters, request)):
        return found
    return None if filters else _answer_by_text(texts, index)


def _answer_about_names(question: str, index: ReaderIndex) -> ShapedAnswer | None:
    """Return an answer about documents by their names: citing, compared, missing."""
    for answer in (answer_who_cites, answer_comparison):
        if statements := answer(question, index):
            return ShapedAnswer(tuple(statements))
    statements, notices = answer_from_mentions(question, index)
    return ShapedAnswer(tuple(statements), (), tuple(notices)) if statements else None


def _list(
    texts: Sequence[str],
    index: ReaderIndex,
    filters: Sequence[Filters],
    request: AnswerRequest,
) -> ShapedAnswer | None:
    """Return an answer from the typed fields of documents."""
    today = request.today or date.today()
    for text in texts:
        catalog = parse_catalog_request(text, index.facets, today, request.without)
        if catalog is None:
            continue
        with suppress(UsageError):  # a source that the reader may not see
            if statements := answer_request(catalog, index, filters):
                return ShapedAnswer(tuple(statements), catalog.chips)
    return None


def _answer_by_text(texts: Sequence[str], index: ReaderIndex) -> ShapedAnswer | None:
    for answer in _BY_TEXT:
        for text in texts:
            if statements := answer(text, index):
                return ShapedAnswer(tuple(statements))
    return None


_BY_TEXT = (answer_definition, answer_summary, answer_authorship, answer_procedure)
