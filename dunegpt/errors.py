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
    """A language model server did not answer as it should."""

    retryable = True
    hint = "Check [llm.*] base_url and model; --no-llm answers without a model."
