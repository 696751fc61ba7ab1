"""A random world of documents, groups and changes, to check access control against.

The expected results are computed by brute force from plain dictionaries. The product
builds incremental snapshots of the world and, between two builds, applies the current
access sets to the previous snapshot as revocations. All search results are compared.
"""

import copy
import datetime as dt
import random
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from dunegpt.access import Access, intersect_access, make_access_set
from dunegpt.errors import UsageError
from dunegpt.index.encoder.onnx import Encoder
from dunegpt.index.passage_text import make_embedding_text, make_record_texts
from dunegpt.index.search.filters import Filters
from dunegpt.index.search.hits import SearchResult
from dunegpt.index.search.ranking import Ranking
from dunegpt.index.search.revocations import Revocations
from dunegpt.index.search.searcher import Searcher
from dunegpt.index.shards import ShardEntry
from dunegpt.index.snapshot.snapshot import Snapshot
from dunegpt.index.snapshot.writer import SnapshotWriter
from dunegpt.text.analyzer import tokenize
from dunegpt.types import Document, FileRef, Page, Passage

GROUPS = ("a:lar", "a:board", "b:lar", "b:tpc", "b:daq")
WORDS = (
    "argon purity cathode field lifetime photon cryostat valve monitor xenon trigger"
    " budget review drift anode wire plane chip cold pump"
).split()
Text = tuple[str, str, str]
"""Id of a document, key of a file, text of a passage."""

_MOST = 1000
_AT_FIRST = 25


@dataclass
class World:
    """The current documents in the source systems, and the texts of their files."""

    rng: random.Random
    documents: dict[str, Document] = field(default_factory=dict)
    texts: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    made: int = 0

    def change(self) -> None:
        """Apply some random changes: add, remove, open, close and edit documents."""
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
            versions = sorted(i for i in self.documents if i.rsplit(":", 1)[0] == first)
            supersedes = versions[-1]
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
            return make_access_set(["public"])
        return make_access_set(self.rng.sample(GROUPS, self.rng.randint(0, 2)))

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
    """An expected passage."""

    document: Document
    key: str
    text: str
    access: Access


def rows(world: World) -> list[Row]:
    """Return every passage with its access set."""
    return [
        Row(d, f.key, text, intersect_access(d.access, f.access))
        for d in world.documents.values()
        for f in d.files
        for text in world.texts[d.id, f.key]
    ]


def passes(document: Document, filters: Filters) -> bool:
    """Return whether a document passes the filters of a query."""
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
    """Build a snapshot of the current world, incrementally if there is a base."""
    encoder = Encoder(encoder_folder)
    packer = SnapshotWriter(folder, encoder_folder, {"model": "tiny"}, base)
    for identity in sorted(world.documents):
        document = world.documents[identity]
        pages = {
            f.key: [
                Page(n, "", t) for n, t in enumerate(world.texts[identity, f.key], 1)
            ]
            for f in document.files
        }
        stamp = repr((document, pages))
        if packer.keep_unchanged(identity, stamp):
            continue
        passages = tuple(
            Passage(identity, key, p.number, p.number, 0, len(p.text), "", p.text, n)
            for key, own in pages.items()
            for n, p in enumerate(own)
        )
        wanted = [
            make_embedding_text(document.title, p, lambda t: len(t.split()))
            for p in passages
        ]
        records = make_record_texts(document.title, passages)
        entry = ShardEntry(
            "",
            passages,
            (),
            encoder.embed_documents(wanted).astype(np.float16),
            encoder.embed_documents(records).astype(np.float16),
        )
        packer.add(document, entry, pages, stamp)
    return Snapshot(packer.close("world", ["onnxruntime-fp32"]))


def make_revocations(snapshot: Snapshot, world: World) -> Revocations:
    """Return the revocations that current access implies for an older snapshot."""
    documents, files = {}, {}
    for number in range(len(snapshot.documents)):
        for stored in snapshot.store.get_documents([number]).values():
            current = world.documents.get(stored.document.id)
            access = intersect_access(
                stored.document.access, current.access if current else frozenset()
            )
            if access != stored.document.access:
                documents[number] = access
            file_access = (
                {
                    f.key: intersect_access(current.access, f.access)
                    for f in current.files
                }
                if current
                else {}
            )
            for file in stored.document.files:
                revoked = intersect_access(
                    file.access, file_access.get(file.key, frozenset())
                )
                if revoked != file.access:
                    files[number, file.key] = revoked
    return Revocations(documents, files)


