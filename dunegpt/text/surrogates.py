"""Text that came from a shell or a model and may not be valid Unicode."""


def replace_surrogates(text: str) -> str:
    r"""Return a text that UTF-8 can encode: lone surrogates become ``?``.

    >>> replace_surrogates("a\udcffb")
    'a?b'
    """
    return text.encode("utf-8", "replace").decode()
