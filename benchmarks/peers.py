"""What retrieval is compared with in the same run. Knows no judgements.

LangChain's retrievers, and our own index with other words in it.
"""

from collections.abc import Callable, Sequence
from typing import Any

from dunegpt.index.encoder import Encoder

Ask = Callable[[dict[str, str], int], dict[str, dict[str, float]]]


def ensemble(documents: Sequence[dict[str, Any]], encoder: Encoder) -> Ask:
    """Return a function that asks LangChain's ensemble of FAISS and BM25.

    Whole documents, as its tutorials do; equal weights, reciprocal rank fusion, words
    split at white space: all its defaults, but that both retrievers give k hits each.

    Args:
        documents: Each with id, title and text.
        encoder: Embeds documents and questions: the product's own.
    """
    from langchain_classic.retrievers import EnsembleRetriever  # noqa: PLC0415
    from langchain_community.retrievers import BM25Retriever  # noqa: PLC0415
    from langchain_community.vectorstores import FAISS  # noqa: PLC0415
    from langchain_core.embeddings import Embeddings  # noqa: PLC0415

    class Own(Embeddings):
        def embed_documents(self, texts: list[str]) -> list[list[float]]:
            return [row.tolist() for row in encoder.documents(texts)]

        def embed_query(self, text: str) -> list[float]:
            row: list[float] = encoder.queries([text])[0].tolist()
            return row

    texts = [f"{each['title']}\n{each['text']}" for each in documents]
    ids = [{"id": str(each["id"])} for each in documents]
    by_words = BM25Retriever.from_texts(texts, metadatas=ids)
    store = FAISS.from_texts(texts, Own(), metadatas=ids)

    def ask(queries: dict[str, str], k: int) -> dict[str, dict[str, float]]:
        by_words.k = k
        by_vector = store.as_retriever(search_kwargs={"k": k})
        both = EnsembleRetriever(retrievers=[by_words, by_vector], weights=[0.5, 0.5])
        found = {}
        for number, text in queries.items():
            hits = [hit.metadata["id"] for hit in both.invoke(text)]
            found[number] = {own: 1 / rank for rank, own in enumerate(hits, start=1)}
        return found

    return ask
