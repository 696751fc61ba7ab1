"""How much may vanish at once before it is suspicious."""

import pytest

from dunegpt.ingest.loss_guard import is_mass_loss


@pytest.mark.parametrize(
    ("lost", "known", "expected"),
    [(0, 0, 0), (20, 20, 0), (21, 21, 1), (50, 1000, 0), (51, 1000, 1)],
)
def test_is_mass_loss(lost: int, known: int, expected: int) -> None:
    assert is_mass_loss(lost, known) is bool(expected)


def test_other_limits() -> None:
    assert not is_mass_loss(10, 500, at_least=10, share=0.02)
    assert is_mass_loss(11, 500, at_least=10, share=0.02)
