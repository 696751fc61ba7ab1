"""Words by which a passage is found beside its own: synonyms and spelt-out acronyms.

They are added where a passage is indexed, never to a question: a question that is
expanded drifts. Synonyms come from a short list of groups; acronyms from the same file,
which says once what it then abbreviates. So what is added to a passage depends on
nothing that another reader may see and this one may not. Knows no index.
"""

import hashlib
import json
import re
import tomllib
from collections.abc import Iterator, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from dunegpt.errors import ConfigError
from dunegpt.index.words import words

_ACRONYM = re.compile(r"\(\s*([A-Z][A-Za-z]{1,6})\s*\)")
_WORD_AT_END = re.compile(r"[A-Za-z][\w-]*$")
_MOST_BEFORE = 9
_LONGEST_BEFORE = 300
_LETTERS = re.compile(r"[A-Za-z]+")
_SMALL = frozenset("a an and by for from in of on the to with".split())
_HINT = 'A list is groups = [["cryostat", "vessel"], ...]: two or more words each.'


class Synonyms:
    """Groups of words and phrases that mean the same.

    Attributes:
        id: Hash of the groups: part of what an index depends on.
    """

    def __init__(self, groups: Sequence[Sequence[str]]) -> None:
        self._groups = groups
        content = json.dumps(groups).encode()
        self.id = hashlib.sha256(content).hexdigest()[:16]
        self._phrases = [[tuple(words(phrase)) for phrase in group] for group in groups]
        self._of_word: dict[str, set[int]] = {}
        for number, phrases in enumerate(self._phrases):
            for phrase in phrases:
                self._of_word.setdefault(phrase[0], set()).add(number)

    @classmethod
    def read(cls, path: Path | None = None) -> "Synonyms":
        """Return the groups in a TOML file; without one, those that come with us.

        Raises:
            ConfigError: The file is missing, or is no list of groups.
        """
        given = path or resources.files("dunegpt.index").joinpath("synonyms.toml")
        try:
            found = tomllib.loads(given.read_text("utf-8"))
        except (OSError, ValueError) as error:
            raise ConfigError(f"[index] synonyms: {given}: {error}") from error
        groups: Any = found.get("groups")
        if found.keys() != {"groups"} or not _are_groups(groups):
            raise ConfigError(f"[index] synonyms: {given} is no list.", hint=_HINT)
        return cls(groups)

    def added(
        self, texts: Sequence[str], known: Sequence[Sequence[str]] | None = None
    ) -> list[str]:
        """Return for each text what it is to be found by beside its own words.

        Args:
            texts: The passages of one file, with their context lines, in order: what
                one of them defines holds in all.
            known: The words of each text, if they are known.
        """
        spelt_out = dict(pair for text in texts for pair in definitions(text))
        of_word = {w: full for short, full in spelt_out.items() for w in words(short)}
        each = known or [words(text) for text in texts]
        return [" ".join(self._of_words(own, of_word)) for own in each]

    def groups_in(self, text: str) -> list[Sequence[str]]:
        """Return the groups of which a text has a word or phrase, in their order."""
        own = words(text)
        line = f" {' '.join(own)} "
        near = sorted({n for word in own for n in self._of_word.get(word, ())})
        return [
            self._groups[number]
            for number in near
            if any(f" {' '.join(phrase)} " in line for phrase in self._phrases[number])
        ]

    def _of_words(self, own: Sequence[str], spelt_out: dict[str, str]) -> Iterator[str]:
        """Yield words that a text of these words has not in any form, each once."""
        line = f" {' '.join(own)} "
        present = set(own)
        phrases: list[str] = []
        for number in sorted({n for w in present for n in self._of_word.get(w, ())}):
            if any(f" {' '.join(phrase)} " in line for phrase in self._phrases[number]):
                phrases += self._groups[number]
        phrases += [full for short, full in spelt_out.items() if short in present]
        for word in " ".join(phrases).split():
            forms = words(word)
            if not present.issuperset(forms):
                present.update(forms)
                yield word


def definitions(text: str) -> Iterator[tuple[str, str]]:
    """Yield acronyms that a text defines, with what they stand for.

    >>> list(definitions("hung below the anode plane assembly (APA) frames"))
    [('APA', 'anode plane assembly')]
    """
    for match in _ACRONYM.finditer(text):
        initials = [c.lower() for c in match[1] if c.isupper()]
        run = text[max(0, match.start() - _LONGEST_BEFORE) : match.start()]
        before = _words_at_end(run) if len(initials) > 1 else ""
        full = _spelt_out(initials, _LETTERS.findall(before)) if before else []
        if full:
            yield match[1], " ".join(full)


def _words_at_end(text: str) -> str:
    """Return the last few words of a text that ends in white space, if it ends so."""
    found: list[str] = []
    for token in reversed(text.split() if text[-1:].isspace() else ()):
        word = _WORD_AT_END.search(token)
        if word is None:
            break
        found.insert(0, word[0])
        if word[0] != token or len(found) == _MOST_BEFORE:
            break
    return " ".join(found)


def _spelt_out(initials: list[str], before: list[str]) -> list[str]:
    """Return the last words, of which the initials are these; none if they are not."""
    left = list(initials)
    for place in range(len(before) - 1, -1, -1):
        word = before[place].lower()
        if word[0] == left[-1]:
            left.pop()
        elif word not in _SMALL:
            return []
        if not left:
            return before[place:]
    return []


def _are_groups(groups: object) -> bool:
    return isinstance(groups, list) and all(
        isinstance(group, list)
        and len(group) > 1
        and all(isinstance(phrase, str) and words(phrase) for phrase in group)
        for group in groups
    )
