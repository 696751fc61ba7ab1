"""Parsing of document ids, and the order of versions."""

import re

_VERSION = re.compile(r"[0-9]+(?:\.[0-9]+)*|[A-Za-z]{1,2}")


def split_id(document_id: str) -> tuple[str, str, str | None]:
    """Return prefix, number or path, and version (or None) of a document id.

    >>> split_id("docdb:12345:3")
    ('docdb', '12345', '3')
    >>> split_id("edms:2026379:0.1")
    ('edms', '2026379', '0.1')
    >>> split_id("indico.fnal.gov:22661/c68849")
    ('indico.fnal.gov', '22661/c68849', None)
    """
    prefix, _, rest = document_id.partition(":")
    number, _, version = rest.rpartition(":")
    if number and _VERSION.fullmatch(version):
        return prefix, number, version
    return prefix, rest, None


def make_version_key(version: str) -> tuple[tuple[int, int, str], ...]:
    """Return a sort key for versions: numbers by value, then letters.

    >>> sorted(["AE", "10", "0.1", "2", "B"], key=make_version_key)
    ['0.1', '2', '10', 'B', 'AE']
    """
    return tuple(
        (0, int(part), "") if part.isdecimal() else (1, len(part), part.upper())
        for part in version.split(".")
    )
