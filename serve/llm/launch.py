"""Builds the command and the environment that start a model server.

vLLM or llama.cpp, each in an environment of its own: vLLM pins its own torch. The key
goes through the environment, since everybody can read a command line. Starts nothing.
"""

import ipaddress
from pathlib import Path
from urllib.parse import urlsplit

from dunegpt.config import Settings, make_child_environment
from dunegpt.errors import ConfigError
from dunegpt.llm_settings import LLMSettings, ServeSettings
from dunegpt.telemetry import OPT_OUTS

_LLAMA_CPP = Path(__file__).with_name("llama_cpp.py")
_REASONING_PARSERS = {
    "deepseek-r1": "deepseek_r1", "qwq": "deepseek_r1", "qwen3": "qwen3",
    "gpt-oss": "openai_gptoss", "magistral": "mistral", "glm-4.5": "glm45",
    "granite-3.2": "granite", "hunyuan-a13b": "hunyuan_a13b",
}  # fmt: skip
"""By a part of the model's name. Source: vLLM 0.32, ``vllm/reasoning``."""
_CPU_VARIABLES = {
    "VLLM_CPU_KVCACHE_SPACE": "2",  # GB
    # Pinning its threads to cores fails where a container has only some of them.
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",
}


def build_command(name: str, settings: Settings) -> tuple[list[str], dict[str, str]]:
    """Return the command that starts a server, and its environment.

    Raises:
        ConfigError: The settings do not say how, or others could use the server.
    """
    table = settings.llm[name]
    serve = table.serve
    if serve is None:
        raise ConfigError(
            f"There is no [llm.{name}.serve]: nothing says how to start it.",
            hint="Run 'dunegpt config' for an example, or 'make llm'.",
        )
    key = settings.read_model_key(name)
    host, port = _parse_address(name, table, key)
    python = settings.resolve_path(serve.environment) / "bin" / "python"
    if not python.is_file():
        raise ConfigError(
            f"[llm.{name}.serve] environment: there is no {python}.",
            hint="Run 'make llm', or install vLLM in an environment and name it.",
        )
    weights = (
        str(settings.resolve_path(serve.weights)) if serve.weights else table.model
    )
    if serve.program == "llama.cpp":
        own = [str(_LLAMA_CPP), "--slots", str(table.at_once)]
    else:
        own = [
            "-m",
            "vllm.entrypoints.openai.api_server",
            *_build_vllm_arguments(table, serve),
        ]
    line = [str(python), *own, "--model", weights, "--served-model-name", table.model]
    line += ["--host", host, "--port", str(port)]
    line += ["--max-model-len", str(table.context_tokens), *serve.arguments]
    return line, _build_environment(serve, key)


def _build_vllm_arguments(table: LLMSettings, serve: ServeSettings) -> list[str]:
    caching = "--enable-prefix-caching"
    line = [caching if serve.prefix_caching else caching.replace("--", "--no-")]
    line.append("--enable-prompt-tokens-details")  # how much of it was cached
    if parser := find_reasoning_parser(table.model):
        line += ["--reasoning-parser", parser]
    if not serve.gpus:
        # Compiling takes two minutes more at each start; the processor gains little.
        return [*line, "--enforce-eager", "--dtype", "bfloat16"]
    return [
        *line,
        "--tensor-parallel-size",
        str(serve.gpus),
        "--gpu-memory-utilization",
        str(serve.gpu_memory),
    ]


def find_reasoning_parser(model: str) -> str:
    """Return vLLM's name of the parser that a model's thoughts need; empty for none.

    >>> find_reasoning_parser("Qwen/Qwen3-8B")
    'qwen3'
    """
    name = model.casefold()
    matches = (p for part, p in _REASONING_PARSERS.items() if part in name)
    return "" if "instruct-25" in name else next(matches, "")


def _build_environment(serve: ServeSettings, key: str) -> dict[str, str]:
    more = dict(OPT_OUTS)
    if serve.weights:
        more["HF_HUB_OFFLINE"] = "1"
    if key:
        more |= {"VLLM_API_KEY": key, "LLAMA_API_KEY": key}
    given = make_child_environment()
    if not serve.gpus:
        more |= {k: v for k, v in _CPU_VARIABLES.items() if k not in given}
    return make_child_environment(**more)


def _parse_address(name: str, table: LLMSettings, key: str) -> tuple[str, int]:
    """Return host and port of a server.

    Raises:
        ConfigError: Its address names no port of this machine's, or is open to others
            without a key.
    """
    try:
        address = urlsplit(table.base_url)
        host, port = address.hostname, address.port
    except ValueError as error:
        raise ConfigError(f"[llm.{name}] base_url: {error}") from error
    if address.scheme != "http" or not host or not port:
        raise ConfigError(
            f"[llm.{name}] base_url: {table.base_url} is not http://HOST:PORT/v1."
        )
    if not key and not _is_loopback(host):
        raise ConfigError(
            f"[llm.{name}] has no key, and whoever reaches {host} could use it.",
            hint="Name a secret with api_key_env or api_key_file.",
        )
    return host, port


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
