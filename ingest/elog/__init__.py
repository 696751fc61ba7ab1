"""Electronic logbooks as a source."""
