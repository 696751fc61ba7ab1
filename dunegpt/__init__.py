"""DUNE-GPT: answers questions from DUNE's documents, with citations."""

__version__ = "0.1.0"
