"""The encoder: order, length, cutting, damaged folders."""

from pathlib import Path

import numpy as np
import pytest

from dunegpt.errors import IndexBrokenError
from dunegpt.index.encoder.onnx import FILES, Encoder, EncoderInfo
from simulators.encoder import DIMENSION, make_encoder

TEXTS = ["argon " * 40, "purity", "the drift field", "", "argon", "q " * 300, "zz yy"]


def test_documents_keep_their_order_whatever_the_batch(tiny_encoder: Path) -> None:
    encoder = Encoder(tiny_encoder)
    one_by_one = np.concatenate([encoder.embed_documents([text]) for text in TEXTS])
    for size in (1, 2, 16):
        together = encoder.embed_documents(TEXTS, batch_size=size)
        assert together.dtype == np.float32
        np.testing.assert_allclose(together, one_by_one, rtol=0, atol=1e-5)


def test_rows_have_unit_length(tiny_encoder: Path) -> None:
    encoder = Encoder(tiny_encoder)
    for vectors in (
        encoder.embed_documents(TEXTS[:3]),
        encoder.embed_queries(TEXTS[:3]),
    ):
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


def test_nothing_gives_no_rows(tiny_encoder: Path) -> None:
    encoder = Encoder(tiny_encoder)
    assert (
        encoder.embed_documents([]).shape
        == encoder.embed_queries([]).shape
        == (0, DIMENSION)
    )


def test_count_is_not_cut(tiny_encoder: Path) -> None:
    assert Encoder(tiny_encoder).count_tokens("argon " * 1000) == 1000


def test_text_is_cut_at_the_longest_input(tmp_path: Path) -> None:
    encoder = Encoder(make_encoder(tmp_path / "short", max_tokens=4))
    cut, whole = encoder.embed_documents(["aa bb cc dd ee ff", "aa bb cc dd"])
    np.testing.assert_allclose(cut, whole, atol=1e-5)


def test_prompts_stand_in_front(tmp_path: Path) -> None:
    folder = make_encoder(tmp_path / "prompted")
    EncoderInfo("tiny", DIMENSION, 256, "query: ", "passage: ").write(folder)
    prompted, plain = Encoder(folder), Encoder(make_encoder(tmp_path / "plain"))
    np.testing.assert_allclose(
        prompted.embed_queries(["argon"]),
        plain.embed_queries(["query: argon"]),
        atol=1e-5,
    )
    np.testing.assert_allclose(
        prompted.embed_documents(["argon"]),
        plain.embed_documents(["passage: argon"]),
        atol=1e-5,
    )


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("content", [None, b"", b"{}", b"\0" * 100])
def test_damaged_folder(tmp_path: Path, name: str, content: bytes | None) -> None:
    folder = make_encoder(tmp_path / "tiny")
    (folder / name).unlink()
    if content is not None:
        (folder / name).write_bytes(content)
    with pytest.raises(IndexBrokenError, match="tiny"):
        Encoder(folder).embed_queries(["argon"])
