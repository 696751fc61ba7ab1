"""Mail: every part is read, and earlier messages are told from the reply."""

# ruff: noqa: RUF001 - the signs are the subject

import io
from email.message import EmailMessage
from pathlib import Path

import olefile
import pytest

from dunegpt.ingest.extract.formats import outlook
from dunegpt.ingest.extract.mail.quotes import mark_quotes
from tests.ingest.extract import samples
from tests.ingest.extract.test_extract import Reader, make_pdf


@pytest.fixture
def read(tmp_path: Path) -> Reader:
    return Reader(tmp_path)


def message(subject: str, body: str, **parts: str) -> EmailMessage:
    """Return a message; its HTML alternative, if any, is `html`."""
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "a@x.test", "b@x.test", subject
    mail.set_content(body)
    if "html" in parts:
        mail.add_alternative(parts["html"], subtype="html")
    return mail


def raw(kind: str, *parts: str) -> bytes:
    """Return a message of these parts, each with its own headers."""
    head = f'Subject: s\nMIME-Version: 1.0\nContent-Type: {kind}; boundary="q"\n\n'
    return (head + "".join(f"--q\n{part}\n" for part in parts) + "--q--\n").encode()


PLAIN, RICH = "Content-Type: text/plain\n\n", "Content-Type: text/html\n\n"


# ── parts ─────────────────────────────────────────────────────────────────────────


def test_every_text_part_is_read(read: Reader) -> None:
    picture = "Content-Type: image/png; name=i.png\nContent-Disposition: inline\n\nx"
    parts = f"{PLAIN}Before.", picture, f"{PLAIN}Torque: 31 N m.", f"{RICH}<p>After."
    [page] = read(raw("multipart/mixed", *parts), "a.eml")
    texts = [line for line in page.text.split("\n") if line]
    assert texts[-3:] == ["Before.", "Torque: 31 N m.", "After."]
    [remark] = read.task.remarks
    assert remark.startswith("i.png: ")


@pytest.mark.parametrize(
    ("plain", "rich", "lines"),
    [
        ("Leak of 10-9 bar", "<p>Leak of 10<sup>-9</sup> bar", ["Leak of 10⁻⁹ bar"]),
        ("The set point is 1.4 bar.", "<p></p>", ["The set point is 1.4 bar."]),
        (
            "One long plain text with the value 7 V",
            "<p>value 7 V",
            ["One long plain text with the value 7 V"],
        ),
        (
            "Please use a reader of HTML.",
            "<p>P is 3 bar",
            ["Please use a reader of HTML.", "P is 3 bar"],
        ),
    ],
)
def test_the_fuller_alternative_is_read(
    read: Reader, plain: str, rich: str, lines: list[str]
) -> None:
    content = raw("multipart/alternative", PLAIN + plain, RICH + rich)
    [page] = read(content, "a.eml")
    assert [line for line in page.text.split("\n") if line][1:] == lines


def test_attachments_are_files_of_the_mail(read: Reader) -> None:
    mail = message("Pump", "See below.")
    mail.add_attachment("P4 stopped after 90 h.\n", filename="log.txt")
    pdf = make_pdf("The flow is 12 L/min.", "The second page.")
    mail.add_attachment(pdf, maintype="application", subtype="pdf", filename="r.pdf")
    first, *rest = read(bytes(mail), "a.eml")
    assert "Attached: log.txt, r.pdf" in first.text
    assert [(p.number, p.label, p.text) for p in rest] == [
        (2, "log.txt, line 1", "P4 stopped after 90 h."),
        (3, "r.pdf, page 1", "The flow is 12 L/min."),
        (4, "r.pdf, page 2", "The second page."),
    ]
    assert set(read.task.made_with) >= {"mail", "text", "pdf"}


def test_an_attachment_that_cannot_be_read_is_in_the_ledger(read: Reader) -> None:
    mail = message("x", "See below.")
    data = {"maintype": "application", "subtype": "octet-stream"}
    mail.add_attachment(b"7z\0\1" * 20, filename="a.7z", **data)  # type: ignore[arg-type]
    mail.add_attachment(make_pdf("x", password="y"), filename="b.pdf", **data)  # type: ignore[arg-type]
    [page] = read(bytes(mail), "a.eml")
    assert "Attached: a.7z, b.pdf" in page.text
    assert read.task.remarks == [
        "a.7z: Files of the type application/octet-stream cannot be read.",
        "b.pdf: The PDF is encrypted with a password.",
    ]


