"""The measure of facts: what it counts as kept, and that all formats keep them."""

# ruff: noqa: RUF001 - the signs are the subject

import pytest

from benchmarks.extraction_fidelity import judge, measure
from benchmarks.fidelity_documents import make_documents
from benchmarks.fidelity_facts import Fact

FACT = Fact(
    "power", "KXW001", "3.2 × 10^{-9} Pa", "The record of KXW001 says it today."
)
CELL = Fact("table", "KXW001", "4.5", row=("KXW001", "east"), column="Mass (kg)")
HEAD = "Module | Plane | Length (m) | Mass (kg)"


@pytest.mark.parametrize(
    ("text", "outcome"),
    [
        ("KXW001 says 3.2 × 10⁻⁹ Pa today.", "kept"),
        ("KXW001 says 3.2 × 10<sup>-9</sup> Pa today.", "kept"),
        ("KXW001 says $3.2 \\times 10^{-9}$ Pa today.", "kept"),
        ("KXW001 says 3.2 × 10^−9 Pa today.", "kept"),
        ("KXW001 says 3.2 × 10-9 Pa today.", "changed"),
        ("KXW001 says 3.2 × 10⁻⁸ Pa today.", "changed"),
        ("KXW001 says 13.2 × 10⁻⁹ Pa today.", "changed"),
        ("KXW002 says 3.2 × 10⁻⁹ Pa today.", "lost"),
    ],
)
def test_a_value_is_kept_with_its_exponent(text: str, outcome: str) -> None:
    assert judge(FACT, [text]) == outcome


@pytest.mark.parametrize(
    ("kind", "value", "text", "outcome"),
    [
        ("index", "SF_{6}", "KXW001 says SF6", "flattened"),
        ("unit", "5 m^{2}", "KXW001 says 5 m2", "changed"),
        ("note mark", "45 kg", "KXW001 says 45 kg[note 3] today.", "kept"),
        ("note mark", "45 kg", "KXW001 says 45 kg³ today.", "changed"),
        ("struck", "45 kg", "KXW001 says 45 kg today.", "changed"),
        ("struck", "45 kg", "KXW001 says [struck out: 45 kg] today.", "kept"),
        ("hidden", "45 kg", "KXW001 says 45 kg today.", "changed"),
        ("hidden", "45 kg", "Nothing.", "kept"),
    ],
)
def test_other_kinds(kind: str, value: str, text: str, outcome: str) -> None:
    assert judge(Fact(kind, "KXW001", value, "x"), [text]) == outcome


@pytest.mark.parametrize(
    ("rows", "outcome"),
    [
        (f"{HEAD}\nKXW001 | east | 1.5 | 4.5", "kept"),
        (f"{HEAD}\nKXW001 | east | 4.5 | 1.5", "changed"),
        (f"{HEAD}\neast | 1.5 | 4.5", "lost"),
        ("KXW001 | east | 1.5 | 4.5", "lost"),
    ],
)
def test_a_cell_stays_in_its_row_and_column(rows: str, outcome: str) -> None:
    assert judge(CELL, [rows]) == outcome


@pytest.mark.slow
def test_all_formats_keep_their_facts() -> None:
    assert len({name.rpartition(".")[2] for name, _, _ in make_documents(1)}) == 14
    outcomes, failures = measure(seed=1)
    ours = [
        counts for (program, _, _), counts in outcomes.items() if program == "dunegpt"
    ]
    total = sum(counts.total() for counts in ours)
    kept = sum(counts["kept"] for counts in ours)
    assert total >= 400
    assert kept >= 0.99 * total, "\n".join(failures)
    assert not sum(counts["changed"] for counts in ours), "\n".join(failures)
