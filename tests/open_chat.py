"""Keeps a ``dunegpt chat`` with a model server open: for `test_telemetry`.

    python -m tests.open_chat CONFIG SECONDS QUESTION...

Imports nothing of dunegpt, since that would turn telemetry off for the chat, too.
"""

import subprocess
import sys
import time
from pathlib import Path

from simulators.llm.openai_server import fake_model


def main() -> None:
    """Ask the questions, spread over the time, then end the chat; print its output."""
    config, seconds, *questions = sys.argv[1:]
    with fake_model(["The drift field is 475 V/cm [1]."]) as model:
        table = f'\n[llm.a]\nbase_url = "{model.url}"\nmodel = "fake"\n'
        own = Path(config).with_name("chat.toml")
        own.write_text(Path(config).read_text() + table)
        line = [sys.executable, "-m", "dunegpt", "--config", str(own), "chat"]
        with subprocess.Popen(line, stdin=subprocess.PIPE, text=True) as chat:
            assert chat.stdin is not None
            for question in questions:
                chat.stdin.write(f"{question}\n")
                chat.stdin.flush()
                time.sleep(float(seconds) / len(questions))
            chat.stdin.close()
        told = f"exit code {chat.returncode}, {len(model.requests)} requests"
        sys.stdout.write(f"{told}\n")
    sys.exit(chat.returncode)


if __name__ == "__main__":
    main()
