"""Alarms about the canary: a closed document that must always be shown to us.

It must never be shown to the public. Sources ask for it; this module says what the
answer means. Makes no requests.
"""

from dunegpt.errors import ConfigError
from dunegpt.ingest.items import Alarm, Concern, SourceState

_KEY = "canaries"


def check_canary(
    name: str,
    state: SourceState,
    *,
    is_shown: bool,
    is_public: bool,
    account: str = "the crawler's account",
) -> Alarm | None:
    """Return the alarm that a canary raises, or None.

    State key ``canaries``: account and name of those that were shown to us once.

    Args:
        name: Of the canary, for an operator: ``document 12``.
        state: State of the source.
        is_shown: Whether the account is shown it.
        is_public: Whether an anonymous visitor is.
        account: Name of the account, for an operator.

    Raises:
        ConfigError: It was never shown to the account: it is no canary.
    """
    if is_public:
        return Alarm(
            f"The canary, {name}, is shown to the public.",
            "Either the site shows everything to everybody: tell its administrators;"
            " nothing opens here meanwhile. Or it was published on purpose: then choose"
            " another closed document for 'canary' in the settings of the source.",
            concern=Concern.OPENING,
        )
    own, shown = f"{account}: {name}", set(state.get(_KEY) or [])
    if is_shown:
        if own not in shown:
            state.put(_KEY, sorted({*shown, own}))
        return None
    if own in shown:
        return Alarm(
            f"{account[0].upper()}{account[1:]} can no longer see the canary, {name}.",
            "Check that the account is still in all its groups: when it is, the next"
            " run shows everything again. If the canary was deleted, choose another one"
            " for 'canary' in the settings of the source.",
        )
    raise ConfigError(
        f"The canary, {name}, has never been visible to {account}.",
        hint="Set 'canary' in the settings of the source to the number of something"
        " closed that the account can open, or remove the setting.",
    )
