"""Document expansion: synonyms and spelt-out acronyms added to indexed passages.

Passages are expanded rather than questions, because expanded questions drift. Synonyms
come from a short list of groups, acronyms from their definitions in the same file, so
the expansion of a passage never reveals text that its reader may not see. Does not
depend on the index.
"""

import hashlib
import json
import tomllib
from collections.abc import Iterator, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from dunegpt.errors import ConfigError
from dunegpt.files import damaged
from dunegpt.text.analyzer import tokenize
from dunegpt.text.patterns import compile_re

_ACRONYM = compile_re(r"\(\s*([A-Z][A-Za-z]{1,6})\s*\)")
_WORD_AT_END = compile_re(r"[A-Za-z][\w-]*$")
_MAX_WORDS_BEFORE = 9
_MAX_CHARACTERS_BEFORE = 300
_LETTERS = compile_re(r"[A-Za-z]+")
_SKIPPED_WORDS = frozenset("a an and by for from in of on the to with".split())
_HINT = 'A list is groups = [["cryostat", "vessel"], ...]: two or more words each.'


class Synonyms:
    """Groups of words and phrases with the same meaning.

    Attributes:
        id: Hash of the groups, part of the inputs of a snapshot.
    """

    def __init__(self, groups: Sequence[Sequence[str]]) -> None:
        self._groups = groups
        content = json.dumps(groups).encode()
        self.id = hashlib.sha256(content).hexdigest()[:16]
        self._phrases = [
            [tuple(tokenize(phrase)) for phrase in group] for group in groups
        ]
        self._groups_by_word: dict[str, set[int]] = {}
        for number, phrases in enumerate(self._phrases):
            for phrase in phrases:
                self._groups_by_word.setdefault(phrase[0], set()).add(number)

    @classmethod
    def read(cls, path: Path | None = None) -> "Synonyms":
        """Return the groups of a TOML file; by default of the bundled one.

        Raises:
            ConfigError: The file is missing, or is not a list of groups.
        """
        file = path or resources.files("dunegpt.index").joinpath("synonyms.toml")
        try:
            table = tomllib.loads(file.read_text("utf-8"))
        except (OSError, ValueError) as error:
            message = f"[index] synonyms: {file}: {error}"
            raise damaged(error, message, path=path, kind=ConfigError) from error
        groups: Any = table.get("groups")
        if table.keys() != {"groups"} or not _are_groups(groups):
            raise ConfigError(
                f"[index] synonyms: {file} is not a list of groups.", hint=_HINT
            )
        return cls(groups)

    def find_expansions(
        self, texts: Sequence[str], known: Sequence[Sequence[str]] | None = None
    ) -> list[str]:
        """Return the words to index in addition to each text, joined by spaces.

        Args:
            texts: The passages of one file, with their context lines, in order. An
                acronym defined in one of them applies to all.
            known: The tokens of each text, if already computed.
        """
        spelt_out = dict(pair for text in texts for pair in find_acronyms(text))
        by_token = {
            t: full for short, full in spelt_out.items() for t in tokenize(short)
        }
        token_lists = known or [tokenize(text) for text in texts]
        return [" ".join(self._expand_words(t, by_token)) for t in token_lists]

    def find_groups(self, text: str) -> list[Sequence[str]]:
        """Return the groups with a word or phrase of a text, in their order."""
        tokens = tokenize(text)
        line = f" {' '.join(tokens)} "
        candidates = sorted(
            {n for t in tokens for n in self._groups_by_word.get(t, ())}
        )
        return [
            self._groups[number]
            for number in candidates
            if any(f" {' '.join(phrase)} " in line for phrase in self._phrases[number])
        ]

    def _expand_words(
        self, tokens: Sequence[str], spelt_out: dict[str, str]
    ) -> Iterator[str]:
        """Yield expansion words that a text has in no form, each once."""
        line = f" {' '.join(tokens)} "
        present = set(tokens)
        phrases: list[str] = []
        for number in sorted(
            {n for w in present for n in self._groups_by_word.get(w, ())}
        ):
            if any(f" {' '.join(phrase)} " in line for phrase in self._phrases[number]):
                phrases += self._groups[number]
        phrases += [full for short, full in spelt_out.items() if short in present]
        for word in " ".join(phrases).split():
            forms = tokenize(word)
            if not present.issuperset(forms):
                present.update(forms)
                yield word


def find_acronyms(text: str) -> Iterator[tuple[str, str]]:
    """Yield each acronym that a text defines, with its expansion.

    >>> list(find_acronyms("hung below the anode plane assembly (APA) frames"))
    [('APA', 'anode plane assembly')]
    """
    for match in _ACRONYM.finditer(text):
        initials = [c.lower() for c in match[1] if c.isupper()]
        run = text[max(0, match.start() - _MAX_CHARACTERS_BEFORE) : match.start()]
        before = _take_trailing_words(run) if len(initials) > 1 else ""
        full = _match_initials(initials, _LETTERS.findall(before)) if before else []
        if full:
            yield match[1], " ".join(full)


def _take_trailing_words(text: str) -> str:
    """Return the last words of a text that ends in white space, else an empty text."""
    words: list[str] = []
    for token in reversed(text.split() if text[-1:].isspace() else ()):
        word = _WORD_AT_END.search(token)
        if word is None:
            break
        words.insert(0, word[0])
        if word[0] != token or len(words) == _MAX_WORDS_BEFORE:
            break
    return " ".join(words)


def _match_initials(initials: list[str], before: list[str]) -> list[str]:
    """Return the trailing words with these initials, or an empty list."""
    remaining = list(initials)
    for position in range(len(before) - 1, -1, -1):
        word = before[position].lower()
        if word[0] == remaining[-1]:
            remaining.pop()
        elif word not in _SKIPPED_WORDS:
            return []
        if not remaining:
            return before[position:]
    return []


def _are_groups(groups: object) -> bool:
    return isinstance(groups, list) and all(
        isinstance(group, list)
        and len(group) > 1
        and all(isinstance(phrase, str) and tokenize(phrase) for phrase in group)
        for group in groups
    )
