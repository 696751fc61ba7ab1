"""Converts logbook entries to documents.

The text of an entry is a small page with everything that the log says about it: number,
time, author, category, form, fields, text, comments, related entries. Makes no
requests.
"""

import hashlib
import html
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from urllib.parse import urljoin

from dunegpt.access import Access
from dunegpt.ingest.elog.entries import Attachment, Entry
from dunegpt.ingest.extract.html.document import read_html
from dunegpt.ingest.extract.html.markup import has_tags
from dunegpt.types import Document, FileRef

ENTRY_KEY = "entry"
_TITLE_WORDS = 10
_IMAGES = {".png": "png", ".jpg": "jpeg", ".jpeg": "jpeg", ".gif": "gif"}


@dataclass(frozen=True, slots=True)
class DocumentBuilder:
    """Makes the documents of one log.

    Attributes:
        entry_url: Opens an entry; ``{id}`` stands for its number.
        base: What addresses of attachments are relative to.
        evidence: What the readers rest on.
    """

    source: str
    prefix: str
    access: Access
    entry_url: str
    base: str
    evidence: str

    def entry_id(self, number: int | str) -> str:
        """Return the id of an entry."""
        return f"{self.prefix}:{number}"

    def build_url(self, number: int) -> str:
        """Return what opens an entry."""
        return self.entry_url.replace("{id}", str(number))

    def render_entry(self, entry: Entry) -> bytes:
        """Return the page of an entry; equal for equal entries, attachments aside."""
        head = [f"Entry {entry.number} of {self.source}, {entry.time}"]
        head += [f"Author: {entry.author}"] if entry.author else []
        facts = {"Category": entry.category, "Form": entry.form}
        facts |= {"Tags": ", ".join(entry.tags), "Subject": entry.subject}
        head += [f"{name}: {value}" for name, value in facts.items() if value]
        head += [f"{name}: {value}" for name, value in entry.fields]
        parts = [f"<p>{html.escape(line)}</p>" for line in head]
        parts.append(_to_html(entry.text, is_html=entry.is_html))
        for author, time, text in entry.comments:
            about = ", ".join(filter(None, [author, time]))
            parts.append(f"<h2>Comment {html.escape(about)}</h2>".replace(" </", "</"))
            parts.append(_to_html(text, is_html=has_tags(text)))
        if entry.related:
            ids = ", ".join(self.entry_id(number) for number in entry.related)
            parts.append(f"<p>Related entries: {html.escape(ids)}</p>")
        title = html.escape(format_title(entry))
        body = "\n".join(filter(None, parts))
        page = (
            f"<html><head><title>{title}</title></head>\n<body>\n{body}\n</body></html>"
        )
        return page.encode("utf-8", "replace")

    def hash_entry(self, entry: Entry) -> str:
        """Return the sha256 of the page of an entry."""
        return hashlib.sha256(self.render_entry(entry)).hexdigest()

    def with_access(self, stored: Document) -> Document:
        """Return a document as stored, for whom the settings say now."""
        files = (
            replace(file, access=self.access, evidence=self.evidence)
            for file in stored.files
        )
        return replace(
            stored, access=self.access, evidence=self.evidence, files=tuple(files)
        )

    def build_document(self, entry: Entry, files: tuple[FileRef, ...]) -> Document:
        """Return the document of an entry with the files of its attachments."""
        return Document(
            id=self.entry_id(entry.number),
            source=self.source,
            kind="entry",
            url=self.build_url(entry.number),
            title=format_title(entry),
            access=self.access,
            authors=(entry.author,) if entry.author else (),
            date=entry.time.date(),
            files=(self._build_entry_file(entry), *files),
            evidence=self.evidence,
        )

    def _build_entry_file(self, entry: Entry) -> FileRef:
        body = self.render_entry(entry)
        return FileRef(
            key=ENTRY_KEY,
            name=f"entry-{entry.number}.html",
            media_type="text/html",
            url=self.build_url(entry.number),
            access=self.access,
            checksum=f"sha256:{hashlib.sha256(body).hexdigest()}",
            body=body,
            evidence=self.evidence,
        )

    def build_attachments(self, entry: Entry) -> tuple[FileRef, ...]:
        """Return the files of an entry's attachments, each with a name of its own."""
        files = map(self._build_attachment, entry.attachments)
        return tuple({file.key: file for file in files}.values())

    def _build_attachment(self, own: Attachment) -> FileRef:
        url = urljoin(f"{self.base}/", own.url)
        ending = PurePosixPath(own.name).suffix.lower()
        kind = f"image/{_IMAGES[ending]}" if ending in _IMAGES else ""
        said = f"{url}\n{own.name}\n{own.size_bytes}"
        mark = hashlib.sha256(said.encode()).hexdigest()[:16]
        return FileRef(
            key=f"a{mark}",
            name=own.name,
            media_type=kind or ("image/png" if own.is_image else _DEFAULT_MEDIA_TYPE),
            url=url,
            access=self.access,
            size_bytes=own.size_bytes,
            # An attachment never changes under its address: it is fetched once.
            checksum=f"address:{mark}",
            evidence=self.evidence,
        )


_DEFAULT_MEDIA_TYPE = "application/octet-stream"


def format_title(entry: Entry) -> str:
    """Return the subject, or the first words, and the time of an entry."""
    said = entry.subject
    if not said:
        pages = read_html(entry.text) if entry.is_html else ()
        text = " ".join(page.text for page in pages) if entry.is_html else entry.text
        own = text.split()
        said = " ".join(own[:_TITLE_WORDS]) + (" ..." * (len(own) > _TITLE_WORDS))
    said = said or entry.form or entry.category or f"Entry {entry.number}"
    return f"{said} ({entry.time:%Y-%m-%d %H:%M})"


def _to_html(text: str, *, is_html: bool) -> str:
    if not text.strip():
        return ""
    return f"<div>{text}</div>" if is_html else f"<pre>{html.escape(text)}</pre>"
