"""Combines the evidence for and against a sentence, and a judge's, to a probability.

A logistic combination. Its coefficients are in ``combination.json``, with how they were
fitted (``benchmarks/fit_verifier.py``). What speaks against a sentence can
only lower the result, what speaks for it only raise it.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources

_MIN_PROBABILITY = 0.01
"""A judge is never taken for surer than this, or than one less it."""


@dataclass(frozen=True)
class Combination:
    """The fitted coefficients.

    Attributes:
        intercept: Of the log-odds.
        coefficients: By the name of the measured value.
        threshold: Least probability, by the rules alone, of a sentence that passes.
        attached_threshold: The same of one whose passage was found afterwards.
        judge_weight: What the log-odds of a judge count for.
        judge_threshold: Least probability of a sentence that passes with a judge.
    """

    intercept: float
    coefficients: Mapping[str, float]
    threshold: float
    attached_threshold: float
    judge_weight: float
    judge_threshold: float

    def estimate(self, values: Mapping[str, float]) -> float:
        """Return the probability that the passages back a sentence, by the rules."""
        return _squash(self._sum_up(values))

    def estimate_judged(
        self, values: Mapping[str, float], judged: float, trust: float = 1.0
    ) -> float:
        """Return the probability with what a judge says.

        Args:
            values: By name, as measured.
            judged: The judge's probability of yes.
            trust: 0..1: how far the judge is trusted against the rules.
        """
        limited = min(max(judged, _MIN_PROBABILITY), 1 - _MIN_PROBABILITY)
        odds = math.log(limited / (1 - limited))
        counted = weigh_judge(judged, trust)
        return _squash(self._sum_up(values) + counted * self.judge_weight * odds)

    def find_weightiest(self, values: Mapping[str, float]) -> str:
        """Return the name of what speaks most against a sentence."""
        losses = {
            name: weight * (1 - values[name] if weight > 0 else -values[name])
            for name, weight in self.coefficients.items()
        }
        return max(losses, key=lambda name: losses[name])

    def _sum_up(self, values: Mapping[str, float]) -> float:
        weighted = (w * values[name] for name, w in self.coefficients.items())
        return self.intercept + sum(weighted)


def weigh_judge(judged: float, trust: float) -> float:
    """Return the share, from 0 to 1, by which a judge's log-odds count.

    A no counts by the trust. A yes counts only above a trust of one half, and in full
    at 1: a passage that misleads the model that writes misleads it as a judge, too.

    >>> weigh_judge(0.1, 0.5), weigh_judge(0.9, 0.5), weigh_judge(0.9, 1.0)
    (0.5, 0.0, 1.0)
    """
    return trust if judged < 0.5 else max(0.0, 2 * trust - 1)


@cache
def load_combination() -> Combination:
    """Return the combination that the program is shipped with."""
    file = resources.files("dunegpt.serve.verify").joinpath("combination.json")
    fields = json.loads(file.read_text("utf-8"))
    return Combination(
        **{name: fields[name] for name in Combination.__dataclass_fields__}
    )


def _squash(odds: float) -> float:
    return 1 / (1 + math.exp(-odds))
