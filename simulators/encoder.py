"""A tiny untrained encoder for tests, with 16 dimensions.

Only the exported model folder is replaced: real onnxruntime and tokenizers run it.
Texts with similar words get similar vectors.
"""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers

from dunegpt.index.encoder.onnx import EncoderInfo

DIMENSION = 16
LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"


def make_encoder(folder: Path, *, name: str = "tiny", max_tokens: int = 256) -> Path:
    """Write an encoder folder in the format of a snapshot; return it."""
    folder.mkdir(parents=True)
    vocabulary = {"[PAD]": 0, "[UNK]": 1}
    for first in LETTERS:
        for second in LETTERS:
            vocabulary[first + second] = len(vocabulary)
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    cut = Regex(r"(?<=\w\w)\w+")  # keep the first two letters of a word
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Lowercase(), normalizers.Replace(cut, "")]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.save(str(folder / "tokenizer.json"))
    onnx.save(_model(len(vocabulary)), folder / "model.onnx")
    EncoderInfo(id=name, dimension=DIMENSION, max_tokens=max_tokens).write(folder)
    return folder


def _model(size: int) -> onnx.ModelProto:
    """Return a graph that sums one random vector per token."""
    rng = np.random.default_rng(0)
    table = rng.normal(size=(size, DIMENSION)).astype(np.float32)
    nodes = [
        helper.make_node("Gather", ["table", "input_ids"], ["tokens"]),
        helper.make_node("Cast", ["attention_mask"], ["mask"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["mask", "last"], ["weights"]),
        helper.make_node("Mul", ["tokens", "weights"], ["kept"]),
        helper.make_node("ReduceSum", ["kept", "one"], ["vectors"], keepdims=0),
    ]
    ids = [
        helper.make_tensor_value_info(n, TensorProto.INT64, ["batch", "length"])
        for n in ("input_ids", "attention_mask")
    ]
    output = helper.make_tensor_value_info(
        "vectors", TensorProto.FLOAT, ["batch", DIMENSION]
    )
    constants = [
        numpy_helper.from_array(table, "table"),
        numpy_helper.from_array(np.array([2], np.int64), "last"),
        numpy_helper.from_array(np.array([1], np.int64), "one"),
    ]
    graph = helper.make_graph(nodes, "tiny", ids, [output], constants)
    return helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8
    )
