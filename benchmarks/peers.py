"""Retrieval baselines to compare with in the same run: LangChain's retrievers.

Does not depend on relevance judgements.
"""

from collections.abc import Callable, Sequence
from typing import Any

from dunegpt.index.encoder.onnx import Encoder

Ask = Callable[[dict[str, str], int], dict[str, dict[str, float]]]


def ensemble(documents: Sequence[dict[str, Any]], encoder: Encoder) -> Ask:
    """Return a function that searches with LangChain's ensemble of FAISS and BM25.

    Indexes whole documents, as its tutorials do. Uses the defaults (equal weights,
    reciprocal rank fusion, words split at white space) except for k hits per retriever.

    Args:
        documents: Documents with id, title and text.
        encoder: The product's encoder, for documents and queries.
    """
    from langchain_classic.retrievers import EnsembleRetriever  # noqa: PLC0415
    from langchain_community.retrievers import BM25Retriever  # noqa: PLC0415
    from langchain_community.vectorstores import FAISS  # noqa: PLC0415
    from langchain_core.embeddings import Embeddings  # noqa: PLC0415

    class Own(Embeddings):
        def embed_documents(self, texts: list[str]) -> list[list[float]]:
            return [row.tolist() for row in encoder.embed_documents(texts)]

        def embed_query(self, text: str) -> list[float]:
            row: list[float] = encoder.embed_queries([text])[0].tolist()
            return row

    texts = [f"{document['title']}\n{document['text']}" for document in documents]
    ids = [{"id": str(document["id"])} for document in documents]
    by_words = BM25Retriever.from_texts(texts, metadatas=ids)
    store = FAISS.from_texts(texts, Own(), metadatas=ids)

    def ask(queries: dict[str, str], k: int) -> dict[str, dict[str, float]]:
        by_words.k = k
        by_vector = store.as_retriever(search_kwargs={"k": k})
        both = EnsembleRetriever(retrievers=[by_words, by_vector], weights=[0.5, 0.5])
        found = {}
        for number, text in queries.items():
            hits = [hit.metadata["id"] for hit in both.invoke(text)]
            found[number] = {
                doc_id: 1 / rank for rank, doc_id in enumerate(hits, start=1)
            }
        return found

    return ask
