"""HTML: what is hidden, lists, notes, tables, formulas, and markup in plain text."""
