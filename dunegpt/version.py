"""The version of the package, repeated in pyproject.toml and CITATION.cff."""

__version__ = "0.1.0"
