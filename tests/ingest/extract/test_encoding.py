"""Texts in the encodings of old files, and files of more than one."""

# ruff: noqa: RUF001 - the signs are the subject

import pytest

from dunegpt.errors import ExtractError
from dunegpt.ingest.extract.encoding import decode, decode_as, is_text, repair_text

_CASES = [
    ("cp1252", "Der Fluß beträgt 5 m³/h ± 2 %, „Größe“ – Überdruck."),
    ("cp1252", "La señal bajó; ¿por qué? A 25 °C, 3 µs."),
    ("cp1252", "L’énergie déposée est de 3 µJ."),
    ("cp1252", "Ångström, Sørensen; “quoted” at 5 °C"),
    ("cp1252", "± 3 mm"),
    ("mac_roman", "Überdruck: 5 µm bei 87 °C"),
    ("mac_roman", "L’énergie déposée est de 3 µJ à 87 °C."),
    ("mac_roman", "The “cold” box is at 87 °C – always."),
    ("cp1250", "Měření napětí: teplota činí 87 °C"),
    ("cp1250", "Az árvíztűrő tükörfúrógép"),
    ("cp1250", "Wojciech Świątek, Łódź"),
    ("iso8859_2", "Zażółć gęślą jaźń"),
    ("iso8859_2", "Příliš žluťoučký kůň"),
    ("cp850", "Größe: 5 µm, 87 °C, ±3 mm²"),
    ("cp1254", "Sıcaklık 87 °C, gerilim yüksek"),
    ("cp1251", "Напряжение на катоде 180 кВ."),
    ("koi8-r", "Напряжение на катоде 180 кВ."),
    ("cp1253", "Η τάση της καθόδου είναι 180 kV."),
    ("shift_jis", "電圧は180 kVです。温度は87 Kに保たれています。"),
    ("gb18030", "阴极电压为180 kV，温度保持在87 K。"),
    ("euc_kr", "전압은 180 kV입니다. 온도는 87 K로 유지됩니다."),
    ("utf-16-le", "Drift field 500 V/cm ± 3 µm"),
    ("utf-16-be", "Drift field 500 V/cm ± 3 µm"),
    ("utf-32-le", "Drift field 500 V/cm"),
]  # fmt: skip


@pytest.mark.parametrize(("encoding", "text"), _CASES)
def test_an_encoding_that_nobody_declares(encoding: str, text: str) -> None:
    assert decode(text.encode(encoding)) == text


@pytest.mark.parametrize("bad", [b"caf\xe9", b"5 \xb5m", b"\x96", b"\xff"])
def test_one_bad_byte_does_not_spoil_a_file(bad: bytes) -> None:
    good = "Field 500 V/cm, wire 152 µm, Größe ± 3.\n" * 4
    text = decode(good.encode() + bad)
    assert text.startswith(good)
    assert "\ufffd" not in text
    assert text.removeprefix(good) == bad.decode("cp1252")


def test_lines_of_two_encodings() -> None:
    lines = ["Größe 5 µm ± 2 °C", "Señal de 3 µs"]
    mixed = lines[0].encode() + b"\n" + "\n".join(lines * 4).encode("cp1252")
    assert decode(mixed).split("\n") == [lines[0], *lines * 4]


def test_a_zero_byte_does_not_spoil_a_log() -> None:
    content = "Pump P3 ran at 5 µm for 4100 hours.\n".encode() * 9 + b"\0"
    assert is_text(content)
    assert decode(content).startswith("Pump P3 ran at 5 µm")
    with pytest.raises(ExtractError, match="not text"):
        decode(b"\x7fELF\0\0\1\1" * 20)


@pytest.mark.parametrize(
    ("misread", "text"),
    [
        ("152 Âµm at 87 Â°C", "152 µm at 87 °C"),
        ("GrÃ¶ÃŸe, â€œcoldâ€\x9d, 3â€“5 V", "Größe, “cold”, 3–5 V"),
        ("range 3\x965 V", "range 3–5 V"),
        ("Âge, NÃO, Île, É»", "Âge, NÃO, Île, É»"),
    ],
)
def test_text_that_was_read_wrongly_before(misread: str, text: str) -> None:
    assert repair_text(misread) == text
    assert decode(misread.encode()) == text


@pytest.mark.parametrize(
    ("charset", "content", "text"),
    [
        ("iso-8859-1", "3\u20135 µm".encode("cp1252"), "3–5 µm"),
        ("iso-8859-1", "5 µm".encode(), "5 µm"),
        ("utf-8", "5 µm".encode("cp1252"), "5 µm"),
        ("us-ascii", "87 °C".encode(), "87 °C"),
        ("no-such", "87 °C".encode(), "87 °C"),
        ("iso-8859-2", "Łódź".encode("iso-8859-2"), "Łódź"),
        ("utf-16", "Größe".encode("utf-16"), "Größe"),
    ],
)
def test_a_declared_encoding(charset: str, content: bytes, text: str) -> None:
    assert decode_as(content, charset) == text
