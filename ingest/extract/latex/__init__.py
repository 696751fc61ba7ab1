"""LaTeX source: macros, text, formulas, units, tables."""
