"""File formats, one module each; every module has a ``read_pages`` function."""
