"""PDF pages: characters and repairs, lines, tables, figures, scans, annotations."""
