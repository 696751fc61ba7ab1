"""Turns off the telemetry of all dependencies before any of them is imported.

``dunegpt/__init__.py`` calls this first, so it applies to the command line, to programs
that import dunegpt, and to child processes, which inherit the environment. Imports only
``os``. See ``docs/security.md`` for the telemetry of each dependency.
"""

from os import environ  # noqa: TID251 - config.py imports pydantic, too late for this

OPT_OUTS = {
    # Read when onnxruntime is imported; disable_telemetry_events() stops neither the
    # files nor the uploads (onnxruntime 1.32).
    "ORT_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "DO_NOT_TRACK": "1",
    "VLLM_NO_USAGE_STATS": "1",
    "RAY_USAGE_STATS_ENABLED": "0",  # vLLM on several hosts
    # LangSmith uses the first of these that is set.
    "LANGSMITH_TRACING_V2": "false",
    "LANGCHAIN_TRACING_V2": "false",
    "LANGSMITH_TRACING": "false",
    "LANGCHAIN_TRACING": "false",
}
"""Environment variables that disable telemetry, and their values."""


def disable_telemetry() -> None:
    """Set all of `OPT_OUTS`, overriding existing values."""
    environ.update(OPT_OUTS)
