"""Folders that many tests start from: made once, then copied."""

import shutil
from collections.abc import Callable
from pathlib import Path


class MakeOnce:
    """The folders made so far, by name."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __call__(self, name: str, target: Path, make: Callable[[], object]) -> None:
        """Let `make` fill target, or copy what it filled before under that name.

        What is made must not depend on where target lies.
        """
        template = self._folder / name
        if template.exists():
            shutil.copytree(template, target, symlinks=True, dirs_exist_ok=True)
            return
        make()
        shutil.copytree(target, template, symlinks=True)
