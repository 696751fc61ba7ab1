"""The accounts that look at an Indico site, and those that a run has to do without.

An account whose token is refused, or that manages a category, shows nothing of what its
group may read. It must not end the crawl for the others: what rests on it alone stays
as it was, for a time. Decides nothing about single documents (`indico.access`).
"""

from collections.abc import Iterable, Iterator, Sequence

from dunegpt.access import PUBLIC, Access
from dunegpt.errors import SourceError
from dunegpt.ingest.indico.access import Audience
from dunegpt.ingest.indico.client import ANONYMOUS, Account
from dunegpt.ingest.items import Alarm


class Viewers:
    """The accounts of all audiences, and the anonymous visitor, who comes last.

    What was closed between two looks is not public.
    """

    def __init__(self, audiences: Sequence[Audience]) -> None:
        self.audiences = audiences
        accounts = [eye for audience in audiences for eye in audience.accounts]
        self.all = (*accounts, ANONYMOUS)
        self._errors: dict[Account, SourceError] = {}
        self._reported: set[Account] = set()

    @property
    def working(self) -> list[Account]:
        """Who is not refused, in the order of looking."""
        return [eye for eye in self.all if eye not in self._errors]

    @property
    def accounts(self) -> list[Account]:
        """The working accounts; the anonymous visitor if none is configured."""
        own = [eye for eye in self.working if eye != ANONYMOUS]
        return own or ([ANONYMOUS] if ANONYMOUS not in self._errors else [])

    @property
    def failed(self) -> frozenset[Account]:
        """Who is refused in this run."""
        return frozenset(self._errors)

    def one_per_group(self) -> list[Account]:
        """Return the first working account of each audience, then the visitor."""
        found = []
        for audience in self.audiences:
            found += [e for e in audience.accounts if e not in self._errors][:1]
        return found + [e for e in (ANONYMOUS,) if e not in self._errors]

    def fail(self, eye: Account, error: SourceError) -> None:
        """Do without an account from now on.

        Raises:
            SourceError: The first such error: nobody is left who could look.
        """
        self._errors[eye] = error
        if not self.working:
            raise next(iter(self._errors.values()))

    def undecided(self, alike: Iterable[Account]) -> Access:
        """Return for whom something may be, for all that those say who could look.

        Args:
            alike: Who was shown it.
        """
        seen = set(alike)
        found: Access = frozenset()
        for audience in self.audiences:
            own = set(audience.accounts)
            if own & self.failed and own - self.failed <= seen:
                found |= audience.principals
        return found | ({PUBLIC} if ANONYMOUS in self.failed else frozenset())

    def units(self) -> dict[str, Account]:
        """Return the units that failed, by the names that an operator is told."""
        return {name_unit(eye): eye for eye in self.all if eye in self._errors}

    def report(self) -> Iterator[Alarm]:
        """Yield a warning for each account that failed since the last call."""
        for eye, error in self._errors.items():
            if eye in self._reported:
                continue
            self._reported.add(eye)
            whom = "everybody"
            if eye != ANONYMOUS:
                groups = [a.principals for a in self.audiences if eye in a.accounts]
                whom = ", ".join(sorted(frozenset().union(*groups))) or "nobody"
            yield Alarm(
                f"{error} The others were crawled. What only {name_unit(eye)} shows"
                f" to be for {whom} stays as it was, and is hidden once it is"
                f" unconfirmed for [access] max_overlay_age_h. {_advise(eye)}",
                is_critical=False,
            )


def name_unit(eye: Account) -> str:
    """Return what the unit of an account is called."""
    return eye.label if eye == ANONYMOUS else f"the account of {eye.label}"


def _advise(eye: Account) -> str:
    if eye == ANONYMOUS:
        return "Ask the site's managers why it refuses visitors without an account."
    return (
        "Put a valid token of a plain member's account, with the scopes"
        f" read:legacy_api and read:everything, into {eye.label}."
    )
