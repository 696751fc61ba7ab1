"""The shapes of what operators' commands print as JSON, as pydantic models.

Crawls, the ledger, who may read what, snapshots, model servers. Knows nothing else.
All shapes together: `schema_table`.
"""

from pydantic import BaseModel, ConfigDict


class _Shape(BaseModel):
    model_config = ConfigDict(extra="forbid")


class FailureShape(_Shape):
    """One entry of the ledger."""

    id: str
    stage: str
    error: str
    message: str
    first_at: str = ""
    last_at: str = ""


class SourceShape(_Shape):
    """One source in ``dunegpt status``.

    Attributes:
        documents: Without their versions; ``versions`` counts each of them.
        hidden: Versions gone at the source and not purged yet.
        nobody: Versions that are there and that nobody is known to be allowed to read.
        failures: Counts by stage; ``errors`` by kind of error.
        age_h: Hours since the last good run; null if there was none.
        withheld: What exists at the source and is not shown to the account, by kind.
        notices: Change notices that wait for a crawl.
        warnings: What an operator must look at, though the last run was a good one.
        untried: What of this kind of source was never tried on a real one.
    """

    name: str
    documents: int
    versions: int
    hidden: int
    nobody: int
    files: int
    fetched: int
    bytes: int
    failures: dict[str, int]
    errors: dict[str, int]
    last_good_run: str
    age_h: float | None
    last_error: str
    warnings: list[str]
    withheld: dict[str, int]
    notices: int
    untried: str


class IndexShape(_Shape):
    """The published snapshot in ``dunegpt status``; ``error`` says why it is none."""

    snapshot: str
    created_at: str
    encoder: str
    documents: int
    passages: int
    error: str


class StatusShape(_Shape):
    """What ``dunegpt status --json`` prints."""

    data_dir: str
    sources: list[SourceShape]
    index: IndexShape
    failures: list[FailureShape]


class ReadersShape(_Shape):
    """Who may read one document or one file of it, and how that is known."""

    id: str
    file: str | None
    principals: list[str]
    evidence: str
    observed_at: str


class PersonShape(_Shape):
    """What ``dunegpt principals --json`` prints; everybody has ``public`` besides."""

    principals: list[str]
    rules: list[str]


class PlaceShape(_Shape):
    """One place that a forgotten document was looked for in.

    Attributes:
        removed: How much of it was taken out there.
        left: How much of it is still there: 0, or forgetting has failed.
    """

    place: str
    removed: int
    left: int


class ForgetShape(_Shape):
    """What ``dunegpt forget --json`` prints."""

    id: str
    documents: list[str]
    places: list[PlaceShape]


class AccessShape(_Shape):
    """What ``dunegpt access --json`` prints."""

    rows: list[ReadersShape]


class CrawlShape(_Shape):
    """The record of one run over one source, as ``dunegpt crawl --json`` prints it."""

    source: str
    mode: str
    dry_run: bool
    partial: bool
    known: int
    seen: int
    new: int
    changed: int
    unchanged: int
    removed: int
    hidden: int
    kept: int
    failed: int
    fetched: int
    fetched_bytes: int
    requests: int
    seconds: float
    error: str
    hint: str
    warnings: list[str]
    failures: list[FailureShape]


class ExtractedPageShape(_Shape):
    """One page in ``dunegpt extract``."""

    number: int
    heading: str
    text: str
    label: str
    line: int


class ExtractShape(_Shape):
    """What one file became, as ``dunegpt extract --json`` prints it, a line a file."""

    name: str
    pages: list[ExtractedPageShape]
    remarks: list[str]
    made_with: dict[str, str]
    error: str


class IndexRunShape(_Shape):
    """The record of one run of ``dunegpt index``."""

    snapshot: str
    documents: int
    passages: int
    embedded: int
    published: bool
    seconds: float
    failures: list[FailureShape]
    recall: dict[str, float]


class SnapshotShape(_Shape):
    """A snapshot in ``dunegpt snapshot list``.

    Attributes:
        own_bytes: Of the files that no other snapshot shares; removing it frees them.
        error: Why it cannot be used; empty if it can.
    """

    id: str
    is_current: bool
    created_at: str = ""
    documents: int = 0
    passages: int = 0
    parts: int = 0
    size_bytes: int = 0
    own_bytes: int = 0
    error: str = ""


class SnapshotsShape(_Shape):
    """What ``dunegpt snapshot list --json`` prints, newest first."""

    snapshots: list[SnapshotShape]


class VerifyShape(_Shape):
    """What ``dunegpt snapshot verify --json`` prints; no errors: all is as packed."""

    id: str
    files: int = 0
    errors: list[str]


class DiffShape(_Shape):
    """Ids of the documents that differ: ``dunegpt snapshot diff --json``."""

    added: list[str]
    removed: list[str]
    changed: list[str]


class CheckedShape(_Shape):
    """One thing that a model server was asked to do."""

    name: str
    ok: bool
    detail: str


class LLMServerShape(_Shape):
    """One model server, tried."""

    name: str
    model: str
    ok: bool
    checks: list[CheckedShape]


class LLMCheckShape(_Shape):
    """What ``dunegpt llm check --json`` prints."""

    servers: list[LLMServerShape]


class MetricShape(_Shape):
    """A mean over questions, with the ends of its 95 % interval."""

    mean: float
    lo: float
    hi: float
