"""Response models of the commands for operators.

Crawls, the ledger of failures, access, snapshots and model servers. Does not depend on
other packages. See `dunegpt.schemas.registry` for all models.
"""

from pydantic import BaseModel, ConfigDict

from dunegpt.schemas.reading import BoxResponse


class _Response(BaseModel):
    model_config = ConfigDict(extra="forbid")


class FailureResponse(_Response):
    """One entry of the ledger of failures."""

    id: str
    stage: str
    error: str
    message: str
    first_at: str = ""
    last_at: str = ""


class SourceResponse(_Response):
    """One source in ``dunegpt status``.

    Attributes:
        documents: Number of documents; ``versions`` counts each version.
        hidden: Versions removed at the source and not purged yet.
        nobody: Versions with an empty access set.
        failures: Number of failures by stage; ``errors`` by class of the error.
        age_h: Hours since the last good run; null if there was none.
        withheld: Items that the source does not show to the account, by kind.
        notices: Number of pending change notices.
        warnings: Warnings of the last run that an operator should look at.
        untried: Parts of this source type that were never tested with a real system.
        unconfirmed: Hours since each unit that could not be listed was last confirmed:
            a root, a group or a list.
        held: Versions that would open to more readers, held back after an alarm.
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
    unconfirmed: dict[str, float] = {}
    held: int = 0


class IndexResponse(_Response):
    """The current snapshot in ``dunegpt status``; ``error`` tells why there is none."""

    snapshot: str
    created_at: str
    encoder: str
    documents: int
    passages: int
    error: str


class StatusResponse(_Response):
    """Output of ``dunegpt status --json``."""

    data_dir: str
    sources: list[SourceResponse]
    index: IndexResponse
    failures: list[FailureResponse]


class ReadersResponse(_Response):
    """The access set of a document or file, and the evidence for it."""

    id: str
    file: str | None
    principals: list[str]
    evidence: str
    observed_at: str


class PersonResponse(_Response):
    """Output of ``dunegpt principals --json``; ``public`` is implied for everybody."""

    principals: list[str]
    rules: list[str]


class PlaceResponse(_Response):
    """One place that may hold a forgotten document.

    Attributes:
        removed: Number of items removed there.
        left: Number of items still there; if not 0, the document is not forgotten.
    """

    place: str
    removed: int
    left: int


class ForgetResponse(_Response):
    """Output of ``dunegpt forget --json``."""

    id: str
    documents: list[str]
    places: list[PlaceResponse]


class AccessResponse(_Response):
    """Output of ``dunegpt access --json``."""

    rows: list[ReadersResponse]


class CrawlResponse(_Response):
    """The crawl of one source; output of ``dunegpt crawl --json``."""

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
    held: int = 0
    failed: int
    fetched: int
    fetched_bytes: int
    requests: int
    seconds: float
    error: str
    hint: str
    warnings: list[str]
    failures: list[FailureResponse]


class FigureResponse(_Response):
    """A figure of a page: the characters of its text, and the place of its picture."""

    label: str
    start: int
    end: int
    box: BoxResponse | None


class ExtractedPageResponse(_Response):
    """One page in ``dunegpt extract``."""

    number: int
    heading: str
    text: str
    label: str
    line: int
    figures: list[FigureResponse]


class ExtractResponse(_Response):
    """The text of one file; one line of the output of ``dunegpt extract --json``."""

    name: str
    pages: list[ExtractedPageResponse]
    remarks: list[str]
    made_with: dict[str, str]
    error: str
    is_transient: bool = False


class IndexRunResponse(_Response):
    """Output of ``dunegpt index --json``."""

    snapshot: str
    documents: int
    passages: int
    embedded: int
    published: bool
    seconds: float
    failures: list[FailureResponse]
    recall: dict[str, float]


class SnapshotResponse(_Response):
    """A snapshot in ``dunegpt snapshot list``.

    Attributes:
        own_bytes: Size of the files that no other snapshot shares.
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


class SnapshotsResponse(_Response):
    """Output of ``dunegpt snapshot list --json``, newest first."""

    snapshots: list[SnapshotResponse]


class VerifyResponse(_Response):
    """Output of ``dunegpt snapshot verify --json``; no errors if it is intact."""

    id: str
    files: int = 0
    errors: list[str]


class DiffResponse(_Response):
    """Output of ``dunegpt snapshot diff --json``: the ids of documents that differ."""

    added: list[str]
    removed: list[str]
    changed: list[str]


class CheckedResponse(_Response):
    """One check of a model server."""

    name: str
    ok: bool
    detail: str


class LLMServerResponse(_Response):
    """The checks of one model server."""

    name: str
    model: str
    ok: bool
    checks: list[CheckedResponse]


class LLMCheckResponse(_Response):
    """Output of ``dunegpt llm check --json``."""

    servers: list[LLMServerResponse]


class MetricResponse(_Response):
    """A mean over questions, with its 95 % confidence interval."""

    mean: float
    lo: float
    hi: float
