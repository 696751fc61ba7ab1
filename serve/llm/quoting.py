"""Quotes text in a prompt so that a model cannot take it for structure."""

import re

from dunegpt.text.patterns import compile_re

_CONTROL_TOKEN = compile_re(
    r"<\|[^\n<>]{0,40}?\|?>|<\uff5c[^\n<>]{0,40}>|\[/?(?:INST|SYS|AVAILABLE_TOOLS|TOOL_\w+)\]"
    r"|<<\s*/?SYS\s*>>|</?(?:s|bos|eos|pad|unk|think|thinking|system|user|assistant"
    r"|tool_call|tool_response|tools?|function_calls?|start_of_turn|end_of_turn|eot)>",
    re.IGNORECASE,
)
_CITATION_MARK = compile_re(r"\[(\d{1,3}(?:\s*[,;\u2013-]\s*\d{1,3})*)\]")


def sanitize(text: str) -> str:
    """Return a text that neither a chat template nor a model takes for structure.

    Control tokens (``<|im_start|>``, ``[INST]``, ``</think>``) are taken apart: a
    server's tokenizer would read them as such. Numbers in brackets become round, since
    only ours number passages.
    """
    text = _CONTROL_TOKEN.sub(
        lambda match: re.sub(r"[<>|\[\]{}]+", " ", match[0]), text
    )
    return _CITATION_MARK.sub(r"(\1)", text)
