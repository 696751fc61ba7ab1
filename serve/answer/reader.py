"""The reader: a small cross-encoder that tells whether a sentence answers a question.

It is in a package of its own, ``dunegpt-reader`` (``packages/dunegpt-reader``), or in
the folder that ``[answer] reader`` names. Without it, the other features decide.
"""

from collections.abc import Sequence
from functools import cache, cached_property
from importlib.util import find_spec
from pathlib import Path

from dunegpt.config import Settings
from dunegpt.errors import ConfigError
from dunegpt.index.encoder.cross_encoder import CrossEncoder
from dunegpt.serve.answer.candidates import Candidate

PACKAGE = "dunegpt_reader"
_HINT = (
    "[answer] reader names a folder with model.onnx and tokenizer.json, or is"
    ' "none"; "auto" takes the package dunegpt-reader if it is installed.'
)
_BATCH = 4


class Reader:
    """A reader; its model is loaded when it reads first."""

    def __init__(self, folder: Path) -> None:
        """Open a reader.

        Raises:
            ConfigError: The folder holds no model.
        """
        self._folder = folder
        if not (folder / "model.onnx").is_file():
            message = f"The reader has no {folder / 'model.onnx'}."
            raise ConfigError(message, hint=_HINT)

    @cached_property
    def _model(self) -> CrossEncoder:
        model = CrossEncoder(self._folder, "reader", _HINT)
        model.validate(1)
        return model

    def read(self, question: str, candidates: Sequence[Candidate]) -> list[float]:
        """Return the logit of each candidate, in order.

        Raises:
            ConfigError: The model is damaged, or has not one logit.
            IndexBrokenError: The model fails.
        """
        texts = [candidate.with_context for candidate in candidates]
        order = sorted(range(len(texts)), key=lambda n: len(texts[n]))
        logits = [0.0] * len(texts)
        for start in range(0, len(order), _BATCH):
            places = order[start : start + _BATCH]
            pairs = [(question, texts[n]) for n in places]
            own = self._model.compute_logits(pairs)[:, 0].tolist()
            for place, logit in zip(places, own, strict=True):
                logits[place] = logit
        return logits


def find_reader(settings: Settings) -> Reader | None:
    """Return the reader that the settings name, or None.

    Raises:
        ConfigError: A reader is named and cannot be loaded.
    """
    named = settings.answer.reader
    if named == "none":
        return None
    if named != "auto":
        return _open(Path(named))
    spec = find_spec(PACKAGE)
    return _open(Path(str(spec.origin)).parent) if spec and spec.origin else None


@cache
def _open(folder: Path) -> Reader:
    return Reader(folder)
