"""The exceptions of DUNE-GPT.

DuneGPTError
├── ConfigError             invalid settings
├── UsageError              a request that cannot be carried out
├── StorageError            the data folder is locked, full or damaged
│   ├── HostError                the operating system refused: disk full, no permission
│   └── DatabaseUnavailableError serve.db is locked, or its server does not answer
├── LoginRefusedError       name or password are wrong, or the account is disabled
│   └── TooManyAttemptsError     too many failed logins
├── SourceError             a document system did not answer as it should
│   ├── SourceUnreachableError   no answer, or only server errors
│   ├── SourceBusyError          it asks to retry later than a run waits
│   ├── SourceLoginError         the credential was refused, or a login page was sent
│   └── SourceFormatError        an answer in an unexpected format
├── FetchError              one file could not be fetched (recorded, not fatal)
├── ExtractError            one file could not be read (recorded, not fatal)
│   ├── PartlyReadError          it was read only partly
│   └── TransientExtractError    reading it crashed or took too long; it is tried again
├── UnreadableFilesError    too many files cannot be read any more
├── IndexMissingError       there is no index yet
├── IndexBrokenError        the index is damaged
├── IndexMismatchError      the index has another model or format
└── ModelError              a model server did not answer as it should

Extra arguments are keyword-only with defaults, so that exceptions can be pickled and
sent from a worker process to its parent.
"""

from enum import StrEnum


class ModelFault(StrEnum):
    """What went wrong with a model server; each fault has its own message and hint."""

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
_TRY_LATER_HINT = "Ask again later; --no-llm answers without a model."
_MODEL_HINTS = {
    ModelFault.DOWN: "Start it ('dunegpt llm serve'), or check [llm.*] base_url.",
    ModelFault.KEY: "Check the key that [llm.*] api_key_env or api_key_file names.",
    ModelFault.MODEL: "Check [llm.*] model; 'dunegpt llm check' lists its models.",
    ModelFault.TOO_LONG: "Set [llm.*] context_tokens to the limit of the server.",
    ModelFault.SILENT: "A slow server needs a longer [llm.*] timeout_s.",
    ModelFault.STALLED: "A slow server needs a longer [llm.*] timeout_s.",
    ModelFault.OVERLOADED: _TRY_LATER_HINT,
    ModelFault.LEFT_OUT: _TRY_LATER_HINT,
}
_PERMANENT_FAULTS = {
    ModelFault.REFUSES,
    ModelFault.KEY,
    ModelFault.MODEL,
    ModelFault.TOO_LONG,
}


class DuneGPTError(Exception):
    """Base class of all errors that DUNE-GPT raises.

    Attributes:
        retryable: Whether the same call may succeed later.
        hint: What the user can do about it; one sentence.
    """

    retryable = False
    hint = ""

    def __init__(self, message: str = "", *, hint: str = "") -> None:
        super().__init__(message)
        if hint:
            self.hint = hint


class ConfigError(DuneGPTError):
    """The settings are invalid."""

    hint = "Run 'dunegpt config' to see a commented example."


class UsageError(DuneGPTError):
    """The request cannot be carried out."""


class StorageError(DuneGPTError):
    """The data folder is full, locked by another run, or damaged."""


class HostError(StorageError):
    """The operating system refused: disk full, too many open files, no permission.

    The files themselves are unchanged.
    """


class DatabaseUnavailableError(StorageError):
    """The database of accounts is locked, or its server does not answer."""

    retryable = True
    hint = "Try again; if it lasts, check that the database runs and is not overloaded."


class LoginRefusedError(DuneGPTError):
    """Name or password are wrong, or the account is disabled: it is not said which."""

    hint = "Check name and password; an operator can set a new one."


class TooManyAttemptsError(LoginRefusedError):
    """Too many logins have failed; more are not tried now.

    Attributes:
        retry_after_s: Seconds until the next attempt.
    """

    retryable = True
    hint = "Wait, then try again."

    def __init__(
        self, message: str = "", *, hint: str = "", retry_after_s: float = 0
    ) -> None:
        super().__init__(message, hint=hint)
        self.retry_after_s = retry_after_s


class SourceError(DuneGPTError):
    """A document system did not answer as it should."""


class SourceUnreachableError(SourceError):
    """The document system did not answer, or only with server errors."""

    retryable = True
    hint = "Check the address and the network, then crawl again; nothing was removed."


class SourceBusyError(SourceError):
    """The document system asks to retry later than a run waits."""

    retryable = True
    hint = "Crawl again later; nothing was removed."


class SourceLoginError(SourceError):
    """The document system refused the credential, or sent its login page."""

    hint = "Check the token and its scopes; nothing was removed."


class SourceFormatError(SourceError):
    """An answer of the document system has an unexpected format."""

    hint = "Check the address of the system; nothing was removed."


class FetchError(DuneGPTError):
    """One file could not be fetched from its home system."""

    retryable = True


class ExtractError(DuneGPTError):
    """One file could not be turned into pages."""


class PartlyReadError(ExtractError):
    """One file was turned into pages only partly."""


class TransientExtractError(ExtractError):
    """Reading one file crashed, took too long or ran out of memory.

    It says nothing about the content of the file, which is read again by later runs.
    """

    retryable = True


class UnreadableFilesError(DuneGPTError):
    """Too many files that were readable before cannot be read now."""

    retryable = True
    hint = (
        "Give this host what it lacks (memory, programs) and run 'dunegpt index' again;"
        " to publish an index without these files, add --accept-loss."
    )


class IndexMissingError(DuneGPTError):
    """There is no index yet."""

    hint = "Run 'dunegpt crawl' and then 'dunegpt index', or copy a snapshot here."


class IndexBrokenError(DuneGPTError):
    """The index is damaged."""

    hint = "Run 'dunegpt index --rebuild', or publish another snapshot."


class IndexMismatchError(DuneGPTError):
    """The index was built with another model or another version of the format."""

    hint = "Run 'dunegpt index' with the current settings."


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
        self.retryable = fault not in _PERMANENT_FAULTS


SEARCH_UNAVAILABLE = (
    IndexMissingError,
    IndexBrokenError,
    IndexMismatchError,
    HostError,
)
"""Errors after which no search is possible."""
