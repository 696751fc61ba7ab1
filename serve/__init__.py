"""Answers questions from what a search found, and checks what it says."""
