"""Every error that DUNE-GPT raises on purpose, as one tree.

DuneGPTError
├── ConfigError             settings that cannot be used
├── UsageError              a request that cannot be carried out as asked
├── StorageError            disk full, locked or damaged files of ours
├── SourceError             a document system did not give what was asked
│   ├── SourceUnreachableError   no answer, or only server errors
│   ├── SourceBusyError          it asks to come back later than we wait
│   ├── SourceLoginError         the credential was refused, or a login page came
│   └── SourceFormatError        an answer that is not what its kind promises
├── FetchError              one file could not be had (ledger, not fatal)
├── ExtractError            one file could not be read (ledger, not fatal)
│   └── PartlyReadError          it was read, but not all of it
├── IndexMissingError       nothing was indexed yet
├── IndexBrokenError        an index that cannot be trusted
├── IndexMismatchError      an index made with another model or format
└── ModelError              a language model server did not answer

Extra arguments are keyword-only with defaults, so that each error survives the way
from a worker process to its parent.
"""

from enum import StrEnum


class ModelFault(StrEnum):
    """What went wrong with a model server; each has its own words and hint."""

    DOWN = "down"
    REFUSES = "refuses"
    KEY = "wrong_key"
    MODEL = "unknown_model"
    TOO_LONG = "too_long"
    SILENT = "silent"
    STALLED = "stalled"
    BROKE_OFF = "broke_off"
    EMPTY = "empty"
    NONSENSE = "nonsense"
    OVERLOADED = "overloaded"
    LEFT_OUT = "left_out"


_CHECK = "Run 'dunegpt llm check'; --no-llm answers without a model."
_LATER = "Ask again later; --no-llm answers without a model."
_MODEL_HINTS = {
    ModelFault.DOWN: "Start it ('dunegpt llm serve'), or check [llm.*] base_url.",
    ModelFault.KEY: "Check the key that [llm.*] api_key_env or api_key_file names.",
    ModelFault.MODEL: "Check [llm.*] model; 'dunegpt llm check' lists what it has.",
    ModelFault.TOO_LONG: "Set [llm.*] context_tokens to what the server has.",
    ModelFault.SILENT: "A slow server needs a longer [llm.*] timeout_s.",
    ModelFault.STALLED: "A slow server needs a longer [llm.*] timeout_s.",
    ModelFault.OVERLOADED: _LATER,
    ModelFault.LEFT_OUT: _LATER,
}
_FOR_GOOD = {ModelFault.REFUSES, ModelFault.KEY, ModelFault.MODEL, ModelFault.TOO_LONG}


class DuneGPTError(Exception):
    """Something went wrong in a way that a person can act on.

    Attributes:
        retryable: Whether the same call may succeed later.
        hint: What the person should do; one sentence.
    """

    retryable = False
    hint = ""

    def __init__(self, message: str = "", *, hint: str = "") -> None:
        super().__init__(message)
        if hint:
            self.hint = hint


class ConfigError(DuneGPTError):
    """The settings cannot be used."""

    hint = "Run 'dunegpt config' to see a commented example."


class UsageError(DuneGPTError):
    """The request cannot be carried out as asked."""


class StorageError(DuneGPTError):
    """The data folder is full, locked by another run, or damaged."""


class SourceError(DuneGPTError):
    """A document system did not give what was asked."""


class SourceUnreachableError(SourceError):
    """No answer from the document system, or only server errors."""

    retryable = True
    hint = "Check the address and the network, then crawl again; nothing was removed."


class SourceBusyError(SourceError):
    """The document system asks to come back later than a run waits."""

    retryable = True
    hint = "Crawl again then; nothing was removed."


class SourceLoginError(SourceError):
    """The document system refused the credential, or sent its login page."""

    hint = "Check the token and its scopes; nothing was removed."


class SourceFormatError(SourceError):
    """An answer is not what its kind promises."""

    hint = "Is the address that of the right system? Nothing was removed."


class FetchError(DuneGPTError):
    """One file could not be had from its home system."""

    retryable = True


class ExtractError(DuneGPTError):
    """One file could not be turned into pages."""


class PartlyReadError(ExtractError):
    """One file was turned into pages, but not all of it."""


class IndexMissingError(DuneGPTError):
    """Nothing was indexed yet."""

    hint = "Run 'dunegpt crawl' and then 'dunegpt index', or copy a snapshot here."


class IndexBrokenError(DuneGPTError):
    """The index cannot be trusted."""

    hint = "Run 'dunegpt index --rebuild', or publish another snapshot."


class IndexMismatchError(DuneGPTError):
    """The index was made with another model, or by another version of the format."""

    hint = "Run 'dunegpt index' with the present settings."


class ModelError(DuneGPTError):
    """A language model server did not answer as it should.

    Attributes:
        fault: What went wrong.
    """

    def __init__(
        self, message: str = "", *, fault: ModelFault = ModelFault.REFUSES
    ) -> None:
        super().__init__(message, hint=_MODEL_HINTS.get(fault, _CHECK))
        self.fault = fault
        self.retryable = fault not in _FOR_GOOD
