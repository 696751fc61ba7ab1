import copy
import re

import pytest

from dunegpt.text.patterns import compile_re


def test_a_pattern_is_compiled_at_its_first_use(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    compiled: list[str] = []
    compile_now = re.compile

    def record(pattern: str, flags: int = 0) -> re.Pattern[str]:
        compiled.append(pattern)
        return compile_now(pattern, flags)

    monkeypatch.setattr("dunegpt.text.patterns.re.compile", record)
    pattern = compile_re(r"argon-(\d+)", re.IGNORECASE)
    assert pattern.pattern == r"argon-(\d+)"
    assert compiled == []
    assert pattern.findall("Argon-39, ARGON-40") == ["39", "40"]
    assert pattern.findall("argon-42") == ["42"]
    assert pattern.sub(r"\1Ar", "argon-39") == "39Ar"
    assert set(compiled) == {pattern.pattern}


def test_an_invalid_pattern_is_reported_when_it_is_used() -> None:
    pattern = compile_re("(")
    with pytest.raises(re.error):
        pattern.search("text")


def test_a_pattern_can_be_copied() -> None:
    assert copy.deepcopy(compile_re("a+")).fullmatch("aaa")
