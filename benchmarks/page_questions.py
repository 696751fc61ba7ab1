"""Measures whether search finds the right document and the right page for questions.

    python -m benchmarks.page_questions FOLDER_OR_TAR [--json OUT] [--data DIR]

All PDF and PPTX files of the set are crawled, extracted, split, embedded and indexed
as usual; each question of page_questions.toml is searched. A page is found if it is in
the page range of a hit; hits that span more than three pages do not count.
"""

import argparse
import json
import shutil
import tempfile
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.extraction import folder_of
from dunegpt.access import PUBLIC
from dunegpt.config import Settings, SourceSettings
from dunegpt.index.build import build
from dunegpt.index.search.searcher import Searcher
from dunegpt.index.snapshot.snapshot import Snapshot
from dunegpt.ingest.crawl import crawl
from dunegpt.types import Hit

QUESTIONS = Path(__file__).with_suffix(".toml")
KINDS = {".pdf", ".pptx"}
DEPTHS = (1, 3, 10)
MOST_PAGES = 3


def main() -> None:
    """Print the shares, and write them with the ranks if requested."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("set", type=Path)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--data", type=Path, help="keep the index in this folder")
    arguments = parser.parse_args()
    with folder_of(arguments.set) as folder, tempfile.TemporaryDirectory() as scratch:
        result = score(folder, arguments.data or Path(scratch) / "data", Path(scratch))
    for name, value in result["shares"].items():
        print(f"{name:14} {value:.3f}")
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=1))


def score(folder: Path, data: Path, scratch: Path) -> dict[str, Any]:
    """Return the shares of questions whose document or page is among the hits."""
    settings = indexed(folder, data, scratch)
    snapshot = Snapshot(settings.paths.current_snapshot)
    searcher = Searcher(snapshot)
    everyone = frozenset({PUBLIC})
    ranks = []
    for question in questions():
        hits = searcher.as_reader(everyone).search(question["q"], k=max(DEPTHS)).hits
        ranks.append(
            {
                **question,
                "document_rank": rank(hits, question["file"], None),
                "page_rank": rank(hits, question["file"], question["page"]),
            }
        )
    snapshot.close()
    shares = {"questions": float(len(ranks))}
    for target in ("document", "page"):
        for depth in DEPTHS:
            found = sum(0 < each[f"{target}_rank"] <= depth for each in ranks)
            shares[f"{target}@{depth}"] = found / len(ranks)
    return {"shares": shares, "questions": ranks}


def questions() -> list[dict[str, Any]]:
    """Return the questions, each with its file and page."""
    files = tomllib.loads(QUESTIONS.read_text(encoding="utf-8"))["file"]
    return [{"file": file["name"], **q} for file in files for q in file["questions"]]


def indexed(folder: Path, data: Path, scratch: Path) -> Settings:
    """Index all PDF and PPTX files of the set; return the settings."""
    papers = scratch / "papers"
    for path in (folder / "files").rglob("*"):
        if path.suffix in KINDS and path.is_file():
            name = str(path.relative_to(folder / "files")).replace("/", "__")
            papers.mkdir(exist_ok=True)
            shutil.copy(path, papers / name)
    table = SourceSettings(type="folder", path=str(papers), access=[PUBLIC])
    settings = Settings(data_dir=data, sources={"set": table})
    crawl("set", settings)
    build(settings)
    return settings


def rank(hits: Sequence[Hit], file: str, page: int | None) -> int:
    """Return the rank of the first hit in a file, and on a page if given; or 0."""
    name = file.replace("/", "__")
    for hit in hits:
        passage = hit.passage
        is_short = passage.last_page - passage.first_page < MOST_PAGES
        matches = page is None or (
            is_short and passage.first_page <= page <= passage.last_page
        )
        if hit.document.id.endswith(name) and matches:
            return hit.rank
    return 0


if __name__ == "__main__":
    main()
