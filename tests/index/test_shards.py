"""A shard that was damaged without changing its size does not get into a snapshot."""

import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dunegpt.config import Settings
from dunegpt.errors import IndexBrokenError
from dunegpt.index.build import build
from dunegpt.index.shards import ShardFolder
from tests.index.corpus import document, fill

TEXTS = ["The drift field is 500 V/cm.", "Purity is 10 ms.", "xyzzy é"]


@pytest.fixture
def shard(settings: Settings) -> Path:
    corpus = [(document(f"n:{n}"), {"a.txt": [text]}) for n, text in enumerate(TEXTS)]
    fill(settings, corpus)
    build(settings)
    [folder] = settings.paths.shards.iterdir()
    return folder


def read(shard: Path) -> dict[str, Any]:
    """Return backend, passages, failures and vectors by key."""
    shards = ShardFolder(shard.parent)
    return {
        entry.key: (
            shards.backends[shard.name],
            entry.passages,
            entry.failures,
            entry.vectors.tobytes(),
            entry.record_vectors.tobytes(),
        )
        for entry in shards.read_entries(sorted(shards.locations))
    }


def flip(path: Path, offset: int, bits: int) -> None:
    content = bytearray(path.read_bytes())
    content[offset] ^= bits
    path.write_bytes(content)


@pytest.mark.slow
def test_every_flipped_byte_is_noticed(shard: Path) -> None:
    expected = read(shard)
    assert len(expected) == len(TEXTS)
    rng = random.Random(1)
    for path in sorted(shard.iterdir()):
        size = path.stat().st_size
        chosen = range(size) if size < 900 else rng.sample(range(size), 300)
        for offset in chosen:
            bits = rng.randrange(1, 256)
            flip(path, offset, bits)
            try:
                assert read(shard) in ({}, expected), "another format counts as none"
            except IndexBrokenError as error:
                assert "dunegpt index --rebuild" in error.hint
            flip(path, offset, bits)
    assert read(shard) == expected


def test_a_flipped_shard_is_not_published(settings: Settings, shard: Path) -> None:
    before = settings.paths.current_snapshot.resolve()
    flip(shard / "vectors.npy", 200, 1)
    with pytest.raises(IndexBrokenError, match="shard"):
        build(settings, repack=True)
    assert settings.paths.current_snapshot.resolve() == before
    assert build(settings, rebuild=True).snapshot == before.name


def test_shards_of_an_older_version(settings: Settings, shard: Path) -> None:
    """They have no hashes: what can be told without is checked."""
    expected = read(shard)
    header = json.loads((shard / "shard.json").read_text())
    del header["files"], header["digest"]
    (shard / "shard.json").write_text(json.dumps(header))
    assert read(shard) == expected
    assert not build(settings).published
    assert build(settings, repack=True).embedded == 0
    vectors = np.load(shard / "vectors.npy")
    vectors[0, 0] = 28.7
    np.save(shard / "vectors.npy", vectors)
    with pytest.raises(IndexBrokenError, match="unit length"):
        read(shard)
