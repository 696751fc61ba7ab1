"""Office documents: Open XML and older packages, text, tables, figures, workbooks."""