def test_a_forwarded_message_is_read(read: Reader) -> None:
    deepest = message("Deep", "d")
    deepest.add_attachment("e", filename="deep.txt")
    inner = message("Quote", "The lid costs 61 kCHF.")
    inner.add_attachment("serial 17", filename="part.txt")
    inner.add_attachment(deepest)
    outer = message("Fwd: Quote", "As discussed.")
    outer.add_attachment(inner)
    pages = read(bytes(outer), "a.eml")
    assert "The lid costs 61 kCHF." in pages[1].text
    assert pages[1].heading == "Quote.eml > Quote"
    assert pages[2].text == "serial 17"
    [remark] = read.task.remarks
    assert remark.endswith("deep.txt: attached to a mail within a mail, not read.")


def test_what_is_encrypted_is_in_the_ledger(read: Reader) -> None:
    version = "Content-Type: application/pgp-encrypted\n\nVersion: 1"
    [page] = read(raw("multipart/encrypted", version), "a.eml")
    assert page.text == "Subject: s"
    assert read.task.remarks == ["The message is encrypted."]


@pytest.mark.parametrize("charset", ["utf-8", "us-ascii", "iso-8859-1", "no-such"])
def test_a_wrong_charset_does_not_spoil_a_mail(read: Reader, charset: str) -> None:
    head = f"Subject: s\nContent-Type: text/plain; charset={charset}\n\n".encode()
    for encoding in ("utf-8", "cp1252"):
        [page] = read(head + "Größe: 5 µm – gut".encode(encoding), "a.eml")
        assert page.text.endswith("Größe: 5 µm – gut")


# ── invitations ───────────────────────────────────────────────────────────────────

ICS = (
    "BEGIN:VCALENDAR\r\nMETHOD:{0}\r\nBEGIN:VTIMEZONE\r\nTZID:Europe/Paris\r\n"
    "DTSTART:19700101T000000\r\nEND:VTIMEZONE\r\nBEGIN:VEVENT\r\nSUMMARY:Review of the"
    " cold\r\n  box\\, part 2\r\nDTSTART;TZID=Europe/Paris:20240613T093000\r\n"
    'DTEND:20240613T100000Z\r\nLOCATION:Hall 4\r\nORGANIZER;CN="Li, M.":mailto:m@x.test'
    "\r\nDESCRIPTION:Bring 3 plots.\\nBe there.\r\nBEGIN:VALARM\r\nDESCRIPTION:ring\r\n"
    "END:VALARM\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
)
LINES = [
    "Review of the cold box, part 2",
    "Start: 2024-06-13 09:30 (Europe/Paris)",
    "End: 2024-06-13 10:00 UTC",
    "Location: Hall 4",
    "Organizer: Li, M. <m@x.test>",
    "Bring 3 plots.",
    "Be there.",
]


def test_an_invitation_is_read_once(read: Reader) -> None:
    ics = ICS.format("REQUEST").replace("\r\n", "\n")
    calendar = f"Content-Type: text/calendar; method=REQUEST\n\n{ics}"
    file = f"Content-Type: application/ics; name=invite.ics\n\n{ics}"
    [page] = read(raw("multipart/mixed", f"{PLAIN}Join us.", calendar, file), "a.eml")
    lines = page.text.split("\n")
    assert lines[-len(LINES) :] == [f"Invitation: {LINES[0]}", *LINES[1:]]
    assert "Join us." in lines
    assert read.task.remarks == []


def test_a_calendar_file_has_a_page_for_each_event(read: Reader) -> None:
    second = "BEGIN:VEVENT\nSUMMARY:Shift\nDTSTART;VALUE=DATE:20240701\nEND:VEVENT\n"
    content = ICS.format("CANCEL").replace("END:VCALENDAR", second + "END:VCALENDAR")
    pages = read(content.encode(), "plan.ics")
    assert [page.heading for page in pages] == [LINES[0], "Shift"]
    assert pages[0].text.split("\n")[:2] == [LINES[0], "Status: cancelled"]
    assert "Start: 2024-07-01" in pages[1].text
    assert "\nring" not in pages[0].text
    assert read.type(content.encode(), "plan", "text/plain") == "text/calendar"


