"""Scores questions on pages: is the right document, and the right page, among the hits?

    python -m benchmarks.page_questions FOLDER_OR_TAR [--json OUT] [--data DIR]

All PDF and PPTX files of the set go through crawl, extraction, splitting, embedding and
packing as any other; each question of page_questions.toml through the search. A page is
found if a hit's page range holds it; a hit of over three pages finds none.
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
from dunegpt.config import Settings, SourceTable
from dunegpt.index.build import build
from dunegpt.index.search import Searcher
from dunegpt.index.snapshot import CURRENT, Snapshot
from dunegpt.ingest.crawl import crawl
from dunegpt.types import PUBLIC, Hit

QUESTIONS = Path(__file__).with_suffix(".toml")
KINDS = {".pdf", ".pptx"}
DEPTHS = (1, 3, 10)
MOST_PAGES = 3


def main() -> None:
    """Print the shares, and write them with each question's ranks if asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("set", type=Path)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--data", type=Path, help="keeps the index for the next run")
    arguments = parser.parse_args()
    with folder_of(arguments.set) as folder, tempfile.TemporaryDirectory() as scratch:
        result = score(folder, arguments.data or Path(scratch) / "data", Path(scratch))
    for name, value in result["shares"].items():
        print(f"{name:14} {value:.3f}")
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=1))


def score(folder: Path, data: Path, scratch: Path) -> dict[str, Any]:
    """Return the shares of questions whose document and page are among the hits."""
    settings = indexed(folder, data, scratch)
    snapshot = Snapshot(settings.data / "snapshots" / CURRENT)
    searcher = Searcher(snapshot)
    everyone = frozenset({PUBLIC})
    ranks = []
    for question in questions():
        hits = searcher.search(question["q"], everyone, k=max(DEPTHS)).hits
        ranks.append(
            {
                **question,
                "document_rank": rank(hits, question["file"], None),
                "page_rank": rank(hits, question["file"], question["page"]),
            }
        )
    snapshot.close()
    shares = {"questions": float(len(ranks))}
    for what in ("document", "page"):
        for depth in DEPTHS:
            found = sum(0 < each[f"{what}_rank"] <= depth for each in ranks)
            shares[f"{what}@{depth}"] = found / len(ranks)
    return {"shares": shares, "questions": ranks}


def questions() -> list[dict[str, Any]]:
    """Return the questions, each with its file and page."""
    files = tomllib.loads(QUESTIONS.read_text(encoding="utf-8"))["file"]
    return [{"file": file["name"], **q} for file in files for q in file["questions"]]


def indexed(folder: Path, data: Path, scratch: Path) -> Settings:
    """Return the settings of an index over all PDF and PPTX files of the set."""
    papers = scratch / "papers"
    for path in (folder / "files").rglob("*"):
        if path.suffix in KINDS and path.is_file():
            name = str(path.relative_to(folder / "files")).replace("/", "__")
            papers.mkdir(exist_ok=True)
            shutil.copy(path, papers / name)
    table = SourceTable(type="folder", path=str(papers), access=[PUBLIC])
    settings = Settings(data_dir=data, sources={"set": table})
    crawl("set", settings)
    build(settings)
    return settings


def rank(hits: Sequence[Hit], file: str, page: int | None) -> int:
    """Return the rank of the first hit in a file, on a page if one is given; or 0."""
    name = file.replace("/", "__")
    for hit in hits:
        passage = hit.passage
        few = passage.last_page - passage.first_page < MOST_PAGES
        on = page is None or (few and passage.first_page <= page <= passage.last_page)
        if hit.document.id.endswith(name) and on:
            return hit.rank
    return 0


if __name__ == "__main__":
    main()
