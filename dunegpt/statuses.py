"""What the status of a document, as its home system says it, means for a reader.

Source of the words: DocDB, EDMS and LBNF/DUNE's configuration management. A status that
stands here nowhere means nothing, and is shown as it is.
"""

GOOD = frozenset({"approved", "released", "final", "published", "baselined"})
BAD = frozenset(
    {"obsolete", "superseded", "withdrawn", "rejected", "cancelled", "canceled"}
    | {"approval rejected"}
)
UNAPPROVED = frozenset(
    {"in work", "in preparation", "in progress", "draft", "draft for discussion"}
    | {"engineering check", "under approval", "under review", "in approval"}
    | {"submitted", "not approved", "unapproved", "preliminary", "new version"}
)


def standing(status: str) -> str:
    """Return ``approved``, ``not approved``, ``withdrawn``, or empty if untold.

    >>> standing("In Work"), standing("Released"), standing("Obsolete")
    ('not approved', 'approved', 'withdrawn')
    """
    plain = " ".join(status.replace("_", " ").casefold().split())
    found = {"approved": GOOD, "withdrawn": BAD, "not approved": UNAPPROVED}
    return next((name for name, words in found.items() if plain in words), "")


def told(status: str) -> str:
    """Return a status as an answer shows it: what is no approved source says so.

    >>> told("In Work"), told("Released"), told("signed")
    ('In Work (not approved)', 'Released', 'signed')
    """
    means = standing(status)
    plain = {"", "approved", status.casefold()}
    return status if means in plain else f"{status} ({means})"
