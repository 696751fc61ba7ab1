"""Two documents that give different amounts for one quantity, and those that do not."""

import datetime as dt
from dataclasses import replace

import pytest

from dunegpt.config import Settings
from dunegpt.index.build import build
from dunegpt.serve.answer.candidates import Candidate
from dunegpt.serve.answer.conflicts import find_conflicts
from dunegpt.types import Difference, Finished
from tests.index.corpus import PUBLIC, document, fill, readers
from tests.serve.answer.references import hit
from tests.serve.asking import answer

LAR = readers("n:lar")


def found(
    *texts: str, days: tuple[str, ...] = (), titles: tuple[str, ...] = ()
) -> list[Difference]:
    candidates = []
    for n, text in enumerate(texts):
        own = hit(text, n + 1, title=titles[n] if titles else "")
        day = dt.date.fromisoformat(days[n]) if days else None
        own = replace(own, document=replace(own.document, date=day))
        candidates.append(Candidate(own, text, 0.8 - 0.01 * n))
    return list(find_conflicts(candidates))


@pytest.mark.parametrize(
    ("one", "other", "amounts"),
    [
        (
            "The cathode is held at a voltage of 180 kV.",
            "The voltage of the cathode is 175 kV.",
            ("180 kV", "175 kV"),
        ),
        (
            "The insulation of the cryostat is 800 mm thick.",
            "The cryostat's insulation is 0.9 m thick and weighs 3 t.",
            ("800 mm", "0.9 m"),
        ),
    ],
)
def test_different(one: str, other: str, amounts: tuple[str, str]) -> None:
    [difference] = found(one, other)
    assert (difference.newer.text, difference.older.text) == amounts
    assert (difference.newer.citation, difference.older.citation) == (1, 2)
    assert (difference.newer.quote, difference.older.quote) == (one, other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        # the same, converted or rounded
        (
            "The insulation of the cryostat is 800 mm.",
            "The cryostat's insulation is .8 m.",
        ),
        (
            "The cryostat holds 17.5 kt of argon.",
            "The cryostat holds 17,500 t of argon.",
        ),
        ("The cathode voltage is about 180 kV.", "The cathode voltage is 179.6 kV."),
        # of another kind
        ("The cathode weighs 180 kg in all.", "The cathode measures 3 m in all."),
        # of another thing
        ("The first cathode is at 180 kV now.", "The second cathode is at 175 kV now."),
        ("The upper cathode is at 180 kV now.", "The lower cathode is at 175 kV now."),
        ("The ND-LAr cathode is at 50 kV now.", "The cathode is at 180 kV now."),
        ("The minimum cathode voltage is 150 kV.", "The cathode voltage is 180 kV."),
        ("The pump of the purifier draws 3 kW.", "The heater of the office has 2 kW."),
        # ambiguous
        ("The cathode goes from 150 kV to 180 kV.", "The cathode goes to 175 kV."),
        # no units: counts of who knows what
        ("The cathode has 18 panels in all.", "The cathode has 12 panels in all."),
    ],
)
def test_not_different(one: str, other: str) -> None:
    assert found(one, other) == []
    assert found(other, one) == []


def test_the_newer_one_comes_first() -> None:
    one, other = "The cathode voltage is 180 kV.", "The cathode voltage is 175 kV."
    [difference] = found(one, other, days=("2019-05-01", "2024-05-01"))
    assert (difference.newer.text, difference.newer.citation) == ("175 kV", 2)
    assert str(difference.newer.date) == "2024-05-01"
    assert str(difference.older.date) == "2019-05-01"


def test_titles_tell_detectors_apart() -> None:
    one, other = "The cathode voltage is 180 kV.", "The cathode voltage is 300 kV."
    assert len(found(one, other, titles=("A", "B"))) == 1
    assert found(one, other, titles=("ProtoDUNE-SP report", "Report on DP")) == []


def test_one_document_does_not_contradict_itself() -> None:
    one = hit("The cathode voltage is 180 kV.", 1)
    other = replace(hit("The cathode voltage is 175 kV.", 1), rank=2)
    candidates = [Candidate(h, h.passage.text, 0.8) for h in (one, other)]
    assert list(find_conflicts(candidates)) == []


def test_what_hardly_answers_does_not_count() -> None:
    texts = ("The cathode voltage is 180 kV.", "The cathode voltage is 175 kV.")
    candidates = [Candidate(hit(t, n), t, 0.9 / n**3) for n, t in enumerate(texts, 1)]
    assert list(find_conflicts(candidates)) == []
    assert list(find_conflicts([])) == []


def test_an_answer_shows_both(settings: Settings) -> None:
    texts = {
        "n:NEW-1": ("The drift field there is 475 V/cm.", "2024-05-01", PUBLIC),
        "n:OLD-2": ("The drift field there is 500 V/cm.", "2019-05-01", PUBLIC),
        "n:SEC-3": ("The drift field there is 250 V/cm.", "2025-05-01", LAR),
    }
    fill(
        settings,
        [
            (
                document(name, access=access, date=dt.date.fromisoformat(day)),
                {"a.txt": [text]},
            )
            for name, (text, day, access) in texts.items()
        ],
    )
    build(settings)
    for reader, amounts in ((PUBLIC, ("475 V/cm", "500 V/cm")), (LAR, None)):
        events = list(answer("What is the drift field?", settings, reader=reader))
        end = events[-1]
        assert isinstance(end, Finished)
        shown = [e for e in events if isinstance(e, Difference)]
        cited = {c.number: c for c in end.references if c.cited}
        for difference in shown:
            for amount in (difference.newer, difference.older):
                assert amount.text in cited[amount.citation].quote
                assert amount.date == cited[amount.citation].hit.document.date
        if amounts:
            assert [(d.newer.text, d.older.text) for d in shown] == [amounts]
            assert "250 V/cm" not in str(events)
        else:
            assert shown[0].newer.text == "250 V/cm"
