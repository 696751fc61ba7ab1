"""How a judge and the rules are weighed against each other."""

import pytest

from dunegpt.serve.verify.combination import load_combination, weigh_judge
from dunegpt.serve.verify.support import FEATURES

LITTLE = dict.fromkeys(FEATURES, 0.0)


@pytest.mark.parametrize(
    ("judged", "trust", "share"),
    [
        (0.1, 0.0, 0.0),
        (0.1, 0.5, 0.5),
        (0.1, 1.0, 1.0),
        (0.9, 0.0, 0.0),
        (0.9, 0.5, 0.0),
        (0.9, 0.75, 0.5),
        (0.9, 1.0, 1.0),
    ],
)
def test_a_yes_counts_less_than_a_no(judged: float, trust: float, share: float) -> None:
    assert weigh_judge(judged, trust) == share


def test_a_doubtful_judge_opens_nothing() -> None:
    rules = load_combination()
    alone = rules.estimate(LITTLE)
    assert rules.estimate_judged(LITTLE, 0.99, 0.5) == alone
    assert rules.estimate_judged(LITTLE, 0.01, 0.5) < alone
    assert rules.estimate_judged(LITTLE, 0.99, 1.0) > alone
