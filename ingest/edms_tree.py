"""The project nodes of an EDMS, and for whom the documents below them are.

A graph: a document may lie in several nodes. EDMS does not tell who may read what is
not public: the settings say it of whole nodes, by the word of their owner. Where
several of these hold a document, the stricter one counts; where none does, it is for
nobody.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from dunegpt.errors import SourceError, SourceLoginError
from dunegpt.ingest.edms_objects import Reader
from dunegpt.ingest.edms_types import Fate, Node, Transport
from dunegpt.ingest.items import Alarm, Item, Memory, Whole
from dunegpt.types import NOBODY, Access, Failure

_KEY = "node "
_FAILED = "failed nodes"
_GUARD_OBJECTS = 20
_GUARD_SHARE = 0.05
_DOWN_AFTER = 5


class Tree:
    """What lies below the configured nodes, as of the last look at each."""

    def __init__(
        self,
        transport: Transport,
        reader: Reader,
        memory: Memory,
        roots: Mapping[str, Access],
        default: Access,
    ) -> None:
        """Take where to look.

        Args:
            transport: What is asked.
            reader: Gives names.
            memory: Keeps the nodes between runs.
            roots: The readers of what is below each node.
            default: Readers of the documents that the settings name one by one.
        """
        self._transport, self._reader, self._memory = transport, reader, memory
        self._roots, self._default = roots, default
        self._nodes: dict[str, dict[str, Any]] = {
            key.removeprefix(_KEY): kept for key, kept in memory.below(_KEY) if kept
        }
        self._seeds: frozenset[str] = frozenset()
        self._readers: dict[str, Access] = {}
        self._inside: dict[str, set[str]] = {}
        self._failed: set[str] = set()
        self._place()

    # ── who may read ──────────────────────────────────────────────────────────────

    def seed(self, numbers: frozenset[str]) -> None:
        """Take documents that the settings, or an export made for us, name singly."""
        self._seeds = numbers

    def numbers(self) -> frozenset[str]:
        """Return the documents of all nodes."""
        return frozenset(self._readers)

    def readers(self, number: str) -> Access:
        """Return for whom a document is that is not public."""
        if number in self._readers:
            return self._readers[number]
        return self._default if number in self._seeds else NOBODY

    def evidence(self, number: str) -> str:
        """Return what that rests on."""
        if not self.readers(number):
            return "not proven public, and no owner has named readers"
        where = ", ".join(sorted(self._inside.get(number, ())))
        place = f"of node {where}" if where else "of these documents"
        return f"the owner {place} names its readers, by the settings"

    def titles(self, number: str) -> dict[str, str]:
        """Return the nodes that hold a document, with their titles."""
        return {
            ref: self._nodes[ref]["title"]
            for ref in sorted(self._inside.get(number, ()))
            if ref in self._nodes
        }

    def is_known(self, ref: str) -> bool:
        """Return whether a node was looked at before."""
        return ref in self._nodes

    # ── a look at all nodes ───────────────────────────────────────────────────────

    def look(self, cited: frozenset[str]) -> Iterator[Item]:
        """Look at all nodes, and yield what is wrong with them.

        Args:
            cited: Nodes that texts name: their documents are taken, for nobody, and
                the nodes below them are not.

        Raises:
            SourceError: A node of the settings cannot be told, or many others.
        """
        known, waiting, in_row = set(self._readers), [*self._roots], 0
        seen = set(waiting)
        while waiting:
            ref = waiting.pop(0)
            try:
                yield from self._look_at(ref)
                in_row = 0
            except SourceLoginError:
                raise
            except SourceError as error:
                in_row += 1
                if in_row >= _DOWN_AFTER or ref in self._roots:
                    raise
                yield self._failure(ref, str(error), type(error).__name__)
            below = self._nodes.get(ref, {}).get("nodes", ())
            fresh = [child for child in below if child not in seen]
            seen.update(fresh)
            waiting += fresh
        yield from self._look_at_cited(cited - seen)
        for ref in self._nodes.keys() - seen - cited:
            self._keep(ref, None)
        yield from self._settle(frozenset(self._memory.get(_FAILED) or ()))
        self._place()
        lost = len(known - set(self._readers))
        if lost > max(_GUARD_OBJECTS, _GUARD_SHARE * len(known)):
            yield Alarm(
                f"{lost} of {len(known)} documents are in no node any more: they are"
                " for nobody but where they are public."
            )

    def look_at_new(self, cited: frozenset[str]) -> Iterator[Item]:
        """Look at nodes that texts name and that were not looked at."""
        new = cited - self._nodes.keys()
        yield from self._look_at_cited(new)
        yield from self._settle(new)
        self._place()

    def _look_at_cited(self, refs: frozenset[str]) -> Iterator[Item]:
        for ref in sorted(refs):
            try:
                told = self._transport.node(ref)
            except SourceLoginError:
                raise
            except SourceError as error:
                yield self._failure(ref, str(error), type(error).__name__)
                continue
            documents = () if isinstance(told, Fate) else told.documents
            title = "" if isinstance(told, Fate) else told.title
            self._keep(ref, Node(ref, title, (), documents))

    def _look_at(self, ref: str) -> Iterator[Item]:
        """Look at one node; what is implausible changes nothing, and is told."""
        told = self._transport.node(ref)
        kept, is_root = self._nodes.get(ref), ref in self._roots
        if told is Fate.CLOSED:
            # What is below is no longer vouched for; each document tells by itself.
            self._keep(ref, None)
            problem = f"The node {ref} is closed to us."
            yield Alarm(problem) if is_root else self._failure(ref, problem)
        elif told is Fate.NONE:
            problem = f"The node {ref} is not found; what was in it is kept as it was."
            yield Alarm(problem) if is_root else self._failure(ref, problem)
        elif isinstance(told, Node):
            is_empty = not (told.nodes or told.documents)
            had = kept and (kept["nodes"] or kept["documents"])
            if is_empty and had and is_root:
                yield Alarm(f"The node {ref} is empty now; what was in it is kept.")
            else:
                self._keep(ref, told)

    def _failure(
        self, ref: str, message: str, error: str = "SourceFormatError"
    ) -> Failure:
        """Return that a node could not be told, after that was noted."""
        self._failed.add(ref)
        return Failure(self._reader.holder(ref), "list", error, message)

    def _settle(self, looked_at: frozenset[str]) -> Iterator[Item]:
        """Yield that nodes which failed before, and do not now, are well."""
        before = set(self._memory.get(_FAILED) or ())
        healed = (before & looked_at) - self._failed
        for ref in sorted(healed):
            yield Whole(self._reader.holder(ref), frozenset())
        left = (before - healed) | self._failed
        if left != before:
            self._memory.put(_FAILED, sorted(left))

    def _keep(self, ref: str, node: Node | None) -> None:
        kept = node and {
            "title": node.title,
            "nodes": list(node.nodes),
            "documents": list(node.documents),
        }
        if kept == self._nodes.get(ref):
            return
        self._memory.put(f"{_KEY}{ref}", kept)
        if kept:
            self._nodes[ref] = kept
        else:
            self._nodes.pop(ref, None)

    def _place(self) -> None:
        """Work out for whom each document is, by the nodes that hold it."""
        self._readers, self._inside = {}, {}
        for root, readers in self._roots.items():
            seen, waiting = {root}, [root]
            numbers: set[str] = set()
            while waiting:
                ref = waiting.pop()
                node = self._nodes.get(ref, {"nodes": (), "documents": ()})
                numbers.update(node["documents"])
                for number in node["documents"]:
                    self._inside.setdefault(number, set()).add(ref)
                fresh = set(node["nodes"]) - seen
                seen |= fresh
                waiting += fresh
            for number in numbers:
                known = self._readers.get(number)
                own = readers if known is None else known & readers
                self._readers[number] = own

    def cited_documents(self, cited: frozenset[str]) -> frozenset[str]:
        """Return the documents of nodes that texts name."""
        found = (self._nodes.get(ref, {}).get("documents", ()) for ref in cited)
        return frozenset(number for numbers in found for number in numbers)
