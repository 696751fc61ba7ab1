"""Which pictures may be sent to the model that describes figures."""

import pytest

from dunegpt.access import make_access_set
from dunegpt.config import ExtractSettings, Settings
from dunegpt.llm_settings import LLMSettings
from dunegpt.serve.llm.describe import ModelDescriber
from tests.index.corpus import document


@pytest.mark.parametrize(
    ("may_read", "readers", "file_readers", "may"),
    [
        ((), ["public"], ["public"], True),
        ((), ["members"], ["members"], False),
        (("members",), ["members"], ["members"], True),
        (("members",), ["members"], ["board"], False),
        (("members",), [], [], False),
        (("*",), ["board"], ["board"], True),
        (("*",), [], [], False),
        (("*",), ["board"], [], False),
    ],
)
def test_only_what_the_server_may_read(
    may_read: tuple[str, ...], readers: list[str], file_readers: list[str], may: bool
) -> None:
    table = LLMSettings(base_url="http://localhost/v1", model="m", may_read=may_read)
    extract = ExtractSettings(describe_figures="eyes")
    describer = ModelDescriber(Settings(llm={"eyes": table}, extract=extract))
    own = document(
        "n:1",
        access=make_access_set(readers),
        files={"a.pdf": make_access_set(file_readers)},
    )
    assert describer.may_describe(own, "a.pdf") is may
    assert describer.id == "m 1"


def test_the_server_has_to_be_there() -> None:
    with pytest.raises(ValueError, match=r"there is no \[llm.eyes\]"):
        Settings(extract=ExtractSettings(describe_figures="eyes"))
