"""Words that are added to passages: from groups, and from the same file's acronyms."""

from pathlib import Path

import pytest

from dunegpt.config import load_settings
from dunegpt.errors import ConfigError
from dunegpt.index.synonyms import Synonyms, find_acronyms
from dunegpt.text.analyzer import tokenize

SMALL = Synonyms([["cryostat", "vessel"], ["cosmic ray tagger", "CRT"]])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The cryostats are cold.", "vessel"),
        ("A vessel.", "cryostat"),
        ("The cryostat vessel", ""),
        ("the cosmic-ray tagger", "CRT"),
        ("CRT panels", "cosmic ray tagger"),
        ("CRT ray", "cosmic tagger"),
        ("a ray of cosmic tagger", ""),
        ("Nothing of it.", ""),
        ("", ""),
    ],
)
def test_groups(text: str, expected: str) -> None:
    assert SMALL.find_expansions([text]) == [expected]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("the anode plane assembly (APA) hangs", [("APA", "anode plane assembly")]),
        ("a Time-of-Flight (TOF) wall", [("TOF", "Time of Flight")]),
        ("a gas of argon (GA)", [("GA", "gas of argon")]),
        ("data acquisition (DAQ)", []),
        ("see the figure (FIG)", []),
        ("(APA)", []),
        ("for information technology (IT)", [("IT", "information technology")]),
        ("as in Smith (Sm)", []),
    ],
)  # fmt: skip
def test_definitions(text: str, expected: list[tuple[str, str]]) -> None:
    assert list(find_acronyms(text)) == expected


def test_what_a_file_defines_holds_in_all_of_it_and_nowhere_else() -> None:
    texts = ["An APA is big.", "The anode plane assembly (APA).", "No APAs here: IT."]
    assert SMALL.find_expansions(texts)[0] == "anode plane assembly"
    assert SMALL.find_expansions(texts)[1] == ""
    assert SMALL.find_expansions([texts[0]]) == [""]
    assert SMALL.find_expansions(["information technology (IT) is it"]) == [""]


def test_groups_that_come_with_us() -> None:
    ours = Synonyms.read()
    [more] = ours.find_expansions(["The ASICs sit in the cryostat."])
    assert {"vessel", "chip"} <= set(tokenize(more))
    assert ours.id == Synonyms.read().id != SMALL.id


def test_own_groups_replace_them(tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_text('groups = [["quoll", "quokka"]]\n', encoding="utf-8")
    own = Synonyms.read(path)
    assert own.find_expansions(["a quoll in the cryostat"]) == ["quokka"]
    assert load_settings(index={"synonyms": str(path)}).index.synonyms == str(path)


@pytest.mark.parametrize(
    "content",
    [
        None,
        "groups = [",
        'groups = [["one"]]',
        'groups = [["a", "the"]]',
        "groups = 3",
        "",
        'group = [["a1", "b1"]]',
    ],
)
def test_what_is_no_list(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "own.toml"
    if content is not None:
        path.write_text(content, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        Synonyms.read(path)
    assert str(path) in str(caught.value)
