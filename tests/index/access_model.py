"""A world of documents, groups and changes, and what a reader must find in it.

The truth is kept in plain dictionaries and worked out by looking at everything. The
product packs the world, again and again on top of what it packed before, and between
two packings lays the access of today over the snapshot of yesterday. Whatever a reader
then finds, in whatever way, is compared.
"""

import datetime as dt
import random
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from dunegpt.errors import UsageError
from dunegpt.index.encoder import Encoder
from dunegpt.index.narrowing import Narrowing
from dunegpt.index.pack import Packer
from dunegpt.index.search import Ranking, Searcher
from dunegpt.index.shards import Entry
from dunegpt.index.snapshot import Snapshot
from dunegpt.index.texts import embedded, record_texts
from dunegpt.index.view import Filters
from dunegpt.index.words import words
from dunegpt.types import Access, Document, FileRef, Page, Passage, access_set, narrow

GROUPS = ("a:lar", "a:board", "b:lar", "b:tpc", "b:daq")
WORDS = (
    "argon purity cathode field lifetime photon cryostat valve monitor xenon trigger"
    " budget review drift anode wire plane chip cold pump"
).split()
_MOST = 1000
_AT_FIRST = 25


@dataclass
class World:
    """Documents as they are at home, and the texts of their files."""

    rng: random.Random
    documents: dict[str, Document] = field(default_factory=dict)
    texts: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    made: int = 0

    def change(self) -> None:
        """Let a few things happen: documents come, go, open, close, are edited."""
        while self.made < _AT_FIRST:
            self._new()
        for _ in range(self.rng.randint(1, 9)):
            kinds = [self._new, self._new, self._access, self._access, self._file]
            kinds += [self._edit, self._remove]
            self.rng.choice(kinds)()

    def _new(self) -> None:
        self.made += 1
        source = self.rng.choice("ab")
        version = self.rng.choice([0, 0, 1])
        older = [d for d in self.documents.values() if d.source == source]
        identity, supersedes = f"{source}:{self.made}:1", ""
        if version and older:
            first = self.rng.choice(older).id.rsplit(":", 1)[0]
            own = sorted(i for i in self.documents if i.rsplit(":", 1)[0] == first)
            supersedes = own[-1]
            identity = f"{first}:{int(supersedes.rsplit(':', 1)[1]) + 1}"
        access = self._readers()
        files = []
        for key in self.rng.sample(["f1", "f2", "f3"], self.rng.randint(1, 3)):
            own_access = access if self.rng.random() < 0.6 else self._readers()
            url = f"https://x.test/{identity}/{key}"
            files.append(FileRef(key, key, "text/plain", url, own_access))
            self.texts[identity, key] = self._texts()
        self.documents[identity] = Document(
            id=identity,
            source=source,
            kind=self.rng.choice(["note", "talk"]),
            url=f"https://x.test/{identity}",
            title=" ".join(self.rng.sample(WORDS, 2)),
            access=access,
            authors=tuple(self.rng.sample(["Okonjo, A", "Lee, B", "Ito"], 1)),
            date=dt.date(2024, 1, self.rng.randint(1, 28)),
            files=tuple(files),
            supersedes=supersedes,
        )

    def _texts(self) -> list[str]:
        count = self.rng.randint(1, 3)
        return [
            " ".join(self.rng.choices(WORDS, k=self.rng.randint(3, 9)))
            + f" {self.made}.{page}"
            for page in range(count)
        ]

    def _readers(self) -> Access:
        if self.rng.random() < 0.3:
            return access_set(["public"])
        return access_set(self.rng.sample(GROUPS, self.rng.randint(0, 2)))

    def _any(self) -> Document | None:
        return self.rng.choice(list(self.documents.values()) or [None])

    def _access(self) -> None:
        if document := self._any():
            self.documents[document.id] = replace(document, access=self._readers())

    def _file(self) -> None:
        if document := self._any():
            first, *rest = document.files
            files = (replace(first, access=self._readers()), *rest)
            self.documents[document.id] = replace(document, files=files)

    def _edit(self) -> None:
        if document := self._any():
            self.texts[document.id, document.files[0].key] = self._texts()

    def _remove(self) -> None:
        if document := self._any():
            del self.documents[document.id]


@dataclass(frozen=True)
class Row:
    """One passage as the truth has it."""

    document: Document
    key: str
    text: str
    access: Access


def rows(world: World) -> list[Row]:
    """Return every passage with whoever may read it."""
    return [
        Row(d, f.key, text, narrow(d.access, f.access))
        for d in world.documents.values()
        for f in d.files
        for text in world.texts[d.id, f.key]
    ]


def passes(document: Document, filters: Filters) -> bool:
    """Return whether a document passes the filters of a question."""
    author = filters.author.casefold()
    return (
        (not filters.sources or document.source in filters.sources)
        and (
            not filters.since or bool(document.date and document.date >= filters.since)
        )
        and (
            not filters.until or bool(document.date and document.date <= filters.until)
        )
        and any(author in name.casefold() for name in document.authors)
    )


