"""A LangChain retriever on the search, for use in other programs.

Returns only passages that one reader may see, with the metadata to cite them.
"""

from langchain_core.callbacks import CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever
from pydantic import ConfigDict

from dunegpt.config import Settings
from dunegpt.ids import split_id
from dunegpt.index.search.filters import Filters
from dunegpt.index.search.reader_index import ReaderIndex
from dunegpt.serve.answer.citations import make_citation
from dunegpt.types import Citation


class Retriever(BaseRetriever):
    """Finds passages of DUNE's documents, best first.

    Attributes:
        index: Index of the reader, from ``open_searcher(settings).as_reader(...)``.
        settings: Settings with the addresses for links.
        filters: Filters on the documents to search.
        k: Maximum number of passages.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)

    index: ReaderIndex
    settings: Settings
    filters: Filters | None = None
    k: int = 8

    def _get_relevant_documents(
        self, query: str, *, run_manager: CallbackManagerForRetrieverRun
    ) -> list[Document]:
        """Return the best passages.

        Raises:
            UsageError: The query is empty or too long, or a typed filter is invalid.
            IndexBrokenError: The index cannot be read.
        """
        result = self.index.search(query, self.filters, self.k)
        return [
            _make_document(make_citation(hit, "", self.index, self.settings))
            for hit in result.hits
        ]


def _make_document(citation: Citation) -> Document:
    hit, document = citation.hit, citation.hit.document
    return Document(
        id=f"{document.id}#{hit.passage.file_key}#{hit.passage.start}",
        page_content=hit.passage.text,
        metadata={
            "id": document.id,
            "title": document.title,
            "url": citation.url,
            "page": citation.page,
            "version": split_id(document.id)[2] or "",
            "status": document.status,
            "superseded_by": hit.superseded_by,
        },
    )
