"""DUNE-GPT answers questions from DUNE's documents, with citations.

``from dunegpt import Assistant`` is the Python API; see ``docs/python-api.md``.
"""

from typing import TYPE_CHECKING, Any

from dunegpt.telemetry import disable_telemetry
from dunegpt.version import __version__

if TYPE_CHECKING:
    from dunegpt.serve.assistant import Assistant, Filters

__all__ = ["Assistant", "Filters", "__version__"]

disable_telemetry()  # before anything imports onnxruntime, langchain or huggingface_hub


def __getattr__(name: str) -> Any:
    """Import the Python API on first use, to keep ``dunegpt --help`` fast."""
    if name not in {"Assistant", "Filters"}:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from dunegpt.serve import assistant  # noqa: PLC0415 - start-up time

    return getattr(assistant, name)
