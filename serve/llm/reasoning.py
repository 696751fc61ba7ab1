"""Removes a model's reasoning from its answer.

Servers that are started with a reasoning parser do this themselves; others send the
thoughts as text: between ``<think>`` and ``</think>`` (Qwen3, DeepSeek-R1, QwQ), with
the first mark in the prompt and so missing, or in the channel ``analysis`` of gpt-oss.
"""

import re
from collections.abc import Iterator

from dunegpt.text.patterns import compile_re

_OPENING = compile_re(
    r"<(think|thinking|reasoning|thought)>|<\|channel\|>(?:analysis|commentary)[^<]*<\|message\|>"
    r"|\[THINK\]",
    re.IGNORECASE,
)
_CLOSING = compile_re(
    r"</(?:think|thinking|reasoning|thought)>|<\|channel\|>final<\|message\|>|\[/THINK\]",
    re.IGNORECASE,
)
_TOKEN = compile_re(r"<\|[a-z_]{2,20}\|>(?:assistant\b)?", re.IGNORECASE)
_BEGUN_TAG = compile_re(
    r"(?:<[^<>\s]{0,40}|\[/?T[A-Z]{0,5}|<\|channel\|>[^<]{0,40}(?:<[^>]{0,12})?)$"
)

FORGET = "\x00"
"""What was yielded before is a thought, too: its opening mark was in the prompt."""


def strip_reasoning(pieces: Iterator[str]) -> Iterator[str]:
    """Yield what a model writes, without its thoughts.

    Where thoughts end whose beginning was not marked, `FORGET` is yielded.
    """
    text, thinks = "", False
    for piece in pieces:
        text += piece
        while True:
            if thinks:
                closing = _CLOSING.search(text)
                if closing is None:
                    text = text[-60:]
                    break
                text, thinks = text[closing.end() :], False
                continue
            opening, closing = _OPENING.search(text), _CLOSING.search(text)
            if closing and (opening is None or closing.start() < opening.start()):
                yield FORGET
                text = text[closing.end() :]
            elif opening:
                yield from filter(None, [text[: opening.start()]])
                text, thinks = text[opening.end() :], True
            else:
                break
        if not thinks:
            held = _BEGUN_TAG.search(text)
            ready = text[: held.start()] if held else text
            text = text[len(ready) :]
            yield from filter(None, [_TOKEN.sub("", ready)])
    if not thinks:
        yield from filter(None, [_TOKEN.sub("", text)])
