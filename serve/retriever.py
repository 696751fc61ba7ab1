"""The search as a langchain retriever, for programs of others.

Gives what one reader may see, and nothing else: a passage, and how to cite it.
"""

from langchain_core.callbacks import CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever
from pydantic import ConfigDict

from dunegpt.config import Settings
from dunegpt.index.search import Searcher
from dunegpt.index.view import Filters
from dunegpt.serve.citing import citation
from dunegpt.types import Access, Citation, parts_of_id


class Retriever(BaseRetriever):
    """Finds passages of DUNE's documents, best first.

    Attributes:
        searcher: Of `open_searcher`; it knows what was closed since the last index.
        settings: Say where links lead.
        reader: Principals of whoever sees the result.
        filters: Which documents to look in.
        k: At most so many passages.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)

    searcher: Searcher
    settings: Settings
    reader: Access
    filters: Filters | None = None
    k: int = 8

    def _get_relevant_documents(
        self, query: str, *, run_manager: CallbackManagerForRetrieverRun
    ) -> list[Document]:
        """Return passages.

        Raises:
            UsageError: The query is empty or too long, or a typed filter means nothing.
            IndexBrokenError: The index cannot be read.
        """
        found = self.searcher.search(query, self.reader, self.filters, self.k)
        return [
            _document(citation(hit, "", self.searcher, self.settings))
            for hit in found.hits
        ]


def _document(cited: Citation) -> Document:
    hit, document = cited.hit, cited.hit.document
    return Document(
        id=f"{document.id}#{hit.passage.file_key}#{hit.passage.start}",
        page_content=hit.passage.text,
        metadata={
            "id": document.id,
            "title": document.title,
            "url": cited.url,
            "page": cited.page,
            "version": parts_of_id(document.id)[2] or "",
            "status": document.status,
            "superseded_by": hit.superseded_by,
        },
    )
