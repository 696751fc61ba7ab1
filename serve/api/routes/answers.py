"""Questions, and the passages that match them."""

from datetime import date
from typing import Annotated

from fastapi import Query, Request, Response
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from dunegpt.schemas.reading import AskResponse, SearchResponse
from dunegpt.serve.accounts.person import Scope
from dunegpt.serve.api.answers import run_answer
from dunegpt.serve.api.guard import GuardedRouter, readers_with
from dunegpt.serve.api.reading import as_reader, record_shown, send_json
from dunegpt.serve.api.routes import describe_problems
from dunegpt.serve.api.services import get_services
from dunegpt.serve.assistant import Filters
from dunegpt.text.surrogates import replace_surrogates

router = GuardedRouter("/api/v1", "questions", responses=describe_problems(422))

_Text = Annotated[str, AfterValidator(replace_surrogates)]
"""What a client sends; JSON can hold halves of characters, which nothing can store."""
_Names = Annotated[list[_Text], Field(max_length=50)]


class FiltersRequest(BaseModel):
    """Which documents to look in; of several values in a list, any may match."""

    model_config = ConfigDict(extra="forbid")

    sources: _Names = []
    since: date | None = None
    until: date | None = None
    author: _Text = Field("", max_length=200)
    kinds: _Names = []
    statuses: _Names = []
    documents: _Names = []

    def to_filters(self) -> Filters:
        """Return the filters for the assistant."""
        return Filters(
            tuple(self.sources),
            self.since,
            self.until,
            self.author,
            kinds=tuple(self.kinds),
            statuses=tuple(self.statuses),
            documents=tuple(self.documents),
        )


class AskRequest(BaseModel):
    """A question.

    Attributes:
        question: In words, or the name of a document.
        filters: Which documents to look in.
        k: At most so many references.
        use_model: Let a model write the answer, if one is configured.
        without: Words of the question in which no filter is to be found.
        as_asked: Find no filters in the words of the question.
    """

    model_config = ConfigDict(extra="forbid")

    question: _Text
    filters: FiltersRequest = FiltersRequest()
    k: int = Field(8, ge=1, le=50)
    use_model: bool = True
    without: _Names = []
    as_asked: bool = False


@router.route(
    "POST",
    "/ask",
    readers_with(Scope.ASK),
    is_answer=True,
    response_model=AskResponse,
)
async def ask(request: Request, asked: AskRequest) -> Response:
    """Answer a question with cited references."""
    reader = await as_reader(request, "ask")
    stream = reader.stream(
        asked.question,
        filters=asked.filters.to_filters(),
        k=asked.k,
        use_model=asked.use_model,
        without=asked.without,
        as_asked=asked.as_asked,
    )
    answer = await run_answer(request, stream)
    await record_shown(request, [each.document.id for each in answer.references])
    return await send_json(request, answer)


class SearchQuery(FiltersRequest):
    """A search, as the query of an address.

    Attributes:
        q: Words, or the name of a document; may hold typed filters.
        k: At most so many hits.
    """

    q: _Text
    k: int = Field(10, ge=1, le=1000)


@router.route(
    "GET",
    "/search",
    readers_with(Scope.SEARCH),
    is_answer=True,
    response_model=SearchResponse,
)
async def search(request: Request, query: Annotated[SearchQuery, Query()]) -> Response:
    """List the passages that match best, without writing an answer."""
    reader = await as_reader(request, "search")
    found = await get_services(request.scope).answer_workers.run(
        lambda: reader.search(query.q, filters=query.to_filters(), k=query.k)
    )
    await record_shown(request, [hit.document.id for hit in found.hits])
    return await send_json(request, found)
