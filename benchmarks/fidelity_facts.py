"""Facts that only their typography makes right, for `extraction_fidelity`.

A fact has an owner with a name of its own, and a value with an exponent, an index, a
sign, a place in a table or a mark of a note; or it was struck out or hidden.
"""

# ruff: noqa: RUF001 - the signs are the subject

import random
import re
from dataclasses import dataclass, field

from dunegpt.text.typography import Shift, join_runs

Runs = list[tuple[str, Shift]]

_SCRIPT = re.compile(r"([\^_])\{([^}]*)\}")
PER_KIND = 5
PLAIN = ("power", "bare power", "unit", "index", "isotope", "sign", "thousands")


@dataclass(frozen=True, slots=True)
class Fact:
    """Something that a document says.

    Attributes:
        kind: What makes it hard.
        owner: Whose value it is; in no other fact.
        value: The value, scripts as ``^{..}`` and ``_{..}``.
        sentence: It says the fact; empty for one in a table.
        row: The other cells of its row, the owner first.
        column: The name of its column.
        label: Of the figure in whose caption it is; empty for any other.
        page: Number of the page of that figure; 0 for a format without pages.
    """

    kind: str
    owner: str
    value: str
    sentence: str = ""
    row: tuple[str, ...] = ()
    column: str = ""
    label: str = ""
    page: int = 0


@dataclass(slots=True)
class Maker:
    """Makes facts with names that occur once."""

    random: random.Random
    count: int = 0
    facts: list[Fact] = field(default_factory=list)

    def owner(self) -> str:
        """Return a name that no other fact has."""
        self.count += 1
        letters = "".join(self.random.choices("BCDFGHJKLMNPQRSTVWXZ", k=3))
        return f"{letters}{self.count:03d}"

    def number(self) -> str:
        """Return a number with one decimal place."""
        return f"{self.random.randint(11, 98)}.{self.random.randint(1, 9)}"

    def sentences(self, kind: str) -> list[Fact]:
        """Return facts of a kind, each in a sentence of its own."""
        return [self._sentence(kind) for _ in range(PER_KIND)]

    def _sentence(self, kind: str) -> Fact:
        owner, number = self.owner(), self.number()
        power, digit = self.random.randint(5, 12), self.random.randint(2, 9)
        values = {
            "power": f"{digit}.{digit} × 10^{{-{power}}} Pa",
            "bare power": f"10^{{{power}}} events",
            "unit": f"{number} m^{{2}}",
            "index": f"SF_{{6}} at {number} bar",
            "isotope": f"^{{39}}Ar at {number} Bq",
            "sign": f"{number} µm ± 0.{digit} µm at −{power} °C",
            "thousands": f"1{digit},{self.random.randint(100, 999)} kg",
        }
        value = values.get(kind, f"{number} kg")
        fact = Fact(kind, owner, value, f"The record of {owner} says {value} today.")
        self.facts.append(fact)
        return fact

    def table(self, kind: str) -> list[Fact]:
        """Return the cells of a table: modules, two planes each, two columns."""
        made = []
        for _ in range(PER_KIND):
            owner = self.owner()
            for plane in ("east", "west"):
                for column in ("Length (m)", "Mass (kg)"):
                    cells = (owner, plane)
                    value = (
                        f"{self.random.randint(100, 999)}.{self.random.randint(1, 9)}"
                    )
                    made.append(Fact(kind, owner, value, row=cells, column=column))
        self.facts += made
        return made


def runs_of(text: str) -> Runs:
    """Return a text with ``^{..}`` and ``_{..}`` as runs."""
    runs, end = Runs(), 0
    for match in _SCRIPT.finditer(text):
        runs.append((text[end : match.start()], ""))
        runs.append((match[2], "super" if match[1] == "^" else "sub"))
        end = match.end()
    return [*runs, (text[end:], "")]


def plain(text: str) -> str:
    """Return a text with its scripts in Unicode."""
    return join_runs(runs_of(text))