def pack(
    world: World, folder: Path, encoder_folder: Path, base: Snapshot | None
) -> Snapshot:
    """Pack the world as it is now, on top of what was packed before."""
    encoder = Encoder(encoder_folder)
    packer = Packer(folder, encoder_folder, {"model": "tiny"}, base)
    for identity in sorted(world.documents):
        document = world.documents[identity]
        pages = {
            f.key: [
                Page(n, "", t) for n, t in enumerate(world.texts[identity, f.key], 1)
            ]
            for f in document.files
        }
        stamp = repr((document, pages))
        if packer.keeps(identity, stamp):
            continue
        passages = tuple(
            Passage(identity, key, p.number, p.number, 0, len(p.text), "", p.text, n)
            for key, own in pages.items()
            for n, p in enumerate(own)
        )
        wanted = [
            embedded(document.title, p, lambda t: len(t.split())) for p in passages
        ]
        records = record_texts(document.title, passages)
        entry = Entry(
            "",
            passages,
            (),
            encoder.documents(wanted).astype(np.float16),
            encoder.documents(records).astype(np.float16),
        )
        packer.add(document, entry, pages, stamp)
    return Snapshot(packer.close("world", ["onnxruntime-fp32"]))


def narrowing(snapshot: Snapshot, world: World) -> Narrowing:
    """Return what the access of today takes away from a snapshot of yesterday."""
    documents, files = {}, {}
    for number in range(len(snapshot.documents)):
        for stored in snapshot.store.documents([number]).values():
            now = world.documents.get(stored.document.id)
            access = narrow(stored.document.access, now.access if now else frozenset())
            if access != stored.document.access:
                documents[number] = access
            today = (
                {f.key: narrow(now.access, f.access) for f in now.files} if now else {}
            )
            for file in stored.document.files:
                own = narrow(file.access, today.get(file.key, frozenset()))
                if own != file.access:
                    files[number, file.key] = own
    return Narrowing(documents, files)


def ask(searcher: Searcher, then: World, now: World, count: int) -> Iterator[str]:
    """Ask at random, and yield what is wrong with what was found.

    Args:
        searcher: On a snapshot of ``then`` under the access of ``now``.
        then: What was packed.
        now: What is at home today; the same if nothing changed.
        count: How many questions.
    """
    rng = then.rng
    packed = rows(then)
    today = {(r.document.id, r.key): r.access for r in rows(now)}
    for _ in range(count):
        reader = frozenset(rng.sample(GROUPS, rng.randint(0, 3)))
        filters = Filters(
            sources=tuple(rng.sample("ab", rng.choice([0, 0, 1]))),
            since=dt.date(2024, 1, 10) if rng.random() < 0.2 else None,
            until=dt.date(2024, 1, 20) if rng.random() < 0.2 else None,
            author=rng.choice(["", "", "", "okonjo", "lee", "nobody"]),
        )
        question = " ".join(rng.sample(WORDS, rng.randint(1, 4)))
        known = reader | {"public"}

        def may_see(row: Row, known: Access = known) -> bool:
            own = narrow(row.access, today.get((row.document.id, row.key), frozenset()))
            return bool(own & known)

        visible = {
            (r.document.id, r.key, r.text)
            for r in packed
            if may_see(r) and passes(r.document, filters)
        }
        ids = {r.document.id for r in packed if may_see(r)}
        asked = set(words(question))
        ranking = rng.choice(list(Ranking)[:3])
        try:
            result = searcher.search(question, reader, filters, _MOST, ranking)
        except UsageError:  # no source of that name, as far as the reader may see
            sources = {r.document.source for r in packed if may_see(r)}
            if sources & set(filters.sources):
                yield f"missing: source: {filters.sources}"
            continue
        found = {
            (h.document.id, h.passage.file_key, h.passage.text) for h in result.hits
        }
        told = f"{question!r} {ranking} {sorted(reader)} {filters}"
        if found - visible:
            yield f"leak: {told}: {sorted(found - visible)}"
        for hit in result.hits:
            open_keys = {k for i, k, _ in visible if i == hit.document.id}
            if {f.key for f in hit.document.files} - open_keys and passes(
                hit.document, filters
            ):
                yield f"file leak: {told}: {hit.document.id}"
            named = {hit.superseded_by, hit.document.supersedes} - {""}
            if named - {i for i in now.documents if _may_know(i, then, now, known)}:
                yield f"name leak: {told}: {named}"
        texts = {
            (i, k, t)
            for i, k, t in visible
            if ranking is not Ranking.LEXICAL
            or asked & set(words(f"{then.documents[i].title}\n{t}"))
        }
        if {t for *_, t in texts} - {t for *_, t in found} - _folded(texts, ids):
            yield f"missing: {told}: {sorted(texts - found)}"


def _may_know(identity: str, then: World, now: World, known: Access) -> bool:
    old, new = then.documents.get(identity), now.documents.get(identity)
    return bool(old and new and narrow(old.access, new.access) & known)


def _folded(texts: set[tuple[str, str, str]], ids: set[str]) -> set[str]:
    """Return texts of versions that a newer one, seen by the reader, may stand for."""
    newest: dict[str, int] = {}
    for identity in ids:
        number, version = identity.rsplit(":", 1)
        newest[number] = max(int(version), newest.get(number, 0))
    return {
        text
        for identity, _, text in texts
        if int(identity.rsplit(":", 1)[1]) < newest[identity.rsplit(":", 1)[0]]
    }
