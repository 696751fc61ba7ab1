"""Decides what may be sent to a model server, by the server's ``may_read``."""

from dunegpt.access import PUBLIC
from dunegpt.llm_settings import LLMSettings
from dunegpt.types import Document, Hit


def may_send_hit(hit: Hit, table: LLMSettings) -> bool:
    """Return whether a passage, with its document's title, may be sent to a server."""
    return may_send_file(hit.document, hit.passage.file_key, table)


def may_send_file(document: Document, key: str, table: LLMSettings) -> bool:
    """Return whether what stands in a file of a document may be sent to a server."""
    file = next(f for f in document.files if f.key == key)
    allowed = {*table.may_read, PUBLIC}
    opens = document.access & allowed and file.access & allowed
    return "*" in allowed or bool(opens)
