"""Settings: where they come from, and what is refused."""

import tomllib
from pathlib import Path

import pytest

from dunegpt.config import Settings, load_settings, read_example, read_secret
from dunegpt.errors import ConfigError
from dunegpt.ingest.elog import source as elog
from dunegpt.ingest.git import source as git


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "settings" / "dunegpt.toml"


def written(file: Path, text: str) -> Path:
    file.parent.mkdir(exist_ok=True)
    file.write_text(text, encoding="utf-8")
    return file


def test_precedence(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(
        file, 'contact = "file"\n[embed]\nmodel = "file"\nprecision = "fp32"\n'
    )
    assert load_settings(path).embed.model == "file"
    monkeypatch.setenv("DUNEGPT_EMBED__MODEL", "environment")
    monkeypatch.setenv("DUNEGPT_CONTACT", "environment")
    found = load_settings(path)
    assert (found.embed.model, found.contact) == ("environment", "environment")
    assert found.embed.precision == "fp32"  # of the same table, from the file
    found = load_settings(path, contact="argument", embed={"model": "argument"})
    assert (found.embed.model, found.contact) == ("argument", "argument")
    assert found.embed.precision == "fp32"


def test_which_file(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_settings().contact == ""
    Path("dunegpt.toml").write_text('contact = "here"')
    assert load_settings().contact == "here"
    monkeypatch.setenv("DUNEGPT_CONFIG", str(written(file, 'contact = "named"')))
    assert load_settings().contact == "named"
    assert load_settings(Path("dunegpt.toml")).contact == "here"


@pytest.mark.parametrize("how", ["argument", "variable"])
def test_named_file_must_be_there(how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DUNEGPT_CONFIG", "nowhere.toml" if how == "variable" else "")
    with pytest.raises(ConfigError, match=r"nowhere\.toml"):
        load_settings(Path("nowhere.toml") if how == "argument" else None)


def test_relative_paths_start_at_the_file(file: Path) -> None:
    found = load_settings(written(file, 'data_dir = "../kept"'))
    assert found.data == file.parent.parent / "kept"
    assert found.resolve_path("papers") == file.parent / "papers"
    assert found.resolve_path("/x/../y") == Path("/y")
    assert found.resolve_path("~/papers") == Path.home() / "papers"
    assert load_settings().data == Path.cwd() / "dunegpt-data"


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("contactt = 1", "contactt"),
        ("[embed]\nmodle = 'x'", "embed.modle"),
        ("[index]\npassage_tokens = 7", "index.passage_tokens"),
        ("[index]\npassage_tokens = 'many'", "index.passage_tokens"),
        ("[embed]\nprecision = 'fp8'", "embed.precision"),
        ("[extract]\ntimeout_s = 0", "extract.timeout_s"),
        ("[sources.papers]\npath = 'x'", "sources.papers.type"),
        ("sources = 3", "sources"),
        ("[llm.local]\nmodel = 'x'", "llm.local.base_url"),
        ("[llm.local]\nbase_url='u'\nmodel='x'\napi_key='k'", "llm.local.api_key"),
        ("[llm.local]\nbase_url='x'\nmodel='x'", "llm.local.base_url"),
        ("[llm.local]\nbase_url='http://[::1'\nmodel='x'", "llm.local.base_url"),
        ("[llm.argo]\nbase_url='http://x/'\nmodel='x'\nkind='argo'", "requires user"),
        ("[llm.a]\nbase_url='http://x'\nmodel='x'\nkind='ollama'", "llm.a.kind"),
        ("this is no TOML", "not TOML"),
        ("[sources.a]\ntype='folder'\n[sources.a]\ntype='folder'", "not TOML"),
        (
            "[sources.a]\ntype='folder'\nid_prefix='b'\n[sources.b]\ntype='folder'",
            "id_prefix",
        ),
    ],
)
def test_refused(file: Path, text: str, named: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_settings(written(file, text))
    assert named in str(caught.value)
    assert str(file) in str(caught.value)
    assert caught.value.hint


def test_values_are_not_repeated_in_errors(file: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load_settings(written(file, "[index]\npassage_tokens = 's3cret'"))
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("content", [b'contact = "\xff\xfe"', b"\x00\x01"])
def test_file_that_is_no_text(file: Path, content: bytes) -> None:
    file.parent.mkdir()
    file.write_bytes(content)
    with pytest.raises(ConfigError, match=r"dunegpt\.toml"):
        load_settings(file)


@pytest.mark.parametrize(
    ("variable", "value"),
    [("DUNEGPT_SOURCES", "{"), ("DUNEGPT_INDEX__PASSAGE_TOKENS", "many")],
)
def test_variable_that_cannot_be_used(
    variable: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(ConfigError):
        load_settings()


def test_reader_is_always_public_too(file: Path) -> None:
    assert load_settings().get_reader() == {"public"}
    found = load_settings(written(file, '[cli]\nprincipals = ["n:lar"]'))
    assert found.get_reader() == {"public", "n:lar"}


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="frozen"):
        load_settings().contact = "x"  # type: ignore[misc]


def test_secret_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    assert read_secret("") == ""
    with pytest.raises(ConfigError, match="TOKEN_X"):
        read_secret("TOKEN_X")
    monkeypatch.setenv("TOKEN_X", "  ")
    with pytest.raises(ConfigError):
        read_secret("TOKEN_X")
    monkeypatch.setenv("TOKEN_X", " s3cret\n")
    assert read_secret("TOKEN_X") == "s3cret"


@pytest.mark.parametrize(("mode", "good"), [(0o600, True), (0o640, False), (0o604, 0)])
def test_secret_in_a_file(tmp_path: Path, mode: int, good: bool) -> None:
    path = tmp_path / "token"
    path.write_text("s3cret\n")
    path.chmod(mode)
    if good:
        assert read_secret("", path) == "s3cret"
    else:
        with pytest.raises(ConfigError, match="Others") as caught:
            read_secret("", path)
        assert "chmod 600" in caught.value.hint
    with pytest.raises(ConfigError):
        read_secret("", tmp_path / "nowhere")


def test_example_is_the_defaults() -> None:
    Path("dunegpt.toml").write_text(read_example(), encoding="utf-8")
    found, plain = load_settings(), Settings(config_dir=Path.cwd())
    assert found.sources.keys() == {"papers"}
    assert found.model_copy(update={"sources": {}}).model_dump() == plain.model_dump()


def test_example_names_every_setting() -> None:
    """Once its comments are taken out, it has all keys, and they load."""
    lines = [
        line.removeprefix("# ") if " = " in line or line.startswith("# [") else line
        for line in read_example().splitlines()
    ]
    text = "\n".join(lines)
    found = tomllib.loads(text)
    for name, defaults in Settings().model_dump().items():
        if name == "config_dir":
            continue
        assert name in found
        if isinstance(defaults, dict) and name not in {"sources", "llm"}:
            assert found[name].keys() == defaults.keys()
    for name, options in (("dune-log", elog._Options), ("dunesw", git._Options)):
        own = found["sources"][name].keys()
        assert own == options.model_fields.keys() - {"id_prefix", "confirm"}, name
    Path("dunegpt.toml").write_text(text, encoding="utf-8")
    table = load_settings().llm["local"]
    assert table.model_dump().keys() == found["llm"]["local"].keys()
    assert table.serve is not None
    assert table.serve.model_dump().keys() == found["llm"]["local"]["serve"].keys()
