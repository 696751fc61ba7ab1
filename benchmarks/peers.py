"""What retrieval is compared with in the same run. Knows no judgements.

LangChain's retrievers, and our own index with other words in it.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from dunegpt.index.encoder import Encoder
from dunegpt.index.lexical import LexicalIndex, LexicalWriter
from dunegpt.index.search import Searcher
from dunegpt.index.synonyms import Synonyms
from dunegpt.index.texts import context

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


def added_words(searcher: Searcher, folder: Path) -> LexicalIndex:
    """Return the lexical index made again, with synonyms and spelt-out acronyms.

    For a snapshot of one source that is public and has one file in each document.
    """
    store = searcher.snapshot.store
    synonyms = Synonyms.read()
    writer = LexicalWriter(folder / "added")
    documents = range(searcher.snapshot.manifest["counts"]["documents"])
    for number, stored in store.documents(documents).items():
        rows = store.rows_of(number)
        passages = [own for _, own in store.passages(rows).values()]
        texts = [
            f"{context(stored.document.title, own.heading, own.lead)}\n{own.text}"
            for own in passages
        ]
        for row, text, more in zip(rows, texts, synonyms.added(texts), strict=True):
            writer.add(row, f"{text}\n{more}", document=number, access=0, source=0)
    writer.close()
    return LexicalIndex(folder / "added")
