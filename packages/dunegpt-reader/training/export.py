"""Exports a trained reader to ONNX with int8 weights, and checks what that changes."""

import hashlib
import json
import logging
import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import torch
from groups import Group
from model import Reader, encode, score
from onnxruntime.quantization import QuantType, quantize_dynamic

INPUTS = ("input_ids", "attention_mask", "token_type_ids")


def export_reader(
    model: Reader,
    tokenizer: Any,
    folder: Path,
    facts: dict[str, Any],
    check: Sequence[Group],
) -> float:
    """Write ``model.onnx``, ``tokenizer.json`` and ``reader.json``.

    Args:
        model: The trained reader.
        tokenizer: Of the model.
        folder: To write to.
        facts: How it was trained, for ``reader.json``.
        check: Groups to compare the logits on.

    Returns:
        The rank correlation of the logits before and after, on the groups.
    """
    model.float().eval()
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary:
        plain = Path(temporary) / "plain.onnx"
        _export(model, plain)
        quantize_dynamic(
            plain,
            folder / "model.onnx",
            weight_type=QuantType.QInt8,
            per_channel=True,
        )
    tokenizer.backend_tokenizer.save(str(folder / "tokenizer.json"))
    digest = hashlib.sha256((folder / "model.onnx").read_bytes()).hexdigest()
    told = json.dumps(facts | {"model_sha256": digest}, indent=1, sort_keys=True)
    (folder / "reader.json").write_text(told + "\n", "utf-8")
    return compare(model, tokenizer, folder, check)


def _export(model: Reader, path: Path) -> None:
    batch, length = torch.export.Dim("batch"), torch.export.Dim("length")
    shape = {0: batch, 1: length}
    # With an all-ones mask, the exporter would optimize masking away.
    tokens, mask = torch.full((2, 16), 7), torch.ones((2, 16), dtype=torch.int64)
    mask[1, 8:] = 0
    types = torch.zeros((2, 16), dtype=torch.int64)
    types[:, 6:] = 1
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            model,
            (tokens, mask, types),
            str(path),
            input_names=list(INPUTS),
            output_names=["logits"],
            dynamic_shapes=dict.fromkeys(INPUTS, shape),
            external_data=False,
            verbose=False,
        )


def compare(
    model: Reader, tokenizer: Any, folder: Path, groups: Sequence[Group]
) -> float:
    """Return the correlation of the logits of the model and of its export."""
    session = onnxruntime.InferenceSession(folder / "model.onnx")
    exported, own = list[float](), list[float]()
    for group, logits in zip(groups, score(model, tokenizer, groups), strict=True):
        feeds = {name: encode(tokenizer, [group])[name].numpy() for name in INPUTS}
        exported += session.run(None, feeds)[0][:, 0].tolist()
        own += logits
    return float(np.corrcoef(exported, own)[0, 1])
