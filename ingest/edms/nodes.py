"""The project nodes of an EDMS, and the access of the documents below them.

The nodes form a graph: a document may lie in several. EDMS does not publish who may
read what is not public; the settings declare it for whole nodes, on the word of their
owner. If several of these contain a document, the strictest counts; if none does,
nobody may read it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from dunegpt.access import NOBODY, Access
from dunegpt.errors import SourceError, SourceLoginError
from dunegpt.ingest.edms.documents import RecordParser
from dunegpt.ingest.edms.transport import ProjectNode, Transport, Unavailable
from dunegpt.ingest.items import Alarm, CompleteListing, Item, SourceState
from dunegpt.ingest.sync import UnitFailures
from dunegpt.types import Failure

_NODE_PREFIX = "node "
_FAILED_KEY = "failed nodes"
_LOSS_GUARD_DOCUMENTS = 20
_LOSS_GUARD_SHARE = 0.05
_MAX_CONSECUTIVE_FAILURES = 5


@dataclass(frozen=True, slots=True)
class _RootProblem:
    """What is wrong with a node of the settings; `error` if it could not be told."""

    ref: str
    message: str
    error: SourceError | None = None


class NodeTree:
    """What lies below the configured nodes, as of the last look at each."""

    def __init__(
        self,
        transport: Transport,
        reader: RecordParser,
        memory: SourceState,
        roots: Mapping[str, Access],
        default: Access,
        max_age: timedelta,
    ) -> None:
        """Take where to look.

        Args:
            transport: What is asked.
            reader: Gives names.
            memory: Keeps the nodes between runs.
            roots: The readers of what is below each node.
            default: Readers of the documents that the settings name one by one.
            max_age: How long the documents of a node stay as they were that cannot be
                listed.
        """
        self._transport, self._parser, self._state = transport, reader, memory
        self._access_by_root, self._default = roots, default
        self._nodes: dict[str, dict[str, Any]] = {
            key.removeprefix(_NODE_PREFIX): kept
            for key, kept in memory.items_with_prefix(_NODE_PREFIX)
            if kept
        }
        self._seeds: frozenset[str] = frozenset()
        self._access_by_document: dict[str, Access] = {}
        self._nodes_by_document: dict[str, set[str]] = {}
        self._failed_nodes: set[str] = set()
        self._root_problems: list[_RootProblem] = []
        self._units, self._max_age = UnitFailures(memory), max_age
        self._assign_access()

    # ── who may read ──────────────────────────────────────────────────────────────

    def set_seeds(self, numbers: frozenset[str]) -> None:
        """Take documents that the settings, or an export made for us, name singly."""
        self._seeds = numbers

    def document_numbers(self) -> frozenset[str]:
        """Return the documents of all nodes."""
        return frozenset(self._access_by_document)

    def access_of(self, number: str) -> Access:
        """Return for whom a document is that is not public."""
        if number in self._access_by_document:
            return self._access_by_document[number]
        return self._default if number in self._seeds else NOBODY

    def access_evidence(self, number: str) -> str:
        """Return what that rests on."""
        if not self.access_of(number):
            return "not proven public, and no owner has named readers"
        where = ", ".join(sorted(self._nodes_by_document.get(number, ())))
        place = f"of node {where}" if where else "of these documents"
        return f"the owner {place} names its readers, by the settings"

    def node_titles(self, number: str) -> dict[str, str]:
        """Return the nodes that hold a document, with their titles."""
        return {
            ref: self._nodes[ref]["title"]
            for ref in sorted(self._nodes_by_document.get(number, ()))
            if ref in self._nodes
        }

    def is_known(self, ref: str) -> bool:
        """Return whether a node was looked at before."""
        return ref in self._nodes

    # ── a look at all nodes ───────────────────────────────────────────────────────

    def refresh(self, cited: frozenset[str]) -> Iterator[Item]:
        """Look at all nodes, and yield what is wrong with them.

        Args:
            cited: Nodes that texts name: their documents are taken, for nobody, and
                the nodes below them are not.

        A node of the settings that fails does not end the run for the others.

        Raises:
            SourceError: No node of the settings can be told, or one after the other
                fails.
        """
        known, waiting, in_row = (
            set(self._access_by_document),
            [*self._access_by_root],
            0,
        )
        seen = set(waiting)
        self._root_problems = []
        while waiting:
            ref = waiting.pop(0)
            try:
                yield from self._refresh_node(ref)
                in_row = 0
            except SourceLoginError:
                raise
            except SourceError as error:
                in_row += 1
                if in_row >= _MAX_CONSECUTIVE_FAILURES:
                    raise
                if ref in self._access_by_root:
                    self._note_problem(ref, f"Node {ref} could not be told.", error)
                else:
                    yield self._node_failure(ref, str(error), type(error).__name__)
            below = self._nodes.get(ref, {}).get("nodes", ())
            fresh = [child for child in below if child not in seen]
            seen.update(fresh)
            waiting += fresh
        yield from self._report_roots()
        yield from self._refresh_cited(cited - seen)
        for ref in self._nodes.keys() - seen - cited:
            self._save_node(ref, None)
        yield from self._resolve_failures(frozenset(self._state.get(_FAILED_KEY) or ()))
        self._assign_access()
        lost = len(known - set(self._access_by_document))
        if lost > max(_LOSS_GUARD_DOCUMENTS, _LOSS_GUARD_SHARE * len(known)):
            yield Alarm(
                f"{lost} of {len(known)} documents are no longer in any node: only"
                " those that are public can be read."
            )

    def refresh_new(self, cited: frozenset[str]) -> Iterator[Item]:
        """Look at nodes that texts name and that were not looked at."""
        new = cited - self._nodes.keys()
        yield from self._refresh_cited(new)
        yield from self._resolve_failures(new)
        self._assign_access()

    def _refresh_cited(self, refs: frozenset[str]) -> Iterator[Item]:
        for ref in sorted(refs):
            try:
                told = self._transport.get_node(ref)
            except SourceLoginError:
                raise
            except SourceError as error:
                yield self._node_failure(ref, str(error), type(error).__name__)
                continue
            documents = () if isinstance(told, Unavailable) else told.documents
            title = "" if isinstance(told, Unavailable) else told.title
            self._save_node(ref, ProjectNode(ref, title, (), documents))

    def _refresh_node(self, ref: str) -> Iterator[Item]:
        """Look at one node; what is implausible changes nothing, and is told."""
        told = self._transport.get_node(ref)
        kept, is_root = self._nodes.get(ref), ref in self._access_by_root
        if told is Unavailable.CLOSED:
            # What is below is no longer vouched for; each document tells by itself.
            self._save_node(ref, None)
            problem = f"Node {ref} is closed to us."
            if is_root:
                self._note_problem(ref, problem)
            else:
                yield self._node_failure(ref, problem)
        elif told is Unavailable.NOT_FOUND:
            problem = f"Node {ref} was not found; its documents stay as they were."
            if is_root:
                self._note_problem(ref, problem)
            else:
                yield self._node_failure(ref, problem)
        elif isinstance(told, ProjectNode):
            is_empty = not (told.nodes or told.documents)
            had = kept and (kept["nodes"] or kept["documents"])
            if is_empty and had and is_root:
                problem = f"Node {ref} is empty now; its documents stay as they were."
                self._note_problem(ref, problem)
            else:
                self._save_node(ref, told)

    def _note_problem(
        self, ref: str, message: str, error: SourceError | None = None
    ) -> None:
        self._root_problems.append(_RootProblem(ref, message, error))

    def _report_roots(self) -> Iterator[Item]:
        """Yield what is wrong with nodes of the settings.

        Raises:
            SourceError: None of them can be told.
        """
        problems = self._root_problems
        if problems and len(problems) == len(self._access_by_root):
            if all(problem.error for problem in problems):
                raise problems[0].error or SourceError()
            for problem in problems:
                yield Alarm(problem.message)
            return
        self._assign_access()
        for problem in problems:
            since = datetime.fromisoformat(self._units.fail(_unit(problem.ref), ()))
            if datetime.now(UTC) - since >= self._max_age:
                self._units.fail(_unit(problem.ref), self._ids_below(problem.ref))
            reason = f" {problem.error}" if problem.error else ""
            yield Alarm(
                f"{problem.message}{reason} The other nodes were read. What stays as it"
                " was is hidden once it is unconfirmed for [access]"
                " max_overlay_age_h. Ask the owner of the node to admit the account, or"
                f" take {problem.ref} out of the settings of this source.",
                is_critical=False,
            )
        failed = {_unit(problem.ref) for problem in problems}
        self._units.keep_only(failed)

    def _ids_below(self, root: str) -> Iterator[str]:
        """Yield the ids of the documents below a node."""
        for number in _below(self._nodes, root)[1]:
            yield self._parser.parent_id(number)

    def _node_failure(
        self, ref: str, message: str, error: str = "SourceFormatError"
    ) -> Failure:
        """Return that a node could not be told, after that was noted."""
        self._failed_nodes.add(ref)
        return Failure(self._parser.parent_id(ref), "list", error, message)

    def _resolve_failures(self, looked_at: frozenset[str]) -> Iterator[Item]:
        """Yield that nodes which failed before, and do not now, are well."""
        before = set(self._state.get(_FAILED_KEY) or ())
        healed = (before & looked_at) - self._failed_nodes
        for ref in sorted(healed):
            yield CompleteListing(self._parser.parent_id(ref), frozenset())
        left = (before - healed) | self._failed_nodes
        if left != before:
            self._state.put(_FAILED_KEY, sorted(left))

    def _save_node(self, ref: str, node: ProjectNode | None) -> None:
        kept = node and {
            "title": node.title,
            "nodes": list(node.nodes),
            "documents": list(node.documents),
        }
        if kept == self._nodes.get(ref):
            return
        self._state.put(f"{_NODE_PREFIX}{ref}", kept)
        if kept:
            self._nodes[ref] = kept
        else:
            self._nodes.pop(ref, None)

    def _assign_access(self) -> None:
        """Work out for whom each document is, by the nodes that hold it."""
        self._access_by_document, self._nodes_by_document = {}, {}
        for root, readers in self._access_by_root.items():
            refs, numbers = _below(self._nodes, root)
            for ref in refs:
                for number in self._nodes[ref]["documents"]:
                    self._nodes_by_document.setdefault(number, set()).add(ref)
            for number in numbers:
                known = self._access_by_document.get(number)
                own = readers if known is None else known & readers
                self._access_by_document[number] = own

    def cited_documents(self, cited: frozenset[str]) -> frozenset[str]:
        """Return the documents of nodes that texts name."""
        found = (self._nodes.get(ref, {}).get("documents", ()) for ref in cited)
        return frozenset(number for numbers in found for number in numbers)


def _unit(ref: str) -> str:
    return f"node {ref}"


def _below(
    nodes: Mapping[str, Mapping[str, Any]], root: str
) -> tuple[set[str], set[str]]:
    """Return the known nodes at or below one, and their documents."""
    seen, waiting = {root}, [root]
    while waiting:
        fresh = set(nodes.get(waiting.pop(), {}).get("nodes", ())) - seen
        seen |= fresh
        waiting += fresh
    known = seen & nodes.keys()
    return known, {number for ref in known for number in nodes[ref]["documents"]}
