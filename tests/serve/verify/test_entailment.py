"""Entailment: a model, made here, to which "cold" follows and "warm" is denied."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dunegpt.config import AnswerSettings, Settings
from dunegpt.errors import ConfigError, IndexBrokenError
from dunegpt.serve.verify.entailment import EntailmentModel
from dunegpt.serve.verify.verifier import Verifier
from simulators.cross_encoder import make_pair_model
from tests.serve.answer.references import references

WORDS = {
    "cold": (0.0, 0.0, 6.0),
    "warm": (6.0, 0.0, 0.0),
    "odd": (float("nan"), 0.0, 0.0),
}
LABELS = {"0": "CONTRADICTION", "1": "neutral", "2": "entailment"}
SOURCE = "Argon is kept in the cryostat at all times."
Make = Callable[..., Path]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Give a function that writes an entailment model with these labels."""

    def write(labels: Any = LABELS, words: Any = WORDS) -> Path:
        folder = make_pair_model(tmp_path / "entailment", words)
        config = json.dumps({"id2label": labels})
        (folder / "config.json").write_text(config)
        return folder

    return write


@pytest.mark.parametrize(
    ("sentence", "follows"),
    [
        ("Argon is cold in the cryostat.", True),
        ("Argon is warm in the cryostat.", False),
        ("Argon is kept in the cryostat.", False),
    ],
)
def test_estimate(make: Make, sentence: str, follows: bool) -> None:
    folder = make()
    found = EntailmentModel(folder, 0.5).estimate(sentence, references(SOURCE))
    assert (found > 0.5) is follows
    stricter = EntailmentModel(folder, 0.9).estimate(sentence, references(SOURCE))
    assert stricter < found


def test_the_best_part_of_a_passage_counts(make: Make) -> None:
    text = f"It was warm outside, warm and warm. {SOURCE}"
    model = EntailmentModel(make(), 0.5)
    assert model.estimate("Argon is cold.", references(text)) > 0.5


def test_it_judges_what_passes_the_hard_checks(make: Make) -> None:
    model = EntailmentModel(make(), 0.5)
    verifier = Verifier(references(SOURCE), judges=[model])
    assert verifier.verify("Argon is kept in the cryostat, cold [1].").supported
    told = verifier.verify("Argon is kept in the cryostat, warm [1].")
    assert not told.supported
    told = verifier.verify("Argon is kept in the cryostat at 87 K, cold [1].")
    assert told.reason == "87 K is not in the source"


def test_without_a_setting_there_is_none(settings: Settings, make: Make) -> None:
    assert EntailmentModel.from_settings(settings) is None
    table = AnswerSettings(entailment=str(make()))
    assert (
        EntailmentModel.from_settings(settings.model_copy(update={"answer": table}))
        is not None
    )


@pytest.mark.parametrize("labels", [{"0": "yes", "1": "no"}, [], "x", None])
def test_labels_must_be_known(make: Make, labels: Any) -> None:
    with pytest.raises(ConfigError, match="labels"):
        EntailmentModel(make(labels), 0.5)


@pytest.mark.parametrize("name", ["model.onnx", "tokenizer.json", "config.json"])
@pytest.mark.parametrize("damage", ["gone", "cut"])
def test_damaged(make: Make, name: str, damage: str) -> None:
    path = make() / name
    if damage == "gone":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:20])
    with pytest.raises(ConfigError, match="entailment model"):
        EntailmentModel(path.parent, 0.5)


def test_a_model_of_two_labels_is_none(make: Make) -> None:
    with pytest.raises(ConfigError, match="it returns 2 numbers"):
        EntailmentModel(make(words={"cold": (0.0, 1.0)}), 0.5)


def test_no_number(make: Make) -> None:
    with pytest.raises(IndexBrokenError, match="not finite"):
        EntailmentModel(make(), 0.5).estimate("It is odd.", references(SOURCE))
