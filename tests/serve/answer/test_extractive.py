"""Sentences of passages, and how they are judged."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dunegpt.access import NOBODY
from dunegpt.index.encoder.onnx import Encoder
from dunegpt.index.search.searcher import Searcher
from dunegpt.serve.answer.candidates import Candidate, extract_candidates
from dunegpt.serve.answer.extractive import READ, SentenceScorer, select_answers
from dunegpt.serve.answer.features import Question
from dunegpt.text.sentences import MAX_QUOTE, split_sentences
from tests.index.corpus import document, pack
from tests.serve.answer.references import hit


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One is here. Two is there! Is three?", 3),
        ("It is at 4.3 K. The rest is warm.", 2),
        ("See Fig. 3 for it. Then go on.", 2),
        ("Values, e.g. 5 mm, are small. Others are not.", 2),
        ("As Dr. Okonjo and A. Lee et al. (2024) say. Yes.", 2),
        ("Use no. 5 here. Done.", 2),
        ('He said "Stop it." Then he left.', 2),
        ("It works (see above.) It does.", 2),
        ("List:\n- first thing\n- second thing\n1. third", 4),
        ("A heading\n\nA paragraph", 2),
        ("one line\nwrapped to the next", 1),
        ("v1.2.3 of larsoft.org is used", 1),
        ("", 0),
        (" \n\n ", 0),
    ],
)
def test_sentences(text: str, expected: int) -> None:
    found = list(split_sentences(text))
    assert len(found) == expected, found
    assert all(one in text for one in found)


def test_quotation_marks_stay_with_their_sentence() -> None:
    found = list(
        split_sentences('He said "Stop it." Then he left. (So it was.) The end.')
    )
    assert found == ['He said "Stop it."', "Then he left.", "(So it was.)", "The end."]


@given(st.text(alphabet='ab .!?\n"(-)1A', max_size=200))
def test_nothing_is_lost_and_all_is_verbatim(text: str) -> None:
    found = list(split_sentences(text))
    assert "".join("".join(found).split()) == "".join(text.split())
    assert all(one in text and one == one.strip() for one in found)


def test_long_ones_are_cut_at_lines() -> None:
    rows = [f"row {n} with {'x' * 50}" for n in range(20)]
    assert list(split_sentences("\n".join(rows))) == rows
    assert "".join(split_sentences("y" * 1000)) == "y" * 1000
    words = " ".join(["quokka"] * 200)
    assert " ".join(parts := list(split_sentences(words))) == words
    assert all(len(part) <= MAX_QUOTE for part in parts)


@pytest.fixture
def judge(tmp_path: Path, tiny_encoder: Path) -> SentenceScorer:
    texts = ["The drift field.", "The drift of argon.", "Purity of argon."]
    corpus = [(document(f"n:{n}"), {"a.txt": [t]}) for n, t in enumerate(texts)]
    snapshot = pack(tmp_path, tiny_encoder, corpus)
    question = "What is the drift field?"
    weights = Searcher(snapshot).as_reader(NOBODY).get_word_weights(question)
    return SentenceScorer(question, weights, snapshot.encoder)


def test_share(judge: SentenceScorer) -> None:
    assert judge.word_share("A drift of the field") == 1
    assert judge.word_share("nothing of it") == judge.word_share("") == 0
    assert (
        0 < judge.word_share("drift") < judge.word_share("field") < 1
    )  # the rarer weighs more


def test_words_of_several_hits_add_up(judge: SentenceScorer) -> None:
    both = [hit("The drift"), hit("The fields", 2)]
    assert judge.find_missing_words(both) == []
    assert judge.find_missing_words([hit("The drift")]) == ["field"]


def test_best(judge: SentenceScorer) -> None:
    text = "It is cold. The drift field was lowered to 475 V/cm. The drift field."
    found = judge.rank_sentences([hit("Unrelated things.", 2, score=0.1), hit(text)])
    assert found[0].text == "The drift field was lowered to 475 V/cm."
    assert {c.text for c in found} >= {"Unrelated things.", "It is cold."}
    assert all(c.score <= 1 for c in found)
    assert [c.score for c in found] == sorted((c.score for c in found), reverse=True)
    assert judge.rank_sentences([]) == []


def test_title_said_again_is_no_answer(judge: SentenceScorer) -> None:
    """A sentence that says nothing new comes behind one that does."""
    text = "The drift field. It is 475 V/cm in the drift field."
    assert (
        judge.rank_sentences([hit(text)])[0].text
        == "It is 475 V/cm in the drift field."
    )


def test_a_sentence_that_is_the_title_answers(judge: SentenceScorer) -> None:
    """As that of a log entry, whose first line only names the entry."""
    fact = "The drift field was lowered to 475 V/cm."
    text = f"Entry a of n, 2024-02-29 10:00:00\n\nAuthor: Okonjo\n\n{fact}"
    entry = hit(text, title=f"{fact} (2024-02-29 10:00)")
    found = judge.rank_sentences([entry])
    assert [candidate.text for candidate in found if "Entry" in candidate.text] == []
    assert found[0].text == fact
    assert judge.probability([entry]) > judge.judgement.threshold


def test_the_way_of_asking_does_not_count(tmp_path: Path, tiny_encoder: Path) -> None:
    corpus = [(document("n:1"), {"a.txt": ["CISC is in charge of slow controls."]})]
    snapshot = pack(tmp_path, tiny_encoder, corpus)
    for question, share in (("What does CISC stand for?", 1), ("A stand of CISC", 0.5)):
        weights = Searcher(snapshot).as_reader(NOBODY).get_word_weights(question)
        judge = SentenceScorer(question, weights, snapshot.encoder)
        assert (judge.word_share("CISC") == 1) is (share == 1)


def test_who_may_is_asked_of_no_word(tmp_path: Path, tiny_encoder: Path) -> None:
    corpus = [(document("n:1"), {"a.txt": ["The leader opens the valve in May."]})]
    snapshot = pack(tmp_path, tiny_encoder, corpus)
    for question, is_whole in (
        ("Who may open it?", True),
        ("May it be opened?", True),
        ("Open in May?", False),
        ("May 2024: open?", False),
    ):
        weights = Searcher(snapshot).as_reader(NOBODY).get_word_weights(question)
        judge = SentenceScorer(question, weights, snapshot.encoder)
        assert (judge.word_share("opened") == 1) is is_whole


def test_numerals_are_words(tmp_path: Path, tiny_encoder: Path) -> None:
    corpus = [(document("n:1"), {"a.txt": ["A 7 year exposure."]})]
    snapshot = pack(tmp_path, tiny_encoder, corpus)
    question = "What do seven years give?"
    weights = Searcher(snapshot).as_reader(NOBODY).get_word_weights(question)
    judge = SentenceScorer(question, weights, snapshot.encoder)
    assert judge.word_share("a 7 year run") > judge.word_share("a year of runs")
    assert "seven" not in judge.find_missing_words([hit("7 years")])
    assert "seven" in judge.find_missing_words([hit("17 years")])


def test_rows_of_a_table_stand_alone() -> None:
    table = "| Part | Mass |\n|---|---|\n| Frame | 600 kg |\n| Wires | 23.4 km |"
    assert list(split_sentences(table))[2:] == [
        "| Frame | 600 kg |",
        "| Wires | 23.4 km |",
    ]


def test_only_the_likely_ones_are_embedded(
    judge: SentenceScorer, monkeypatch: pytest.MonkeyPatch
) -> None:
    embedded: list[str] = []
    real = Encoder.embed_documents

    def noted(self: Encoder, texts: list[str], **more: int) -> object:
        embedded.extend(texts)
        return real(self, texts, **more)

    monkeypatch.setattr(Encoder, "embed_documents", noted)
    fact = "The drift field of the argon was lowered to 475 V/cm in May."
    noise = [f"Nothing of {chr(97 + n)} is told here." for n in range(26)] * 2
    text = " ".join(f"{own[:-1]} {n}." for n, own in enumerate(noise))
    hits = [hit(f"{fact} {fact[:-1]} 2024.", score=1.0), hit(text, 2, score=0.0)]
    found = judge.rank_sentences(hits)
    assert found[0].text == fact
    assert len(embedded) == READ < len(list(split_sentences(text)))


def rated(*pairs: tuple[str, float]) -> list[Candidate]:
    text = " ".join(text for text, _ in pairs)
    found = {c.text: c for c in extract_candidates(hit(text))}
    return [replace(found[text], score=score) for text, score in pairs]


def test_an_exact_answer_stands_alone() -> None:
    found = rated(("Gauge 12 is cold.", 0.8), ("Gauge 3 is warm.", 0.7))
    assert [c.text for c in select_answers(found)] == ["Gauge 12 is cold."]


def test_what_is_less_sure_comes_with_others() -> None:
    found = rated(("It is cold.", 0.3), ("It is warm.", 0.25), ("It is far.", 0.05))
    said = [c.text for c in select_answers(found)]
    assert said == ["It is cold.", "It is warm."]
    assert list(select_answers([])) == []


def test_another_number_is_never_shown(tmp_path: Path, tiny_encoder: Path) -> None:
    text = "Gauge 2811 reads 3 bar. Gauge 24 reads 4 bar."
    snapshot = pack(tmp_path, tiny_encoder, [(document("n:1"), {"a.txt": [text]})])
    question = "What does gauge 2411 read?"
    weights = Searcher(snapshot).as_reader(NOBODY).get_word_weights(question)
    judge = SentenceScorer(question, weights, snapshot.encoder)
    assert judge.rank_sentences([hit(text)]) == []


def test_a_reply_overrules_what_it_quotes(tmp_path: Path, tiny_encoder: Path) -> None:
    text = "No, we stay at 3 bar.\n\n> Shall the pressure of the lid be 5 bar from now?"
    text += "\n> The pressure of the lid could be 5 bar."
    snapshot = pack(tmp_path, tiny_encoder, [(document("n:1"), {"a.txt": [text]})])
    question = "What is the pressure of the lid?"
    weights = Searcher(snapshot).as_reader(NOBODY).get_word_weights(question)
    judge = SentenceScorer(question, weights, snapshot.encoder)
    found = judge.rank_sentences([hit(text, title="Re: pressure of the lid")])
    assert [candidate.text for candidate in found] == ["No, we stay at 3 bar."]


@pytest.mark.parametrize(
    ("text", "other", "is_doubtful"),
    [
        ("The drift field is 5 V.", 0.01, False),
        ("The drift field is 5 V.", 0.19, True),
        ("The lid is 5 mm.", 0.01, True),
    ],
)
def test_an_unlikely_answer_is_not_doubted_if_it_is_apart_from_all_others(
    judge: SentenceScorer,
    monkeypatch: pytest.MonkeyPatch,
    text: str,
    other: float,
    is_doubtful: bool,
) -> None:
    best, second = (next(extract_candidates(hit(t))) for t in (text, "A pump."))
    ranked = [replace(best, score=0.2), replace(second, score=other)]
    monkeypatch.setattr(judge, "rank_sentences", lambda hits: ranked)
    monkeypatch.setattr(judge, "probability", lambda hits: 0.3)

    assert judge.is_doubtful([best.hit]) is is_doubtful


@pytest.mark.parametrize(
    ("question", "text", "is_answered"),
    [
        ("Which version of Larch reads it?", "A new Larch reads it.", False),
        ("Which version of Larch reads it?", "Larch v2.1 reads it.", True),
        ("How many pumps has Larch?", "Larch has pumps.", False),
        ("Who reads Larch?", "Larch is read in turns.", True),
        ("What happens when Larch reads it?", "Larch reads it.", True),
    ],
)
def test_without_what_is_asked_for_an_answer_must_be_likelier(
    judge: SentenceScorer,
    monkeypatch: pytest.MonkeyPatch,
    question: str,
    text: str,
    is_answered: bool,
) -> None:
    candidate = next(extract_candidates(hit(text)))
    monkeypatch.setattr(judge, "question", Question(question, {}))
    monkeypatch.setattr(judge, "rank_sentences", lambda hits: [candidate])
    monkeypatch.setattr(judge, "probability", lambda hits: judge.judgement.doubt - 0.01)

    assert judge.answers([candidate.hit]) is is_answered
