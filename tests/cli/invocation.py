"""A call of ``dunegpt`` in this process, and the papers it is asked about."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

Write = Callable[[str], Path]
FACT = "The drift field of the far detector is 475 V/cm."
QUESTION = "What is the drift field of the far detector?"
LIST = """
[[document]]
id = "LTS-0001"
version = 1
title = "Field [note] :100: of $1"
files = ["v1.txt"]
[[document]]
id = "LTS-0001"
version = 2
title = "Field [note] :100: of $1"
authors = ["Ada Okonjo"]
date = 2024-02-29
status = "approved"
files = ["v2.txt"]
[[document]]
id = "SEC-0002"
title = "Secret wombats"
access = ["papers:lar"]
files = ["secret.txt"]
"""


class Result:
    """What a call of ``dunegpt`` left behind."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err

    def read(self, shape: Any) -> Any:
        return shape.model_validate_json(self.out)


Run = Callable[..., Result]
