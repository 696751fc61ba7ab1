"""Whether what was found can hold an answer."""

from dataclasses import replace
from pathlib import Path

import pytest

from dunegpt.access import NOBODY
from dunegpt.index.search.searcher import Searcher
from dunegpt.serve.answer.extractive import SentenceScorer
from dunegpt.serve.answer.refusal import refusal_reason
from dunegpt.types import FoundBy, Hit
from tests.index.corpus import document, pack
from tests.serve.answer.references import hit

TEXTS = [
    "The drift field is 475 V/cm in run 12345, says version 3 of the note.",
    "Purity of argon was measured in 2023 with larsoft v15_01_00.",
    "Laser light.",
]


def reason(
    tmp_path: Path,
    encoder: Path,
    question: str,
    hits: list[Hit],
    *,
    read: bool = False,
) -> str | None:
    corpus = [(document(f"n:{n}"), {"a.txt": [t]}) for n, t in enumerate(TEXTS)]
    snapshot = pack(tmp_path, encoder, corpus)
    judge = SentenceScorer(
        question,
        Searcher(snapshot).as_reader(NOBODY).get_word_weights(question),
        snapshot.encoder,
    )
    return refusal_reason(question, hits, judge, will_be_read=read)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("question", "named"),
    [
        ("What is the drift field?", None),
        ("What is the drift field in run 12345?", None),
        ("What is the drift field in run 12346?", "run 12346"),
        ("What is the drift field in run #12345?", None),
        ("What says version 3 of the drift field note?", None),
        ("What says v3 of the drift field note?", None),
        ("What says version 4 of the drift field note?", "version 4"),
        ("What was the purity of argon measured in 2023?", None),
        ("What was the purity of argon measured in 2019?", "2019"),
        ("What was the argon purity measured with v15_01_00?", None),
        ("What was the argon purity measured with v15_02_00?", "v15_02_00"),
        ("Who is Okonjo, author of the drift field note?", None),
        ("What is the wombat quota of Madagascar?", "wombat"),
    ],
)
def test_reasons(
    tmp_path: Path, tiny_encoder: Path, question: str, named: str | None
) -> None:
    hits = [hit(text, n) for n, text in enumerate(TEXTS, start=1)]
    found = reason(tmp_path, tiny_encoder, question, hits)
    if named is None:
        assert found is None
    else:
        assert named in (found or "")


def test_a_reader_may_find_other_words(tmp_path: Path, tiny_encoder: Path) -> None:
    question = "How intense are electrostatic gradients?"
    hits = [hit(TEXTS[0])]
    assert reason(tmp_path / "a", tiny_encoder, question, hits)
    assert reason(tmp_path / "b", tiny_encoder, question, hits, read=True) is None


def test_nothing_near(tmp_path: Path, tiny_encoder: Path) -> None:
    question = "What is the drift field of a quokka?"
    assert reason(tmp_path / "a", tiny_encoder, question, [])
    far = [hit(TEXTS[0], score=0.1)]
    assert reason(tmp_path / "b", tiny_encoder, question, far, read=True)
    named = [replace(far[0], found_by=FoundBy.ID)]
    assert reason(tmp_path / "c", tiny_encoder, question, named) is None


def test_a_word_of_several_parts_is_named_once(
    tmp_path: Path, tiny_encoder: Path
) -> None:
    corpus = [(document("n:1"), {"a.txt": [TEXTS[2]]})]
    snapshot = pack(tmp_path, tiny_encoder, corpus)
    question = "What does closed:wombat-gasket.md say?"
    words = Searcher(snapshot).as_reader(NOBODY).get_word_weights(question)
    scorer = SentenceScorer(question, words, snapshot.encoder)
    missing = scorer.find_missing_words([hit(TEXTS[2])])
    assert missing.count("closed:wombat-gasket.md") == 1
