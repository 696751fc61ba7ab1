"""Downloads files anonymously, which is the only proof that a file is public.

The web application answers with pages and redirects if a login is missing, so neither a
status nor a URL proves anything: only the bytes do. Also a transport for public files
with known URLs. Uses no login.
"""

import datetime as dt
import hashlib
import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import IO
from urllib.parse import quote, unquote, urlsplit

from dunegpt.errors import FetchError
from dunegpt.ingest.edms.transport import (
    NotOfferedError,
    ProjectNode,
    Unavailable,
    VersionFile,
    VersionRecord,
    version_sort_key,
)
from dunegpt.ingest.http import PoliteClient

_REDIRECTS = {301, 302, 303, 307, 308}
_HTML_STARTS = (b"<!doctype html", b"<html")
_MAX_MEMORY_BYTES = 8 << 20
_CHUNK_BYTES = 1 << 20
_FILE_URL = re.compile(
    r"^(?:https?://[^?#]+/file/)?(\d+)/([^/?#]+)/([^/?#]+)(?:\?[^#]*)?$"
)


class NotPublicError(FetchError):
    """Somebody without a login is not given this file."""


@dataclass(frozen=True, slots=True)
class DownloadedFile:
    """The bytes of one file, kept for as long as they are needed."""

    sha256: str
    size_bytes: int
    content: IO[bytes]

    def chunks(self) -> Iterator[bytes]:
        """Yield the bytes from their beginning."""
        self.content.seek(0)
        while piece := self.content.read(_CHUNK_BYTES):
            yield piece


def download(pieces: Iterable[bytes]) -> DownloadedFile:
    """Return bytes after all of them came.

    Raises:
        FetchError: As the pieces do.
    """
    content = tempfile.SpooledTemporaryFile(max_size=_MAX_MEMORY_BYTES)
    sha256, size = hashlib.sha256(), 0
    try:
        for piece in pieces:
            content.write(piece)
            sha256.update(piece)
            size += len(piece)
    except BaseException:
        content.close()
        raise
    return DownloadedFile(sha256.hexdigest(), size, content)


class AnonymousClient:
    """Somebody without a login."""

    def __init__(self, client: PoliteClient, path: str) -> None:
        """Take the way to the site.

        Args:
            client: Of the host, with cookies of its own and no login.
            path: Of the site on it; mostly empty.
        """
        self._client, self._path = client, path

    def fetch_file(
        self, number: str, version: str, name: str, max_bytes: int
    ) -> Iterator[bytes]:
        """Yield the bytes of a file.

        Raises:
            RefusedError: A login is asked for, or there is no such file.
            FetchError: It cannot be told: the site does not answer.
            SourceError: The site sent a challenge, or asks to come back much later.
        """
        place = "/".join(quote(part, safe="") for part in (number, version, name))
        url = f"{self._client.url}{self._path}/file/{place}"

        def judge(status: int, headers: Mapping[str, str]) -> str:
            return _resolve_redirect(url, status, headers)

        try:
            pieces = self._client.stream(url, max_bytes=max_bytes, judge=judge)
            first = next(pieces, b"")
            if (
                first.lstrip(b"\xef\xbb\xbf \t\r\n")[:14]
                .lower()
                .startswith(_HTML_STARTS)
            ):
                raise NotPublicError("A page came in the place of the file.")
            yield first
            yield from pieces
        except NotPublicError:
            raise
        except FetchError as error:
            if error.__cause__ is not None:  # the connection failed: that says nothing
                raise
            raise NotPublicError(str(error)) from error


def _resolve_redirect(url: str, status: int, headers: Mapping[str, str]) -> str:
    """Return where else on this site the same file is; empty: here.

    Raises:
        RefusedError: Nowhere, for somebody without a login.
    """
    if status in _REDIRECTS:
        to, own = urlsplit(headers.get("location", "")), urlsplit(url)
        name = to.path.rpartition("/")[2]
        is_same = unquote(name) == unquote(own.path.rpartition("/")[2])
        here = {(own.scheme, own.netloc), ("", "")}
        if (to.scheme, to.netloc) in here and "/file/" in to.path and is_same:
            return f"{own.scheme}://{own.netloc}{to.path}"
        raise NotPublicError("A redirect came in the place of the file: a login?")
    if status != 200:
        raise NotPublicError(f"The answer without a login is {status}.")
    if "html" in headers.get("content-type", "").lower():
        raise NotPublicError("A page came in the place of the file.")
    return ""


# ── a transport ───────────────────────────────────────────────────────────────────────


def parse_file_url(address: str) -> tuple[str, str, str]:
    """Return number, version and name of a file from its address.

    Raises:
        ValueError: It is none.
    """
    found = _FILE_URL.match(address)
    if not found:
        raise ValueError(f"{address} is not NUMBER/VERSION/NAME, nor such an address")
    return found[1], unquote(found[2]), unquote(found[3])


class FileUrlTransport:
    """Files whose addresses are given; all that is known of them is their names."""

    is_local = True
    is_anonymous = True
    is_authoritative = False
    problem = ""

    def __init__(self, visitor: AnonymousClient, addresses: Iterable[str]) -> None:
        self._anonymous_client = visitor
        self._files: dict[str, dict[str, list[str]]] = {}
        for address in addresses:
            number, version, name = parse_file_url(address)
            versions = self._files.setdefault(number, {})
            versions.setdefault(version, []).append(name)

    def open(self) -> None:
        """Take it that there is something to read: the settings name it."""

    def document_numbers(self) -> frozenset[str]:
        """Return the numbers of the documents."""
        return frozenset(self._files)

    def get_node(self, ref: str) -> ProjectNode | Unavailable:
        """Return that there are no nodes."""
        return Unavailable.NOT_FOUND

    def get_document(
        self, number: str, version: str = ""
    ) -> VersionRecord | Unavailable:
        """Return a version, as far as its address says what it is."""
        versions = self._files.get(number, {})
        version = version or max(versions, key=version_sort_key, default="")
        if version not in versions:
            return Unavailable.NOT_FOUND
        names = sorted(set(versions[version]))
        return VersionRecord(
            number=number,
            version=version,
            title=names[0].rpartition(".")[0].replace("_", " ") or names[0],
            versions=tuple(versions),
            files=tuple(map(VersionFile, names)),
        )

    def fetch_file(
        self, number: str, version: str, name: str, max_bytes: int
    ) -> Iterator[bytes]:
        """Yield the bytes of a file as everybody is given them."""
        return self._anonymous_client.fetch_file(number, version, name, max_bytes)

    def changed_since(self, moment: dt.datetime) -> frozenset[str]:
        """Tell that this cannot be told.

        Raises:
            NotOfferedError: Always.
        """
        raise NotOfferedError("addresses have no changes")
