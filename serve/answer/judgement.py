"""Fitted logistic models: does a sentence answer, and does anything answer?

The coefficients are in ``judgement.toml``, with the data that they were fitted on; see
`benchmarks.judgement`. A feature that a model does not know counts nothing.
"""

import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources


@dataclass(frozen=True, slots=True)
class LogisticModel:
    """A logistic regression on named features.

    Attributes:
        coefficients: Of the features as they are, not standardized.
    """

    intercept: float
    coefficients: Mapping[str, float]

    def predict(self, features: Mapping[str, float]) -> float:
        """Return the probability, 0..1.

        Raises:
            KeyError: A feature is missing.
        """
        logit = self.intercept + sum(
            weight * features[name] for name, weight in self.coefficients.items()
        )
        return 1 / (1 + math.exp(-min(max(logit, -50.0), 50.0)))


@dataclass(frozen=True, slots=True)
class Judgement:
    """The fitted models of one variant, with or without the reader.

    Attributes:
        sentence: Whether a candidate answers.
        answer: Whether the best candidate of all does.
        threshold: An answer less probable than this is refused.
        doubt: An answer less probable than this is told with a doubt.
    """

    sentence: LogisticModel
    answer: LogisticModel
    threshold: float
    doubt: float


@cache
def load_prefilter() -> LogisticModel:
    """Return the model that chooses, by words alone, which candidates are read."""
    return _parse_model(_load()["prefilter"])


@cache
def load_judgement(variant: str) -> Judgement:
    """Return the models of a variant: ``vectors`` or ``reader``."""
    table = _load()[variant]
    return Judgement(
        _parse_model(table["sentence"]),
        _parse_model(table["answer"]),
        table["threshold"],
        table["doubt"],
    )


@cache
def _load() -> dict[str, dict]:  # type: ignore[type-arg]
    text = (resources.files(__package__) / "judgement.toml").read_text("utf-8")
    return tomllib.loads(text)


def _parse_model(table: dict) -> LogisticModel:  # type: ignore[type-arg]
    coefficients = dict(table)
    return LogisticModel(coefficients.pop("intercept"), coefficients)
