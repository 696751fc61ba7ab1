"""E-mails and mailboxes: one page per message, then the pages of its attachments.

All text parts are read, in order; of alternatives the fuller one. Quoted earlier
messages have ``>`` before each line. Attachments, forwarded messages included, are read
as files of the mail, one level deep.
"""

import email
import email.policy
from collections.abc import Iterator
from email.message import EmailMessage

from dunegpt.errors import ExtractError
from dunegpt.ingest.extract.encoding import decode
from dunegpt.ingest.extract.mail.attachments import read_attachments
from dunegpt.ingest.extract.mail.boxes import split_messages
from dunegpt.ingest.extract.mail.parts import get_header, read_message
from dunegpt.ingest.extract.task import ExtractTask
from dunegpt.types import Page

_FIELDS = ("From", "To", "Cc", "Date", "Subject")
_MBOX_TYPE = "application/mbox"


def read_pages(task: ExtractTask) -> Iterator[Page]:
    """Yield a page for each message, followed by those of its attachments."""
    is_box = task.media_type == _MBOX_TYPE
    number = 0
    for position, raw in enumerate(_iter_messages(task, is_box=is_box), start=1):
        message = email.message_from_bytes(raw, policy=email.policy.default)
        if not isinstance(message, EmailMessage):
            raise ExtractError("The message is damaged.")
        body, attachments = read_message(message, task.remark)
        values = {name: get_header(message, name) for name in _FIELDS}
        headers = [f"{name}: {value}" for name, value in values.items() if value]
        if attachments:
            headers.append(f"Attached: {', '.join(each.name for each in attachments)}")
        number += 1
        text = "\n".join([*headers, "", body]).strip()
        label = f"message {position}" if is_box else ""
        yield Page(number, values["Subject"], text, label)
        for page in read_attachments(task, attachments, number):
            number = page.number
            yield page


def _iter_messages(task: ExtractTask, *, is_box: bool) -> Iterator[bytes]:
    if is_box:
        with task.path.open("rb") as box:
            yield from split_messages(box)
        return
    content = task.path.read_bytes()
    wide = content[:2] in {b"\xff\xfe", b"\xfe\xff"} or b"\0" in content[:200]
    yield decode(content).encode() if wide else content
