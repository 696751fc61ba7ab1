"""Query understanding: follow-ups, filters, dates and the expected answer type."""
