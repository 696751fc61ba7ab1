"""Runs llama.cpp's server, as a program in an environment that has xllamacpp alone.

Imports nothing of DUNE-GPT. Takes the options of vLLM that it knows too; the key is in
``LLAMA_API_KEY``.
"""

import argparse
import os
import signal


def main() -> None:
    """Serve one model until a signal ends it."""
    import xllamacpp  # noqa: PLC0415 - only there where this runs

    parser = argparse.ArgumentParser()
    for name in ("model", "served-model-name", "host"):
        parser.add_argument(f"--{name}", required=True)
    for name in ("port", "max-model-len", "slots"):
        parser.add_argument(f"--{name}", type=int, required=True)
    parser.add_argument("--threads", type=int, default=0)
    given = parser.parse_args()
    key = os.environ.get("LLAMA_API_KEY", "")  # noqa: TID251 - not our process
    stop = {signal.SIGINT, signal.SIGTERM}
    signal.pthread_sigmask(signal.SIG_BLOCK, stop)  # before its threads begin
    params = xllamacpp.CommonParams()
    params.model.path = given.model
    params.model_alias = {given.served_model_name}
    params.hostnames, params.port = [given.host], given.port
    params.n_parallel = given.slots
    params.n_ctx = given.max_model_len * given.slots  # it divides them
    params.api_keys = [key] if key else []
    params.warmup = False
    # What it remembers of a prompt gives other last bits than reading it anew, and then
    # other words: the same prompt must have the same answer.
    params.cache_prompt, params.cache_ram_mib = False, 0
    if given.threads:
        params.cpuparams.n_threads = given.threads
    server = xllamacpp.Server(params)
    signal.sigwait(stop)
    del server


if __name__ == "__main__":
    main()
