"""How a server is started: its command line, and what must never stand in it."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from dunegpt.config import Settings
from dunegpt.errors import ConfigError
from dunegpt.llm_settings import LLMSettings, ServeSettings
from dunegpt.serve.llm.launch import build_command, find_reasoning_parser
from dunegpt.telemetry import OPT_OUTS

KEY = "s3cret-key"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Give a folder with a key, and an environment whose Python is ours."""
    folder = tmp_path / "own"
    (folder / "vllm" / "bin").mkdir(parents=True)
    (folder / "vllm" / "bin" / "python").symlink_to(sys.executable)
    (folder / "key").write_text(KEY)
    (folder / "key").chmod(0o600)
    return folder


def of(place: Path, serve: dict[str, Any] | None = None, **more: Any) -> Settings:
    keys = {"base_url": "http://127.0.0.1:8000/v1", "model": "Qwen/Qwen3-8B", **more}
    table = ServeSettings(**{"environment": "vllm", **(serve or {})})
    return Settings(llm={"own": LLMSettings(**keys, serve=table)}, config_dir=place)


def options(line: list[str]) -> dict[str, str]:
    """Return the options with their values."""
    pairs = zip(line, [*line[1:], ""], strict=True)
    return {name: value for name, value in pairs if name.startswith("--")}


def test_vllm(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    more = {"gpus": 2, "gpu_memory": 0.5, "arguments": ["--quantization", "fp8"]}
    line, variables = build_command("own", of(place, more, context_tokens=32768))
    assert line[:3] == [
        str(place / "vllm/bin/python"),
        "-m",
        "vllm.entrypoints.openai.api_server",
    ]
    found = options(line)
    flags = {"--enable-prefix-caching", "--enable-prompt-tokens-details"}
    assert flags <= found.keys()
    assert {k: v for k, v in found.items() if k not in flags} == {
        "--model": "Qwen/Qwen3-8B",
        "--served-model-name": "Qwen/Qwen3-8B",
        "--host": "127.0.0.1",
        "--port": "8000",
        "--max-model-len": "32768",
        "--tensor-parallel-size": "2",
        "--gpu-memory-utilization": "0.5",
        "--quantization": "fp8",
        "--reasoning-parser": "qwen3",
    }
    assert variables["PATH"] == os.environ["PATH"]
    assert "HF_HUB_OFFLINE" not in variables
    assert OPT_OUTS.items() <= variables.items()


def test_on_the_processor(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VLLM_CPU_KVCACHE_SPACE", "7")
    serve = {"gpus": 0, "weights": "small", "prefix_caching": False}
    line, variables = build_command("own", of(place, serve))
    found = options(line)
    assert found["--model"] == str(place / "small")
    assert {"--enforce-eager", "--no-enable-prefix-caching"} <= found.keys()
    assert "--tensor-parallel-size" not in found
    assert variables["HF_HUB_OFFLINE"] == "1"
    assert variables["VLLM_CPU_KVCACHE_SPACE"] == "7"  # the person's own


@pytest.mark.parametrize("how", ["file", "variable"])
@pytest.mark.parametrize("program", ["vllm", "llama.cpp"])
def test_the_key_is_on_no_command_line(
    place: Path, how: str, program: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OWN_KEY", KEY)
    more = {"api_key_file": "key"} if how == "file" else {"api_key_env": "OWN_KEY"}
    line, variables = build_command("own", of(place, {"program": program}, **more))
    assert KEY not in " ".join(line)
    assert variables["VLLM_API_KEY"] == variables["LLAMA_API_KEY"] == KEY


@pytest.mark.parametrize(
    ("url", "key", "good"),
    [
        ("http://127.0.0.1:1/v1", False, True),
        ("http://[::1]:1/v1", False, True),
        ("http://localhost:1/v1", False, True),
        ("http://gpu-host:1/v1", True, True),
        ("http://gpu-host:1/v1", False, False),
        ("http://0.0.0.0:1/v1", False, False),
        ("http://127.0.0.1/v1", True, False),
        ("https://127.0.0.1:1/v1", True, False),
        ("http://127.0.0.1:99999/v1", True, False),
    ],
)
def test_nobody_else_can_use_it(place: Path, url: str, key: bool, good: bool) -> None:
    mine = of(place, base_url=url, api_key_file="key" if key else "")
    if good:
        assert build_command("own", mine)
        return
    with pytest.raises(ConfigError, match="own"):
        build_command("own", mine)


def test_what_is_missing_is_said(place: Path) -> None:
    with pytest.raises(ConfigError, match="nowhere") as caught:
        build_command("own", of(place, {"environment": "nowhere"}))
    assert "make llm" in caught.value.hint
    bare = LLMSettings(base_url="http://127.0.0.1:1/v1", model="x")
    with pytest.raises(ConfigError, match=r"llm\.own\.serve"):
        build_command("own", Settings(llm={"own": bare}))


def test_llama_cpp_gets_what_it_needs(place: Path, tmp_path: Path) -> None:
    """Its starter runs with a stand-in for xllamacpp, and ends at a signal."""
    (tmp_path / "xllamacpp.py").write_text(
        "from types import SimpleNamespace as S\n"
        "def CommonParams():\n    return S(model=S(), cpuparams=S())\n"
        "def Server(params):\n    print(vars(params), flush=True)\n"
    )
    more = {"api_key_file": "key", "at_once": 3, "context_tokens": 2048}
    serve = {"program": "llama.cpp", "weights": "m.gguf", "arguments": ["--threads=2"]}
    line, variables = build_command("own", of(place, serve, **more))
    child = subprocess.Popen(
        line,
        env={**variables, "PYTHONPATH": str(tmp_path)},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdout is not None
    said = child.stdout.readline()
    child.send_signal(signal.SIGTERM)
    child.stdout.close()
    assert child.wait(30) == 0
    for part in (
        f"path={str(place / 'm.gguf')!r}",
        "'n_ctx': 6144",
        f"'api_keys': [{KEY!r}]",
        "n_threads=2",
        "'port': 8000",
    ):
        assert part in said


@pytest.mark.parametrize(
    ("model", "parser"),
    [
        ("deepseek-ai/DeepSeek-R1-Distill-Llama-70B", "deepseek_r1"),
        ("openai/gpt-oss-120b", "openai_gptoss"),
        ("Qwen/Qwen3-30B-A3B-Instruct-2507", ""),
        ("meta-llama/Llama-3.3-70B-Instruct", ""),
    ],
)
def test_models_that_think_have_their_parser(model: str, parser: str) -> None:
    assert find_reasoning_parser(model) == parser
