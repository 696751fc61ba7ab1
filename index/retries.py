"""Schedules when a later run reads a failed file again, in the ledger.

Does not depend on why reading a file failed, see `dunegpt.ingest.page_store`.
"""

from dataclasses import replace

from dunegpt.errors import ExtractError, TransientExtractError
from dunegpt.ingest.catalog.database import Catalog
from dunegpt.ingest.page_store import PageStore, Retry
from dunegpt.text.patterns import compile_re
from dunegpt.types import Failure

_ATTEMPTS = compile_re(r" Tried (?:once|\d+ times); the next run [^;]*tries again\.$")


def record_retries(
    catalog: Catalog, pages: PageStore, failures: list[Failure]
) -> list[Failure]:
    """Enter the attempts on files that will be tried again in the ledger.

    Args:
        catalog: The catalog with the ledger.
        pages: The pages, after each file was looked up in them.
        failures: The failures to extract, as far as they are known.

    Returns:
        The failures; the message of each that will be tried again tells the number of
        attempts and the time of the next one.
    """
    if not pages.has_retries:
        return failures
    by_id = {failure.id: failure for failure in failures}
    for document in catalog.iter_documents():
        for file in document.files:
            failed_id = f"{document.id}#{file.key}"
            retry = pages.get_retry(file)
            if retry and failed_id in by_id:
                failure = by_id[failed_id] = _add_attempts(by_id[failed_id], retry)
                catalog.put_failure(document.source, failure)
    return [by_id[failure.id] for failure in failures]


def _add_attempts(failure: Failure, retry: Retry) -> Failure:
    message = _ATTEMPTS.sub("", failure.message)
    tried = "once" if retry.attempts == 1 else f"{retry.attempts} times"
    due = "" if retry.attempts == 1 else f"after {retry.due:%Y-%m-%d %H:%M} UTC "
    is_error = failure.error == ExtractError.__name__
    return replace(
        failure,
        message=f"{message} Tried {tried}; the next run {due}tries again.",
        error=TransientExtractError.__name__ if is_error else failure.error,
    )
