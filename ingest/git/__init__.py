"""Git repositories as a source."""
