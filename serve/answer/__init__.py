"""Answers: from retrieved passages to a stream of checked, cited sentences."""
