"""Classification of document statuses: approved, not approved or withdrawn.

Source of the words: DocDB, EDMS and LBNF/DUNE's configuration management. Unknown
statuses are not classified, and shown as they are.
"""

APPROVED = frozenset({"approved", "released", "final", "published", "baselined"})
WITHDRAWN = frozenset(
    {"obsolete", "superseded", "withdrawn", "rejected", "cancelled", "canceled"}
    | {"approval rejected"}
)
UNAPPROVED = frozenset(
    {"in work", "in preparation", "in progress", "draft", "draft for discussion"}
    | {"engineering check", "under approval", "under review", "in approval"}
    | {"submitted", "not approved", "unapproved", "preliminary", "new version"}
)


def classify_status(status: str) -> str:
    """Return ``approved``, ``not approved``, ``withdrawn``, or empty if unknown.

    >>> [classify_status(s) for s in ("In Work", "Released", "Obsolete")]
    ['not approved', 'approved', 'withdrawn']
    """
    plain = " ".join(status.replace("_", " ").casefold().split())
    classes = {"approved": APPROVED, "withdrawn": WITHDRAWN, "not approved": UNAPPROVED}
    return next((name for name, words in classes.items() if plain in words), "")


def format_status(status: str) -> str:
    """Return a status for display, with its class if it is not approved.

    >>> [format_status(s) for s in ("In Work", "Released", "signed")]
    ['In Work (not approved)', 'Released', 'signed']
    """
    class_name = classify_status(status)
    plain = {"", "approved", status.casefold()}
    return status if class_name in plain else f"{status} ({class_name})"