# ── mailboxes ─────────────────────────────────────────────────────────────────────


def test_a_sentence_does_not_end_a_message(read: Reader) -> None:
    one, two = (
        f"From {who} Fri Jun 28 10:00:00 2024\nFrom: {who}\nSubject: {who}\n"
        "Date: Fri, 28 Jun 2024 10:00:00 +0000\n\n"
        for who in ("ada@x.test", "bo at x.test")
    )
    body = (
        "We ran twice.\n\nFrom now on the field is 390 V/cm.\n\n"
        "From Monday June 3 at 10:00 of 2024 it is 400 V/cm.\n>From my notes: 410.\n\n"
    )
    pages = read((one + body + two + "Fine.\n").encode(), "list.mbox")
    assert [(p.heading, p.label) for p in pages] == [
        ("ada@x.test", "message 1"),
        ("bo at x.test", "message 2"),
    ]
    assert pages[0].text.endswith(body.replace(">From", "From").strip())
    assert pages[1].text.endswith("\n\nFine.")


def test_attachments_of_a_mailbox(read: Reader) -> None:
    mail = message("one", "See it.")
    mail.add_attachment("31 bar", filename="v.txt")
    line = b"From a@x.test Fri Jun 28 10:00:00 2024\n"
    box = line + bytes(mail) + b"\n" + line + bytes(message("two", "Next."))
    pages = read(box, "a.mbox")
    assert [(p.number, p.label) for p in pages] == [
        (1, "message 1"),
        (2, "v.txt, line 1"),
        (3, "message 2"),
    ]


# ── Outlook ───────────────────────────────────────────────────────────────────────


class Compound:
    """An OLE file with these streams, by path."""

    def __init__(self, streams: dict[str, str | bytes]) -> None:
        self.streams = {
            tuple(f"__substg1.0_{p}" if p[0] != "_" else p for p in path.split("/")): s
            for path, s in streams.items()
        }

    def __enter__(self) -> "Compound":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def listdir(self) -> list[list[str]]:
        return [list(path) for path in self.streams]

    def exists(self, path: list[str]) -> bool:
        return tuple(path) in self.streams

    def openstream(self, path: list[str]) -> io.BytesIO:
        content = self.streams[tuple(path)]
        is_text = isinstance(content, str)
        return io.BytesIO(content.encode("utf-16-le") if is_text else content)  # type: ignore[union-attr, arg-type]


