"""The audit: who was shown which document, when, and by which face. Ids only."""

from collections.abc import Iterable

from dunegpt.serve.accounts.person import Person


class Audit:
    """The audit in serve.db. All methods block: call them in a thread."""

    def record(self, person: Person, documents: Iterable[str], *, face: str) -> None:
        """Record that a person is shown documents; call it before they are sent.

        Args:
            person: The person, ``ANONYMOUS`` included.
            documents: Ids of documents, such as ``docdb:12345:3``.
            face: ``web``, ``api``, ``openai``, ``slack`` or ``mcp``.

        Raises:
            StorageError: It cannot be recorded; then nothing may be shown.
        """
        raise NotImplementedError
