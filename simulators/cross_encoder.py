"""Tiny cross-encoder models for tests: the logits of a pair are sums over its words."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Tokenizer, models, pre_tokenizers, processors

_SPECIAL = ("[PAD]", "[UNK]", "[SEP]")


def make_pair_model(folder: Path, words: Mapping[str, Sequence[float]]) -> Path:
    """Write an ONNX model whose logits are the sums of the values of a pair's words.

    Args:
        folder: Folder to create.
        words: One value per label for each word; all other words count 0.
    """
    folder.mkdir()
    labels = len(next(iter(words.values())))
    vocabulary = {word: n for n, word in enumerate((*_SPECIAL, *words))}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="$A", pair="$A [SEP] $B:1", special_tokens=[("[SEP]", 2)]
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    table = np.zeros((len(vocabulary), labels), np.float32)
    table[len(_SPECIAL) :] = list(words.values())
    nodes = [
        helper.make_node("Gather", ["table", "input_ids"], ["values"]),
        helper.make_node("ReduceSum", ["values", "one"], ["logits"], keepdims=0),
    ]
    graph = helper.make_graph(
        nodes,
        "pairs",
        [helper.make_tensor_value_info("input_ids", TensorProto.INT64, ["n", "m"])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", labels])],
        [
            numpy_helper.from_array(table, "table"),
            numpy_helper.from_array(np.array([1], np.int64), "one"),
        ],
    )
    opset = [helper.make_opsetid("", 17)]
    model = helper.make_model(graph, opset_imports=opset, ir_version=8)
    onnx.save(model, folder / "model.onnx")
    return folder
