"""Crawls the document systems and turns what they hold into pages and passages."""