def ask(searcher: Searcher, then: World, now: World, count: int) -> Iterator[str]:
    """Run random searches; yield a description of each wrong result.

    Args:
        searcher: Searcher on a snapshot of ``then`` with the access of ``now``.
        then: The world when the snapshot was built.
        now: The current world; the same if nothing changed.
        count: Number of searches.
    """
    rng = then.rng
    packed = rows(then)
    today = {(r.document.id, r.key): r.access for r in rows(now)}
    for _ in range(count):
        reader = frozenset(rng.sample(GROUPS, rng.randint(0, 3)))
        filters = _draw_filters(rng)
        question = " ".join(rng.sample(WORDS, rng.randint(1, 4)))
        known = reader | {"public"}
        readable = [
            row
            for row in packed
            if known
            & intersect_access(
                row.access, today.get((row.document.id, row.key), frozenset())
            )
        ]
        ranking = rng.choice(list(Ranking)[:3])
        try:
            result = searcher.as_reader(reader).search(
                question, filters, _MOST, ranking
            )
        except UsageError:  # the reader may see no source of that name
            sources = {row.document.source for row in readable}
            if sources & set(filters.sources):
                yield f"missing: source: {filters.sources}"
            continue
        visible = {
            (row.document.id, row.key, row.text)
            for row in readable
            if passes(row.document, filters)
        }
        context = f"{question!r} {ranking} {sorted(reader)} {filters}"
        yield from _find_leaks(result, visible, filters, context)
        for hit in result.hits:
            revealed = {hit.superseded_by, hit.document.supersedes} - {""}
            if revealed - {i for i in now.documents if _may_know(i, then, now, known)}:
                yield f"name leak: {context}: {revealed}"
        asked = set(tokenize(question))
        expected = {
            (i, k, t)
            for i, k, t in visible
            if ranking is not Ranking.LEXICAL
            or asked & set(tokenize(f"{then.documents[i].title}\n{t}"))
        }
        found = _list_texts(result)
        ids = {row.document.id for row in readable}
        if {t for *_, t in expected} - {t for *_, t in found} - _folded(expected, ids):
            yield f"missing: {context}: {sorted(expected - found)}"


def _draw_filters(rng: random.Random) -> Filters:
    return Filters(
        sources=tuple(rng.sample("ab", rng.choice([0, 0, 1]))),
        since=dt.date(2024, 1, 10) if rng.random() < 0.2 else None,
        until=dt.date(2024, 1, 20) if rng.random() < 0.2 else None,
        author=rng.choice(["", "", "", "okonjo", "lee", "nobody"]),
    )


def _list_texts(result: SearchResult) -> set[Text]:
    return {(h.document.id, h.passage.file_key, h.passage.text) for h in result.hits}


def _find_leaks(
    result: SearchResult, visible: set[Text], filters: Filters, context: str
) -> Iterator[str]:
    """Yield descriptions of texts and files in a result that are not visible."""
    if leaked := _list_texts(result) - visible:
        yield f"leak: {context}: {sorted(leaked)}"
    for hit in result.hits:
        open_keys = {key for i, key, _ in visible if i == hit.document.id}
        hidden_keys = {file.key for file in hit.document.files} - open_keys
        if hidden_keys and passes(hit.document, filters):
            yield f"file leak: {context}: {hit.document.id}"


def _may_know(identity: str, then: World, now: World, known: Access) -> bool:
    old, new = then.documents.get(identity), now.documents.get(identity)
    return bool(old and new and intersect_access(old.access, new.access) & known)


def _folded(texts: set[Text], ids: set[str]) -> set[str]:
    """Return texts of versions that a newer version visible to the reader replaces."""
    newest: dict[str, int] = {}
    for identity in ids:
        number, version = identity.rsplit(":", 1)
        newest[number] = max(int(version), newest.get(number, 0))
    return {
        text
        for identity, _, text in texts
        if int(identity.rsplit(":", 1)[1]) < newest[identity.rsplit(":", 1)[0]]
    }


def run(folder: Path, encoder: Path, seed: int, *, steps: int, each: int) -> list[str]:
    """Change, build and search a world step by step; return the wrong results."""
    world = World(random.Random(seed))
    base, then, wrong = None, copy.deepcopy(world), list[str]()
    for _ in range(steps):
        world.change()
        if base:
            older = Searcher(base, make_revocations(base, world))
            wrong += ask(older, then, world, each)
        snapshot = pack(world, folder, encoder, base)
        if base:
            base.close()
        base, then = snapshot, copy.deepcopy(world)
        wrong += ask(Searcher(base), then, then, each)
    assert base is not None
    base.close()
    return wrong
