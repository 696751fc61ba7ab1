"""Code, links, identifiers and names that must stand in the source."""

import pytest

from dunegpt.text import literals

SOURCE = (
    "Reboot the crate with `crate-ctl --slot 3 -f` on np04-srv-001.cern.ch, then look"
    " in /var/log/daq/run.log and edit protodune_main.fcl. Marek Nowak wrote"
    " PDSPTPCRawDecoder::produce and set_rate(); see https://a.test/x?y=1. The run is"
    " DUNE-doc-12345-v3."
)


def code(sentence: str) -> list[str]:
    return list(literals.find_missing_code(sentence, SOURCE))


@pytest.mark.parametrize(
    "sentence",
    [
        "Use `crate-ctl --slot 3 -f`.",
        "The flag is --slot, or -f.",
        "Look in /var/log/daq/run.log (on np04-srv-001.cern.ch).",
        "Edit protodune_main.fcl.",
        "Call PDSPTPCRawDecoder::produce or set_rate().",
        "The and/or of V/cm is 3 - 4.",
    ],
)
def test_code_that_stands_there(sentence: str) -> None:
    assert code(sentence) == []


@pytest.mark.parametrize(
    ("sentence", "gone"),
    [
        ("Use `crate-ctl --slot 4`.", "crate-ctl --slot 4"),
        ("Use the flag -b.", "-b"),
        ("Use --slots.", "--slots"),
        ("Look in /var/log/run.log.", "/var/log/run.log"),
        ("Log in on np04-srv-002.cern.ch.", "np04-srv-002.cern.ch"),
        ("Edit protodune.fcl.", "protodune.fcl"),
        ("Call set_rates().", "set_rates()"),
        ("Call PDSPTPCRawDecoder::reset.", "PDSPTPCRawDecoder::reset"),
        ("Edit Protodune_Main.fcl.", "Protodune_Main.fcl"),
        ("Then `boot`.", "boot"),
    ],
)
def test_code_that_does_not(sentence: str, gone: str) -> None:
    assert gone in code(sentence)


def names(sentence: str, known: str = "") -> list[str]:
    return list(literals.find_missing_names(sentence, SOURCE, known))


def test_names() -> None:
    assert names("It was Marek Nowak, in May.") == []
    assert names("Nowak's decoder is there. Reading it helps.") == []
    assert names("It was Marek Novak.") == ["Novak"]
    assert names("It is at CERN and at SLAC.") == ["SLAC"]  # np04-srv-001.cern.ch
    assert names("It is at SLAC.", known="Is it at SLAC?") == []
    assert names("Ingrid Halvorsen wrote it.") == ["Ingrid", "Halvorsen"]


def test_addresses_and_identifiers() -> None:
    assert (
        list(literals.find_missing_addresses("See https://a.test/x?y=1.", SOURCE)) == []
    )
    gone = list(literals.find_missing_addresses("See https://a.test/x?y=2.", SOURCE))
    assert gone == ["https://a.test/x?y=2"]
    assert list(literals.find_missing_identifiers("DUNE-doc-12345-v3", SOURCE)) == []
    assert list(literals.find_missing_identifiers("DUNE-doc-12345-v4", SOURCE))
