"""Each benchmark runs on a tiny generated input, and gives plausible figures."""

import json
import lzma
import os
import random
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from dunegpt.datadir import DataDir
from simulators.llm.openai_server import fake_model
from tests.ingest.extract.test_extract import make_pdf

pytestmark = [pytest.mark.slow, pytest.mark.model]

ROOT = Path(__file__).resolve().parents[2]
TOPICS = (
    "argon", "cathode", "anode", "photon", "trigger",
    "neutrino", "cryostat", "purity", "magnet", "readout",
)  # fmt: skip
DOCUMENTS = 60

NOT_RUN = {
    "extraction_fidelity": "run by test_extraction_fidelity.py, beside this file",
    "indico": "needs a real Indico server: tests/real/indico",
    "indico_faults": "needs a real Indico server: tests/real/indico/test_units.py",
}


@dataclass(frozen=True)
class Corpus:
    """A corpus with judgements and questions, and the data folder it is indexed in."""

    folder: Path

    @property
    def texts(self) -> Path:
        return self.folder / "corpus.jsonl"

    @property
    def queries(self) -> Path:
        return self.folder / "queries.jsonl"

    @property
    def data(self) -> Path:
        return self.folder / "data"


def write_lines(path: Path, rows: list[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")


def measure(name: str, *options: object) -> str:
    """Return what a benchmark prints; fail with its messages if it fails."""
    done = subprocess.run(
        [sys.executable, "-m", f"benchmarks.{name}", *map(str, options)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return done.stdout


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    """Give a corpus in which six documents describe each of ten topics."""
    made = Corpus(tmp_path_factory.mktemp("corpus"))
    rng = random.Random(0)
    documents, queries, judgements = [], [], []
    for number in range(DOCUMENTS):
        topic = TOPICS[number % len(TOPICS)]
        text = (
            f"The {topic} report {number} describes the {topic} system. The {topic}"
            f" voltage is {100 + number} kV. See arXiv:2001.{number:05} for details."
            f" Keywords: {' '.join(rng.choices(TOPICS, k=40))}."
        )
        fields = {"id": f"d{number}", "title": f"The {topic} note {number}"}
        documents.append({**fields, "text": text, "url": f"https://x.test/{number}"})
    for number, topic in enumerate(TOPICS):
        relevant = [f"d{n}" for n in range(number, DOCUMENTS, len(TOPICS))]
        query = f"What describes the {topic} system?"
        wordings = {"q": query, "q_hard": f"Which note is about the {topic}?"}
        fields = {"id": f"q{number}", "text": query, "type": "topic"}
        queries.append({**fields, **wordings, "gold_doc_ids": relevant})
        judgements += [f"q{number}\t{document}\t1" for document in relevant]
    write_lines(made.texts, documents)
    write_lines(made.queries, queries)
    (made.folder / "qrels.tsv").write_text("\n".join(judgements) + "\n")
    return made


@pytest.fixture(scope="module")
def indexed(corpus: Corpus) -> tuple[Corpus, dict[str, Any]]:
    """Give the corpus, indexed, and the figures of retrieval on it."""
    out = corpus.folder / "retrieval.json"
    files = (corpus.texts, corpus.queries, corpus.folder / "qrels.tsv")
    options = ("--data", corpus.data, "--questions", corpus.queries, "--json", out)
    measure("retrieval", *files, "--peer", *options)
    return corpus, json.loads(out.read_text())


def test_retrieval(indexed: tuple[Corpus, dict[str, Any]]) -> None:
    _, found = indexed
    for ranking in ("lexical", "dense", "fused", "LangChain"):
        means = {name: shape["mean"] for name, shape in found[ranking].items()}
        assert means["recall@100"] == 1
        assert 0.3 < means["nDCG@10"] <= 1
        assert found["ms/query"][ranking] > 0
    assert found["questions"]["plain, topic"]["n"] == len(TOPICS)


def test_references(indexed: tuple[Corpus, dict[str, Any]], tmp_path: Path) -> None:
    corpus, _ = indexed
    out = tmp_path / "references.json"
    measure("references", corpus.texts, "--data", corpus.data, "--json", out)
    found = json.loads(out.read_text())
    assert found["documents"] == DOCUMENTS
    assert sum(kind["mentions"] for kind in found["by_kind"].values()) == DOCUMENTS


def test_search(indexed: tuple[Corpus, dict[str, Any]], tmp_path: Path) -> None:
    corpus, _ = indexed
    out = tmp_path / "search.json"
    sizes = ("--passages", 400, "--folder", tmp_path / "snapshots")
    measure("search", "--base", corpus.data, *sizes, "--peer", "--json", out)
    found = json.loads(out.read_text())["400"]
    assert found["bytes"] > 0
    assert 0 < found["cpu ms all"]["p50"] <= found["cpu ms all"]["p95"]
    assert found["peer cpu ms"]["p50"] > 0


def test_passage_store(indexed: tuple[Corpus, dict[str, Any]]) -> None:
    corpus, _ = indexed
    printed = measure("passage_store", "--base", corpus.data, "--passages", 400)
    assert "SQLite" in printed
    assert "tantivy" in printed
    assert "400 texts" in printed


def may_limit_memory() -> bool:
    """Return whether memory cgroups can be made here."""
    folders = (Path("/sys/fs/cgroup/memory"), Path("/sys/fs/cgroup"))
    try:
        (next(filter(Path.exists, folders)) / f"probe-{os.getpid()}").mkdir()
    except (OSError, StopIteration):
        return False
    (next(filter(Path.exists, folders)) / f"probe-{os.getpid()}").rmdir()
    return True


def test_small_host(indexed: tuple[Corpus, dict[str, Any]], tmp_path: Path) -> None:
    if not may_limit_memory():
        pytest.skip("memory cgroups cannot be made here")
    corpus, _ = indexed
    base = ("--base", corpus.data)
    measure("search", *base, "--passages", 200, "--folder", tmp_path)
    (snapshot,) = (each.parent for each in tmp_path.rglob("manifest.json"))
    limits = ("--limit-mb", 2048, "--seconds", 1)
    printed = measure("small_host", *base, "--snapshot", snapshot, *limits)
    assert "limit 2048 MB, peak" in printed
    assert "major faults a question:" in printed


def test_answers(indexed: tuple[Corpus, dict[str, Any]], tmp_path: Path) -> None:
    corpus, _ = indexed
    out, figures = tmp_path / "answers.txt", tmp_path / "answers.json"
    options = ("--out", out, "--first", 3, "--json", figures)
    measure("answers", corpus.data, corpus.queries, *options)
    found = json.loads(figures.read_text())
    assert found["outcomes"]["all"]["answered"] == 3
    assert found["whole_s"] > 0
    assert "system" in out.read_text(encoding="utf-8")


def test_judgement(indexed: tuple[Corpus, dict[str, Any]], tmp_path: Path) -> None:
    corpus, _ = indexed
    asked = [
        {
            "q": f"What is the voltage in the {TOPICS[n % len(TOPICS)]} note {n}?",
            "quote": f"The {TOPICS[n % len(TOPICS)]} voltage is {100 + n} kV.",
            "answers": [f"{100 + n} kV"],
            "doc_id": f"d{n}",
        }
        for n in range(20)
    ]
    wrong = [
        {"q": f"Who eats report {n} in Tasmania?", "answers": []} for n in range(9)
    ]
    write_lines(tmp_path / "asked.jsonl", [*asked, *wrong])
    pair = ("--set", corpus.data, tmp_path / "asked.jsonl")
    printed = measure("judgement", *pair, "--cache", tmp_path / "cache.pkl")
    assert "rightly refused" in printed
    measure("judgement", *pair, "--groups", tmp_path / "groups.jsonl")
    groups = (tmp_path / "groups.jsonl").read_text().splitlines()
    assert len(groups) == len(asked) + len(wrong)
    assert all(json.loads(line)["answers"] for line in groups[: len(asked)])


def test_rewrite(indexed: tuple[Corpus, dict[str, Any]], tmp_path: Path) -> None:
    corpus, _ = indexed
    out = tmp_path / "rewrite.json"
    with fake_model(["argon system report\nreport on argon"]) as server:
        model = ("--url", server.url, "--model", "fake", "--limit", 2)
        options = ("--data", corpus.data, *model, "--json", out)
        measure("rewrite", corpus.texts, corpus.queries, *options)
        assert server.requests
    found = json.loads(out.read_text())
    assert found["questions"] == 2
    assert 0 < found["search"]["read"]["mean"]["mean"] <= 1


def test_support(indexed: tuple[Corpus, dict[str, Any]], tmp_path: Path) -> None:
    corpus, _ = indexed
    texts = [json.loads(line) for line in corpus.texts.read_text().splitlines()]
    sentences = [each["text"].partition(". See")[0] + "." for each in texts]
    evidence = [f"source\n\n{each['text']}" for each in texts]
    write_lines(
        tmp_path / "support-expertqa" / "items.jsonl",
        [
            {"claims": [{"support": "Complete", "evidence": [e], "claim": f"{s} [1]"}]}
            for s, e in zip(sentences, evidence, strict=True)
        ],
    )
    abstracts = [{**each, "id": n} for n, each in enumerate(texts)]
    write_lines(tmp_path / "scifact" / "corpus.jsonl", abstracts)
    labels = ("SUPPORT", "CONTRADICT")
    claims = [
        {"claim": s, "evidence": [{"doc_id": n}], "label": labels[n % 2]}
        for n, s in enumerate(sentences)
    ]
    write_lines(tmp_path / "support-scifact" / "items.jsonl", claims)
    write_lines(tmp_path / "dune" / "corpus.jsonl", texts)
    quotes = [
        {"id": f"q{n}", "gold_quotes": [{"quote": s, "doc_id": texts[n]["id"]}]}
        for n, s in enumerate(sentences)
    ]
    write_lines(tmp_path / "dune" / "questions.jsonl", quotes)
    (encoder,) = {
        f.parent for f in DataDir(corpus.data).snapshots.rglob("tokenizer.json")
    }
    out = tmp_path / "support.json"
    measure("support", tmp_path, "--encoder", encoder, "--json", out)
    found = json.loads(out.read_text())
    assert found["false_alarms"]["dune"]["cases"] == DOCUMENTS
    numbers = found["corrupted"]["number"]
    assert numbers["caught"] > 0.9 * numbers["cases"] > 0


@pytest.fixture
def judged_answers(tmp_path: Path) -> Path:
    """Give a folder with recorded answers, each with a true and a flawed sentence."""
    items = []
    for n, topic in enumerate(TOPICS):
        passage = (
            f"The {topic} of module {n} has {10 + n} sensors and is tested in May."
        )
        prompt = f"Question: ?\n\nPassages:\n\n[1] Note (n:{n}, undated)\n{passage}"
        messages = [["system", "Rules."], ["user", f"{prompt}\n\nQuestion: ?"]]
        true = {
            "text": f"The {topic} of module {n} has {10 + n} sensors [1].",
            "judge": 0.9,
        }
        wrong = {
            "sentence": f"The {topic} of module {n} has {30 + n} sensors [1].",
            "kind": "wrong-number",
            "judge": 0.05,
        }
        items.append(
            {
                "question": f"How many sensors has the {topic}?",
                "messages": messages,
                "answer_sentences": [true],
                "flawed": [wrong],
            }
        )
    text = "".join(f"{json.dumps(item)}\n" for item in items)
    (tmp_path / "answers.jsonl.xz").write_bytes(lzma.compress(text.encode()))
    return tmp_path


def test_verifier(
    indexed: tuple[Corpus, dict[str, Any]], judged_answers: Path, tmp_path: Path
) -> None:
    corpus, _ = indexed
    (encoder,) = {
        f.parent for f in DataDir(corpus.data).snapshots.rglob("tokenizer.json")
    }
    out = tmp_path / "verifier.json"
    options = ["--encoder", encoder, "--judge", "recorded", "--json", out]
    measure("verifier", judged_answers, *options)
    found = json.loads(out.read_text())
    assert found["recorded"]["true"] == [0, len(TOPICS)]
    assert found["recorded"]["wrong-number"] == [0, len(TOPICS)]
    assert found["unseen"]["all wrong"][1] > 150
    printed = measure("fit_verifier", judged_answers, "--encoder", encoder)
    assert "threshold" in printed


def test_judge(judged_answers: Path, tmp_path: Path) -> None:
    with fake_model(["It is cold [1]."]) as model:
        settings = tmp_path / "dunegpt.toml"
        settings.write_text(
            f'[llm.fake]\nbase_url = "{model.url}"\nmodel = "fake"\n', "utf-8"
        )
        printed = measure("judge", judged_answers, "--config", settings, "--prompts", 3)
    assert "3 prompts, 6 sentences judged" in printed
    assert "had cached: 88.9%" in printed


@pytest.fixture(scope="module")
def papers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a set of files with a manifest and ground truth."""
    folder = tmp_path_factory.mktemp("papers")
    pages = {
        "sources/note.pdf": ("Notes.", "Drift field.", "The field is 475 V/cm."),
        "hsf/assets/WSSSPE1-summary.pdf": (
            "Introduction.",
            "Programme.",
            "The first workshop on software had 58 papers submitted to it.",
        ),
    }
    for name, texts in pages.items():
        path = folder / "files" / name
        path.parent.mkdir(parents=True)
        path.write_bytes(make_pdf(*texts))
    truth = folder / "files" / "groundtruth" / "note.md"
    truth.parent.mkdir()
    truth.write_text("\n\n".join(pages["sources/note.pdf"]), encoding="utf-8")
    rows = [{"file": f"files/{name}"} for name in pages]
    write_lines(folder / "manifest.jsonl", rows)
    return folder


def test_extraction(papers: Path, tmp_path: Path) -> None:
    out = tmp_path / "extraction.json"
    measure("extraction", papers, "--json", out)
    found = json.loads(out.read_text())
    assert (found["files"], found["pages"], found["without_either"]) == (2, 6, [])
    assert found["quality"]["by_format"]["pdf"]["dunegpt"]["files"] == 1


def test_extraction_speed(papers: Path, tmp_path: Path) -> None:
    out = tmp_path / "speed.json"
    options = ("--against", ROOT, "--rounds", 1, "--formats", "pdf", "--json", out)
    measure("extraction_speed", papers, *options)
    found = json.loads(out.read_text())["pdf"]
    assert (found["files"], found["pages"]) == (2, [6, 6])
    assert 0.2 < found["ratio"] < 5


def test_page_questions(papers: Path, tmp_path: Path) -> None:
    out = tmp_path / "pages.json"
    measure("page_questions", papers, "--json", out)
    found = json.loads(out.read_text())
    assert found["shares"]["questions"] == len(found["questions"])
    ranks = {each["q"]: each["page_rank"] for each in found["questions"]}
    (asked,) = (q for q in ranks if "How many papers were submitted" in q)
    assert ranks[asked] == 1


def test_receipts(tmp_path: Path) -> None:
    out = tmp_path / "receipts.json"
    measure("receipts", "--receipts", 20, "--json", out)
    found = json.loads(out.read_text())
    assert found["receipts"] == 20
    assert found["bytes each"] > 100


def test_accounts(tmp_path: Path) -> None:
    out = tmp_path / "accounts.json"
    sizes = ("--accounts", 3, "--audit", 1500, "--times", 2)
    measure("accounts", *sizes, "--json", out)
    figures = json.loads(out.read_text())
    assert all(each["median_ms"] > 0 for each in figures.values())


def test_lookup_timing() -> None:
    printed = measure("lookup_timing", "--documents", 8, "--rounds", 5, "--json")
    figures = json.loads(printed.splitlines()[-1])
    assert set(figures) == {"show", "cited by", "ask", "filter"}
    assert all(value > 0 for each in figures.values() for value in each.values())


def test_confirm(tmp_path: Path) -> None:
    out = tmp_path / "confirm.json"
    sizes = ("--documents", 12, "--questions", 6, "--latency-ms", 0, "--processes", 1)
    measure("confirm", *sizes, "--json", out)
    found = json.loads(out.read_text())
    [figures] = found["answers"]
    assert figures["closed"] == 2
    assert 0 < figures["revocation_p50"] <= figures["revocation_worst"]
    assert 0 < figures["requests"] <= 12
    assert 0 <= figures["confirmed"] <= 1
    assert 0 < found["processes"]["on"]


def test_access() -> None:
    printed = measure("access", "--queries", 500)
    assert "0 leaks, 0 missing" in printed


def no_difference(found: Any) -> bool:
    """Return whether figures called missing, leaked and the like are all zero."""
    if isinstance(found, list):
        return all(map(no_difference, found))
    if isinstance(found, dict):
        bad = ("missing", "leak", "leaks", "leaked", "stale", "narrow", "too narrow")
        return all(
            value == 0 if name in bad else no_difference(value)
            for name, value in found.items()
        )
    return True


@pytest.mark.parametrize(
    ("name", "options"),
    [("docdb", ("--documents", 60)), ("edms", ("--documents", 40))],
)
def test_crawls(name: str, options: tuple[object, ...], tmp_path: Path) -> None:
    out = tmp_path / "crawl.json"
    measure(name, *options, "--json", out)
    found = json.loads(out.read_text())
    assert found
    assert no_difference(found)


def test_docdb_faults(tmp_path: Path) -> None:
    out = tmp_path / "faults.json"
    measure("docdb_faults", "--documents", 40, "--hours", 4, "--json", out)
    found = json.loads(out.read_text())
    recoveries = {row["fault"]: row for row in found["recoveries"]}
    assert all(row["rounds"] == 1 for row in recoveries.values())
    assert recoveries["account in one group only"]["missing"] > 0
    hourly = [row for row in found["revocations"] if row["lists_every_min"] < 60]
    assert {hour for row in hourly for hour in row["hours"]} == {1}
    assert all(row["requests_per_hour"] > 0 for row in hourly)


def test_logbook(tmp_path: Path) -> None:
    out = tmp_path / "logbook.json"
    measure("logbook", "--entries", 100, "--files", 40, "--json", out)
    found = {each["what"]: each for each in json.loads(out.read_text())}
    assert found["log, full"]["documents"] > 0
    assert found["repository, full"]["documents"] == 40
    unseen = "log, the same among all days: a poll does not see them"
    assert no_difference([run for what, run in found.items() if what != unseen])


def test_startup(indexed: tuple[Corpus, dict[str, Any]], tmp_path: Path) -> None:
    corpus, _ = indexed
    config, out = tmp_path / "dunegpt.toml", tmp_path / "startup.json"
    config.write_text(f'data_dir = "{corpus.data}"\n', encoding="utf-8")
    question = "What is the voltage of the argon system?"
    options = ("--config", config, "--question", question, "--runs", 1)
    measure("startup", *options, "--json", out)
    found = json.loads(out.read_text())
    processes = found["processes"]
    assert 0 < processes["python -c pass"]["cpu_s"] < processes["dunegpt ask"]["cpu_s"]
    assert processes["dunegpt --help"]["peak_mb"] < processes["dunegpt ask"]["peak_mb"]
    assert "dunegpt.config" in found["imports_ms"]


def test_intents(tmp_path: Path) -> None:
    out = tmp_path / "intents.json"
    measure("intents", "--intent", "definition", "--part", "build", "--json", out)
    assert json.loads(out.read_text())


def test_server(indexed: tuple[Corpus, dict[str, Any]], tmp_path: Path) -> None:
    corpus, _ = indexed
    questions, out = tmp_path / "questions.txt", tmp_path / "server.json"
    questions.write_text("What is the voltage of the argon system?\n", "utf-8")
    options = ("--questions", questions, "--rounds", 2, "--clients", 2)
    measure("server", "--data", corpus.data, *options, "--json", out)
    found = json.loads(out.read_text())
    assert found["ask over HTTP"]["ratio"] > 0.5
    assert found["search over HTTP, 2 at once"]["per_second"] > 0
    assert min(found["memory"].values()) > 0


def test_every_benchmark_is_run_here() -> None:
    source = Path(__file__).read_text(encoding="utf-8")
    calls = re.findall(r'measure\(\s*"(\w+)"|\("(\w+)", \("--', source)
    files = (ROOT / "benchmarks").glob("*.py")
    programs = {path.stem for path in files if "def main(" in path.read_text()}
    assert programs - {"".join(names) for names in calls} == NOT_RUN.keys()
