"""Text analysis that both the index and the answers use."""