def test_an_outlook_message(read: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = "__attach_version1.0_#00000000", "__attach_version1.0_#00000001"
    streams: dict[str, str | bytes] = {
        "0037001F": "Flow",
        "10130102": b"<p>10<sup>-7</sup> bar</p><blockquote>Is it?</blockquote>",
        f"{one}/3707001F": "values.txt",
        f"{one}/37010102": b"P4 at 31 bar",
        f"{two}/3001001F": "Quote",
        f"{two}/3701000D/0037001F": "Price",
        f"{two}/3701000D/1000001F": "The lid costs 61 kCHF.",
        f"{two}/3701000D/__attach_version1.0_#00000000/3707001F": "deep.txt",
    }
    monkeypatch.setattr(olefile, "OleFileIO", lambda path: Compound(streams))
    pages = list(outlook.read_pages(read.task))
    assert pages[0].text.split("\n")[:4] == [
        "Subject: Flow",
        "Attached: values.txt, Quote.eml",
        "",
        "10⁻⁷ bar",
    ]
    assert "> Is it?" in pages[0].text
    assert pages[1].text == "P4 at 31 bar"
    assert pages[2].text == "Subject: Price\n\nThe lid costs 61 kCHF."
    assert read.task.remarks == ["Quote: its attachments are not read."]


# ── quoted messages ───────────────────────────────────────────────────────────────

EARLIER = "Raise the flow to 25 L/min from Monday on, please."


@pytest.mark.parametrize(
    "text",
    [
        f"No, 18 L/min.\n\n> {EARLIER}",
        f"No, 18 L/min.\n\nOn Mon, 3 Jun 2024 at 10:00 Li wrote:\n> {EARLIER}",
        f"No, 18 L/min.\n\nOn Mon, 3 Jun 2024, Li Ming\n<l@x.test> wrote:\n\n{EARLIER}",
        f"No, 18 L/min.\n\nAm 03.06.24 um 10:00 schrieb Li Ming:\n\n{EARLIER}",
        f"No, 18 L/min.\n\n-----Original Message-----\nFrom: Li\nTo: Bo\n\n{EARLIER}",
        "No, 18 L/min.\n\nFrom: Li\nSent: Monday\nTo: Bo\nSubject: Flow\n\n" + EARLIER,
        "No, 18 L/min.\n\n________________________________\nVon: Li\nGesendet: Montag\n"
        f"An: Bo\nBetreff: Fluss\n\n{EARLIER}",
        f"No, 18 L/min.\n\nBegin forwarded message:\nFrom: Li\nDate: Mon\n\n{EARLIER}",
    ],
)
def test_an_earlier_message_is_marked(text: str) -> None:
    lines = mark_quotes(text).split("\n")
    assert lines[0] == "No, 18 L/min."
    assert f"> {EARLIER}" in lines
    assert EARLIER not in lines


def test_own_words_are_not_marked() -> None:
    text = (
        "From: the tank to: the pump.\nOn Monday we wrote:\nthe flow is 18 L/min.\n"
        "Date: 3 June\nx > 5 and y < 3"
    )
    assert mark_quotes(text) == text


def test_levels_and_wrapped_lines_of_quotes() -> None:
    text = (
        "Yes.\n> I propose to raise the flow of the chiller in the north\n> hall to 25"
        " L/min.\n>\n> > It was 18 L/min.\n> - one point of the list that is quite long"
        " here\n> - two\n"
    )
    assert mark_quotes(text).split("\n") == [
        "Yes.",
        "> I propose to raise the flow of the chiller in the north hall to 25 L/min.",
        "",
        ">> It was 18 L/min.",
        "> - one point of the list that is quite long here",
        "> - two",
        "",
    ]


def test_quotes_of_html_mails(read: Reader) -> None:
    rich = (
        "<div>No, 18 L/min.</div><blockquote type=cite><div>Raise it to 25?</div>"
        "<blockquote>It was 18.</blockquote></blockquote><p>Bye</p>"
    )
    [page] = read(raw("multipart/mixed", RICH + rich), "a.eml")
    lines = [line for line in page.text.split("\n") if line][1:]
    assert lines == ["No, 18 L/min.", "> Raise it to 25?", ">> It was 18.", "Bye"]
    outlook = (
        "<p>No, 18 L/min.</p><div><p><b>From:</b> Li<br><b>Sent:</b> Monday<br>"
        "<b>To:</b> Bo<br><b>Subject:</b> Flow</p></div><p>Raise it to 25?</p>"
    )
    [page] = read(raw("multipart/mixed", RICH + outlook), "a.eml")
    lines = [line for line in page.text.split("\n") if line][1:]
    assert lines[0] == "No, 18 L/min."
    assert lines[1:] == [
        "> From: Li",
        "> Sent: Monday",
        "> To: Bo",
        "> Subject: Flow",
        "> Raise it to 25?",
    ]


def test_flowed_text_is_joined(read: Reader) -> None:
    part = "Content-Type: text/plain; format=flowed\n\nThe flow \nis 18 \nL/min.\nYes."
    [page] = read(raw("multipart/mixed", part), "a.eml")
    assert page.text.endswith("The flow is 18 L/min.\nYes.")


@pytest.mark.slow
def test_pictures_in_archives_count_once(read: Reader) -> None:
    """What a member used of the budget of pictures is not counted again."""
    names = {f"p{n}_dot_png": samples.picture(size=(40, 40)) for n in range(4)}
    with pytest.raises(Exception, match="No page has any text"):
        read(samples.zipped(**names), "a.zip")
    assert read.task.images_read <= len(names)


@pytest.mark.parametrize("encoding", ["cp1252", "utf-8"])
def test_headers_in_an_undeclared_encoding(read: Reader, encoding: str) -> None:
    mail = "From: J\xf6rg <j@x.test>\nSubject: Gr\xf6\xdfe:\n 5 \xb5m\n\nDraht"
    [page] = read(mail.encode(encoding), "a.eml")
    assert page.heading == "Gr\xf6\xdfe: 5 \xb5m"
    assert "From: J\xf6rg <j@x.test>" in page.text
