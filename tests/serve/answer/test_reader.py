"""The reader: found, loaded, asked, and left out; with its real weights as well."""

import importlib
from importlib.util import find_spec
from pathlib import Path

import pytest

from dunegpt.access import NOBODY
from dunegpt.config import AnswerSettings, Settings
from dunegpt.errors import ConfigError
from dunegpt.index.search.searcher import Searcher
from dunegpt.serve.answer.candidates import extract_candidates
from dunegpt.serve.answer.extractive import SentenceScorer
from dunegpt.serve.answer.reader import PACKAGE, Reader, find_reader
from simulators.cross_encoder import make_pair_model
from tests.index.corpus import document, pack
from tests.serve.answer.references import hit


def with_reader(settings: Settings, name: str) -> Settings:
    return settings.model_copy(update={"answer": AnswerSettings(reader=name)})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Give a reader that likes the word quokka."""
    return make_pair_model(tmp_path / "reader", {"quokka": [4.0], "wombat": [-4.0]})


def test_logits_come_in_order(folder: Path) -> None:
    text = "A wombat and a wombat. A quokka. Some long sentence about no animal at all."
    candidates = list(extract_candidates(hit(text)))
    assert Reader(folder).read("who?", candidates) == pytest.approx([-8, 4, 0])


def test_what_it_reads_well_is_the_answer(
    folder: Path, tmp_path: Path, tiny_encoder: Path
) -> None:
    text = "Which animal digs is the wombat. At night there is the quokka."
    corpus = [(document("n:1"), {"a.txt": [text]})]
    snapshot = pack(tmp_path / "s", tiny_encoder, corpus)
    question = "Which animal digs?"
    weights = Searcher(snapshot).as_reader(NOBODY).get_word_weights(question)
    scorer = SentenceScorer(question, weights, snapshot.encoder, Reader(folder))
    best, other = scorer.rank_sentences([hit(text)])
    assert "quokka" in best.text
    assert best.score > other.score


def test_settings_name_it(settings: Settings, folder: Path) -> None:
    assert find_reader(with_reader(settings, "none")) is None
    named = with_reader(settings, str(folder))
    assert find_reader(named) is find_reader(named) is not None
    with pytest.raises(ConfigError, match=r"model\.onnx"):
        find_reader(with_reader(settings, str(folder / "nothing")))


def test_a_damaged_one_is_told(folder: Path) -> None:
    (folder / "model.onnx").write_bytes(b"no model")
    with pytest.raises(ConfigError, match="reader"):
        Reader(folder).read("who?", list(extract_candidates(hit("A quokka."))))


@pytest.mark.slow
@pytest.mark.skipif(not find_spec(PACKAGE), reason="dunegpt-reader is not installed")
@pytest.mark.parametrize(
    ("question", "text", "right"),
    [
        (
            "Which lamp is broken?",
            "Lamp 31 is fine. Lamp 3 is broken. Lamp 30 is fine.",
            "Lamp 3 is broken.",
        ),
        (
            "Who is the tour leader?",
            "Deputy tour leader: Ada Quist. Tour leader: Bo Ferris.",
            "Tour leader: Bo Ferris.",
        ),
        (
            "Which bid did the panel accept?",
            "The panel did not accept Corvo's bid. The panel accepted Dorn's bid.",
            "The panel accepted Dorn's bid.",
        ),
    ],
)
def test_the_real_one_reads(question: str, text: str, right: str) -> None:
    folder = Path(str(importlib.import_module(PACKAGE).__file__)).parent
    candidates = list(extract_candidates(hit(text)))
    logits = Reader(folder).read(question, candidates)
    assert candidates[logits.index(max(logits))].text == right
