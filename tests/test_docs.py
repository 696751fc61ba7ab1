"""The documentation: commands run as shown, links resolve, references are complete."""

import importlib.util
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
EXAMPLE = (ROOT / "dunegpt" / "example.toml").read_text("utf-8")
PAGES = sorted(
    [
        *ROOT.glob("*.md"),
        *(page for page in DOCS.rglob("*.md") if page.parent.name != "decisions"),
    ]
)
DECISIONS = sorted((DOCS / "decisions").glob("*.md"))

# The pages whose commands are run, in this order; other pages have no unmarked ones.
# The first three set up their shell themselves, as a reader does.
OWN_SHELL = ("README.md", "docs/quickstart.md", "docs/install.md")
RUN = (
    *OWN_SHELL,
    "docs/filters-and-follow-ups.md",
    "docs/snapshots.md",
    "docs/sources/index.md",
)
PAPERS = ("note-level-meter.pdf", "procedure-hv-trip.pdf")
README_LINES = 180


@dataclass(frozen=True)
class Block:
    """A fenced block of commands.

    Attributes:
        not_run: Why it is not run; empty if it is.
        commands: Each with the output that the page shows.
        code: Exit code of each command.
    """

    place: str
    not_run: str
    code: int
    commands: tuple[tuple[str, str], ...]


