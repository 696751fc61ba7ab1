"""Filters that limit a search to some documents.

Holds only the values; `ReaderView` applies them. Does not depend on the index.
"""

from dataclasses import dataclass, field
from datetime import date


@dataclass(frozen=True, slots=True)
class Filters:
    """Conditions on documents; a document passes if it meets all that are set.

    Of several values in one tuple, any may match.

    Attributes:
        sources: Names of sources.
        since: First day. Undated documents do not pass.
        until: Last day. Undated documents do not pass.
        author: Name of an author, or part of it, in any order and case; all words must
            belong to one and the same person.
        authors: Names of several authors, who must all be there; `author` then holds
            their words. Not compared.
        kinds: Kinds in the home system (``contribution``), in any case.
        statuses: Statuses in the home system (``approved``), in any case.
        documents: Documents to look in, with their parts: by name until the search
            resolves them, then by id.
    """

    sources: tuple[str, ...] = ()
    since: date | None = None
    until: date | None = None
    author: str = ""
    kinds: tuple[str, ...] = ()
    statuses: tuple[str, ...] = ()
    documents: tuple[str, ...] = ()
    authors: tuple[str, ...] = field(default=(), compare=False)

    @property
    def people(self) -> tuple[str, ...]:
        """The name of each author who must be there."""
        return self.authors or ((self.author,) if self.author else ())
