"""Tells the quoted earlier messages of a mail from its own words.

Each line of a quoted message begins with ``>`` in the text, one for each message in
between, however the mail program marked it: by signs, by the header of the earlier
message, or by a line that says who wrote. Quoted lines that were wrapped are joined.
"""

import re

_SIGNS = re.compile(r"(?: ?>)+ ?")
_FROM = r"From|Von|De|Da|Van|Od|Fra|Från"
_REST = (
    r"Sent|Date|To|Subject|Cc|Gesendet|Datum|An|Betreff|Envoyé|À|A|Objet|Inviato|Data"
    r"|Oggetto|Enviado(?: el)?|Fecha|Para|Asunto|Verzonden|Aan|Onderwerp|Wysłano|Do"
    r"|Temat|Sendt|Til|Emne|Skickat|Till|Ämne|Reply-To|Importance"
)
_HEADER_START = re.compile(rf"\W{{0,2}}(?:{_FROM})\W{{0,2}}:\W{{0,2}}\s*\S", re.I)
_HEADER_LINE = re.compile(rf"\W{{0,2}}(?:{_FROM}|{_REST})\W{{0,2}}:", re.I)
_DIVIDER = re.compile(
    r"\s*(?:-{2,}|_{2,}|\*{2,})\s*(?:original|forwarded|ursprüngliche|weitergeleitete"
    r"|message|nachricht|messaggio|mensaje|mensagem|wiadomość|oprindelig|oorspronkelijk"
    r"|début|inicio)\b.{0,40}?(?:-{2,}|_{2,}|\*{2,})\s*$"
    r"|\s*begin forwarded message\s*:\s*$",
    re.I,
)
_WROTE = re.compile(
    r"\s*(?:On|Le|Am|Il|El|Em|Op|W dniu|Den|Dne)\b(?=.*\d).{5,250}?"
    r"\b(?:wrote|a écrit|schrieb"
    r"|ha scritto|escribió|escreveu|schreef|napisał(?:\(a\))?|skrev|napsal(?:\(a\))?)\b"
    r".{0,100}:\s*$",
    re.I | re.S,
)
_BULLET = re.compile(r"\s|[-*•\u2013|+#=]|\(?\w{1,3}[.)]\s")
_WRAPPED_LENGTH = 50
_HEADER_LINES = 6

Line = tuple[int, str]


def mark_quotes(text: str, *, is_flowed: bool = False, is_wrapped: bool = True) -> str:
    """Return the text of a mail with ``>`` before each line of an earlier message.

    Args:
        text: The text, with line feeds.
        is_flowed: Whether a line that ends with a space goes on (RFC 3676).
        is_wrapped: Whether lines were wrapped at some width.
    """
    lines = [_split_signs(line) for line in text.split("\n")]
    if is_flowed:
        lines = _join_flowed(lines)
    lines = _mark_unsigned(lines)
    if is_wrapped:
        lines = _join_wrapped(lines)
    return "\n".join(
        f"{'>' * depth} {line}".rstrip() if depth and line.strip() else line
        for depth, line in lines
    )


def _split_signs(line: str) -> Line:
    """Return how often a line is quoted, and the line."""
    match = _SIGNS.match(line)
    return (match[0].count(">"), line[match.end() :]) if match else (0, line)


def _mark_unsigned(lines: list[Line]) -> list[Line]:
    """Return the lines with those after the head of an earlier message quoted."""
    made, added = list[Line](), 0
    for at, (depth, line) in enumerate(lines):
        if _begins_message(lines, at):
            added += 1
        made.append((depth + added, line))
        if not depth and _is_attribution(lines, at):
            added += 1
    return made


def _begins_message(lines: list[Line], at: int) -> bool:
    """Return whether the header of an earlier message begins with a line."""
    depth, line = lines[at]
    if _DIVIDER.match(line):
        return True
    if not _HEADER_START.match(line) or _follows_divider(lines, at):
        return False
    following = [
        own for own in lines[at + 1 : at + 2 * _HEADER_LINES] if own[1].strip()
    ]
    head = following[:_HEADER_LINES]
    known = sum(d == depth and bool(_HEADER_LINE.match(own)) for d, own in head[:3])
    return known >= 2


def _follows_divider(lines: list[Line], at: int) -> bool:
    above = [line for _, line in lines[max(at - 3, 0) : at] if line.strip()]
    return bool(above) and bool(_DIVIDER.match(above[-1]))


def _is_attribution(lines: list[Line], at: int) -> bool:
    """Return whether a line says who wrote what follows without any sign."""
    depth, line = lines[at]
    above = lines[at - 1][1] if at and lines[at - 1][0] == depth else ""
    if not line.rstrip().endswith(":"):
        return False
    if not (_WROTE.match(line) or _WROTE.match(f"{above} {line}")):
        return False
    following = next((own for own in lines[at + 1 :] if own[1].strip()), (1, ""))
    return following[0] == depth


def _join_flowed(lines: list[Line]) -> list[Line]:
    made = list[Line]()
    for depth, line in lines:
        goes_on = made and made[-1][0] == depth and made[-1][1].endswith(" ")
        if goes_on and made[-1][1].strip() != "--":
            made[-1] = depth, made[-1][1] + line.removeprefix(" ")
        else:
            made.append((depth, line))
    return made


def _join_wrapped(lines: list[Line]) -> list[Line]:
    """Return quoted lines with the parts of each paragraph on one line."""
    made, last = list[Line](), ""
    for depth, line in lines:
        if (
            depth
            and made
            and made[-1][0] == depth
            and len(last) >= _WRAPPED_LENGTH
            and line.strip()
            and not _BULLET.match(line)
            and "   " not in line
            and not _HEADER_LINE.match(line)
        ):
            made[-1] = depth, f"{made[-1][1].rstrip()} {line}"
        else:
            made.append((depth, line))
        last = line
    return made