BLOCK = re.compile(
    r"(?P<marks>(?:^<!-- .*? -->\n)*)^```(?P<kind>console|sh|shell|bash)\n"
    r"(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)


def blocks_of(page: Path) -> Iterator[Block]:
    text = page.read_text("utf-8")
    for match in BLOCK.finditer(text):
        line = text.count("\n", 0, match.start("text"))
        not_run = re.search(r"<!-- not run: (.+) -->", match["marks"])
        code = re.search(r"<!-- exit code: (\d+) -->", match["marks"])
        if match["kind"] == "console":
            parts = re.split(r"^\$ ", match["text"], flags=re.MULTILINE)
            assert not parts[0], f"{page}:{line}: output before the first command"
            commands = [part.partition("\n")[::2] for part in parts[1:]]
        else:
            commands = [(command, "") for command in match["text"].splitlines()]
        yield Block(
            place=f"{page.relative_to(ROOT)}:{line}",
            not_run=not_run[1] if not_run else "",
            code=int(code[1]) if code else 0,
            commands=tuple(commands),
        )


def differs(shown: str, printed: str) -> bool:
    """Tell whether an output is another than shown; ``...`` stands for anything."""
    pattern = ""
    for line in shown.rstrip("\n").split("\n"):
        if line == "...":
            pattern += r"(?:.*\n)*?"
        else:
            pattern += re.escape(line).replace(r"\.\.\.", ".*") + r"\n"
    return not re.fullmatch(pattern, printed.strip("\n") + "\n")


def load_script(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# ── Commands ──────────────────────────────────────────────────────────────────────────


class Shell:
    """A shell in a folder with the examples; it remembers variables, as a terminal."""

    def __init__(self, folder: Path) -> None:
        self.clone, home = folder / "clone", folder / "home"
        self._state = folder / "state"
        programs = self.clone / ".venv" / "bin"
        for path in (programs, home / "papers"):
            path.mkdir(parents=True)
        shutil.copytree(ROOT / "examples", self.clone / "examples")
        program = programs / "dunegpt"
        program.write_text(
            f"#!/bin/sh\nPYTHONPATH={shlex.quote(str(ROOT))} exec"
            f' {shlex.quote(sys.executable)} -m dunegpt "$@"\n',
            encoding="utf-8",
        )
        program.chmod(0o755)
        self._variables = {
            "HOME": str(home),
            "LANG": "C.UTF-8",
            "COLUMNS": "100",
            "PATH": f"{programs}:{os.environ['PATH']}",
        }
        self.forget_variables()

    def forget_variables(self, **variables: str) -> None:
        """Begin as a new terminal does."""
        self._state.write_text(
            "".join(
                f"export {name}={shlex.quote(value)}\n"
                for name, value in (self._variables | variables).items()
            ),
            encoding="utf-8",
        )

    def set_always(self, **variables: str) -> None:
        self._variables |= variables

    def run(self, command: str) -> tuple[int, str]:
        state = shlex.quote(str(self._state))
        script = f". {state}\n{command}\ncode=$?\nexport -p > {state}\nexit $code"
        done = subprocess.run(
            ["env", "-i", "bash", "-c", script],
            cwd=self.clone,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            timeout=900,
            check=False,
        )
        return done.returncode, done.stdout


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """Give a shell in which the steps of ``make demo`` have been done.

    The encoder is exported once, by asking a folder, and is used from there on.
    """
    shell = Shell(tmp_path / "shell")
    script = [sys.executable, "examples/make_documents.py", "demo/documents"]
    subprocess.run(script, cwd=shell.clone, check=True, timeout=300)
    papers = tmp_path / "shell" / "home" / "papers"
    for name in PAPERS:
        content = (shell.clone / "demo" / "documents" / name).read_bytes()
        (papers / name).write_bytes(content)
    code, printed = shell.run('dunegpt ask --folder ~/papers "liquid argon"')
    assert code == 0, printed
    (encoder,) = tmp_path.glob("shell/home/.cache/dunegpt/folders/*/encoders/*")
    shell.set_always(DUNEGPT_EMBED__MODEL=str(encoder))
    shell.forget_variables(DUNEGPT_CONFIG="examples/dunegpt.toml")
    for command in ("dunegpt crawl", "dunegpt index"):
        code, printed = shell.run(command)
        assert code == 0, printed
    return shell


@pytest.mark.slow
@pytest.mark.model
def test_commands_run_as_shown(shell: Shell) -> None:
    failures = []
    for name in RUN:
        settings = (
            {} if name in OWN_SHELL else {"DUNEGPT_CONFIG": "examples/dunegpt.toml"}
        )
        shell.forget_variables(**settings)
        ran = 0
        for block in blocks_of(ROOT / name):
            if block.not_run:
                continue
            for command, shown in block.commands:
                code, printed = shell.run(command)
                ran += 1
                if code != block.code:
                    failures.append(f"{block.place}: exit {code}: {command}\n{printed}")
                elif shown and differs(shown, printed):
                    failures.append(f"{block.place}: {command}\n{printed}")
        assert ran, f"nothing of {name} was run"
    assert not failures, "\n\n".join(failures)
    assert_replay_is_the_same(shell)


def assert_replay_is_the_same(shell: Shell) -> None:
    """Do what docs/receipts.md shows with an id that it cannot know."""
    shell.forget_variables(DUNEGPT_CONFIG="examples/dunegpt.toml")
    _, printed = shell.run('dunegpt ask "What is LTS-0007 about?"')
    receipt = re.search(r"^Receipt (\w{10})$", printed, re.MULTILINE)
    assert receipt, printed
    code, printed = shell.run(f"dunegpt replay {receipt[1]}")
    assert (code, printed.splitlines()[-1]) == (0, "The same.")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_command_is_run_or_says_why_not(page: Path) -> None:
    blocks = list(blocks_of(page))
    if str(page.relative_to(ROOT)) not in RUN:
        unmarked = [block.place for block in blocks if not block.not_run]
        assert not unmarked, "run this page's commands, or mark them as not run"
    for block in blocks:
        assert block.commands, block.place
        assert not (block.not_run and block.code), f"{block.place}: both marks"


@pytest.mark.parametrize(
    ("shown", "printed", "expected"),
    [
        ("a\n", "a\n", False),
        ("a\n", "b\n", True),
        ("a\n", "a\nb\n", True),
        ("a\n...\n", "a\n", False),
        ("a\n...\nz\n", "a\nb\n\nz\n", False),
        ("a\n...\nz\n", "a\nb\n", True),
        ("Receipt ...\n", "Receipt 12\n", False),
        ("Receipt ...\n", "Receipt 12\nmore\n", True),
        ("x.y\n", "xzy\n", True),
    ],
)
def test_output_is_compared(shown: str, printed: str, expected: bool) -> None:
    assert differs(shown, printed) is expected


def test_marks_and_commands_are_found(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(sys.modules[__name__], "ROOT", tmp_path)
    page = tmp_path / "page.md"
    page.write_text(
        "<!-- not run: needs a GPU -->\n```console\n$ a\n```\n"
        "<!-- exit code: 3 -->\n```console\n$ b # why\nshown\n$ c\n```\n"
        "```sh\nd && e\n```\n"
        "```toml\nf = 1\n```\n",
        encoding="utf-8",
    )
    assert list(blocks_of(page)) == [
        Block("page.md:2", "needs a GPU", 0, (("a", ""),)),
        Block("page.md:6", "", 3, (("b # why", "shown\n"), ("c", ""))),
        Block("page.md:11", "", 0, (("d && e", ""),)),
    ]


# ── Links ─────────────────────────────────────────────────────────────────────────────

# Written later: each leaves this list when it is there.
LINK = re.compile(r"\[[^\]\[]*(?:\[[^\]]*\])?[^\]\[]*\]\(([^()\s]+)\)")


def prose_of(page: Path) -> str:
    """Return a page's text without its blocks and pieces of code."""
    text = re.sub(r"^```.*?^```$", "", page.read_text("utf-8"), flags=re.M | re.S)
    return re.sub(r"`[^`\n]*`", "`", text)


def anchors_of(page: Path) -> set[str]:
    """Return the anchors that GitHub makes of a page's headings."""
    text = re.sub(r"^```.*?^```$", "", page.read_text("utf-8"), flags=re.M | re.S)
    anchors: set[str] = set()
    for heading in re.findall(r"^#+ (.+)$", text, re.MULTILINE):
        bare = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).casefold()
        anchor = re.sub(r"[^\w\- ]", "", bare).replace(" ", "-")
        number = 0
        while (name := anchor if not number else f"{anchor}-{number}") in anchors:
            number += 1
        anchors.add(name)
    return anchors


@pytest.mark.parametrize(
    "page", [*PAGES, *DECISIONS], ids=lambda page: str(page.relative_to(ROOT))
)
def test_relative_links_resolve(page: Path) -> None:
    broken = []
    for link in LINK.findall(prose_of(page)):
        path, _, anchor = link.partition("#")
        if re.match(r"[a-z]+:", link):
            continue
        target = (page.parent / path).resolve() if path else page
        exists = target.exists() and target.is_relative_to(ROOT)
        if not exists or (anchor and anchor not in anchors_of(target)):
            broken.append(link)
    assert not broken


def test_the_index_lists_every_page() -> None:
    links = LINK.findall(prose_of(DOCS / "index.md"))
    listed = {(DOCS / link.partition("#")[0]).resolve() for link in links}
    pages = {page for page in PAGES if page.is_relative_to(DOCS)}
    assert pages - listed == {DOCS / "index.md"}


def test_code_names_existing_pages() -> None:
    folders = ("dunegpt", "ingest", "index", "serve", "slackbot", "web", "benchmarks")
    missing = []
    for folder in folders:
        for file in (ROOT / folder).rglob("*"):
            if file.suffix in {".py", ".toml"} and file.is_file():
                for name in re.findall(r"docs/[\w./-]+\.md", file.read_text("utf-8")):
                    if not (ROOT / name).is_file():
                        missing.append(f"{file.relative_to(ROOT)}: {name}")
    assert not missing


PATH = re.compile(
    r"`((?:dunegpt|ingest|index|serve|slackbot|web|tests|benchmarks|examples|docs)"
    r"/[\w./-]*)`"
)


@pytest.mark.parametrize(
    "page", [*PAGES, *DECISIONS], ids=lambda page: str(page.relative_to(ROOT))
)
def test_paths_of_the_code_exist(page: Path) -> None:
    found = PATH.findall(page.read_text("utf-8"))
    names = {name for name in found if "NAME" not in name}
    assert not {name for name in names if not (ROOT / name).exists()}


# ── Contents ──────────────────────────────────────────────────────────────────────────


def test_the_readme_is_short() -> None:
    lines = (ROOT / "README.md").read_text("utf-8").splitlines()
    assert len(lines) <= README_LINES


def test_the_command_reference_is_up_to_date() -> None:
    script = load_script(DOCS / "write_cli.py")
    assert (DOCS / "cli.md").read_text("utf-8") == script.write_page(), (
        "run: python docs/write_cli.py"
    )


def test_the_command_reference_is_complete() -> None:
    script = load_script(DOCS / "write_cli.py")
    text = (DOCS / "cli.md").read_text("utf-8")
    commands = dict(script.commands())
    assert {"ask", "crawl", "snapshot push", "llm check"} <= set(commands)
    for name, command in commands.items():
        section = text.partition(f"\n## dunegpt {name}\n")[2].partition("\n## ")[0]
        assert section, name
        options = {
            option
            for parameter in command.params
            for option in (*parameter.opts, *parameter.secondary_opts)
            if option.startswith("-") and option not in {"--help", "-h"}
        }
        assert options <= set(re.findall(r"(?<![\w-])--?[a-z][\w-]*", section)), name


def keys_of(table: dict[str, Any]) -> Iterator[str]:
    for key, value in table.items():
        yield key
        for inner in value if isinstance(value, list) else [value]:
            if isinstance(inner, dict):
                yield from keys_of(inner)


def settings_of_the_example(keep: Callable[[str], bool]) -> dict[str, Any]:
    """Return the settings of the example with what is commented out."""
    lines = []
    for line in EXAMPLE.splitlines():
        bare = re.sub(r"^# (?=\[|[a-z_\"]+ = |run = )", "", line)
        if not bare.startswith("#"):
            lines.append(bare)
    settings = tomllib.loads("\n".join(lines))
    return {key: value for key, value in settings.items() if keep(key)}


def test_every_key_of_the_settings_is_documented() -> None:
    settings = settings_of_the_example(lambda key: key not in {"sources", "llm"})
    (server,) = settings_of_the_example(lambda key: key == "llm")["llm"].values()
    text = (DOCS / "configuration.md").read_text("utf-8")
    keys = {*keys_of(settings), *keys_of(server)}
    documented = set(re.findall(r"[\w.]+", " ".join(re.findall(r"`([^`]+)`", text))))
    assert len(keys) > 50
    assert not keys - documented


def test_every_key_of_a_source_is_on_its_page() -> None:
    sources = settings_of_the_example(lambda key: key == "sources")["sources"]
    assert {table["type"] for table in sources.values()} == {
        page.stem for page in (DOCS / "sources").glob("*.md") if page.stem != "index"
    }
    text = (DOCS / "configuration.md").read_text("utf-8")
    for table in sources.values():
        kind = table["type"]
        keys = set(keys_of(table))
        if "runs_columns" in table:
            keys -= set(table["runs_columns"])
        page = (DOCS / "sources" / f"{kind}.md").read_text("utf-8")
        assert not {key for key in keys if not re.search(rf"\b{key}\b", page)}, kind
        (row,) = re.findall(rf"^\| \[`{kind}`\].*$", text, re.MULTILINE)
        assert not {key for key in keys - {"type"} if f"`{key}`" not in row}, kind
