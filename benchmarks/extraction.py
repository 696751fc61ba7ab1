"""Measures extraction: failures, speed, memory, and quality compared with other tools.

    python -m benchmarks.extraction FOLDER_OR_TAR [--json OUT] [--markitdown PYTHON]

FOLDER_OR_TAR contains `manifest.jsonl` and `files/`; the ground truth of a file is
`groundtruth/NAME.md` beside its folder `sources`. Compared with pdftotext, if installed
(poppler-utils), and with markitdown, if PYTHON is an interpreter that has it:
`python -m venv peers && peers/bin/pip install 'markitdown[docx,pptx,xlsx,xls,pdf]'`.
"""

import argparse
import json
import re
import resource
import shutil
import subprocess
import tarfile
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import psutil
import pypdfium2 as pdfium

from benchmarks.extraction_quality import Quality, mean, quality
from dunegpt.config import ExtractSettings
from dunegpt.ingest.extract import ExtractResult
from dunegpt.ingest.extract.sandbox import Sandbox

KIND = "application/octet-stream"
_MARKITDOWN = """
import json, sys, time, warnings
warnings.simplefilter("ignore")
from markitdown import MarkItDown
reader = MarkItDown()
for line in sys.stdin:
    begin = time.process_time()
    try:
        text = reader.convert(json.loads(line)).text_content
    except Exception as error:
        text = ""
    print(json.dumps([text, time.process_time() - begin]), flush=True)
"""


_DOCLING = """
import json, logging, sys, time
logging.disable(logging.CRITICAL)
from docling.document_converter import DocumentConverter
reader = DocumentConverter()
for line in sys.stdin:
    begin = time.process_time()
    try:
        text = reader.convert(json.loads(line)).document.export_to_markdown()
    except Exception as error:
        reads = "File format not allowed" not in str(error)
        text = "" if reads and "on the Hub" not in str(error) else None
    print(json.dumps([text, time.process_time() - begin]), flush=True)
"""


def main() -> None:
    """Print a summary, and write all results if requested."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--markitdown", metavar="PYTHON", default="")
    arguments = parser.parse_args()
    with folder_of(arguments.data) as folder:
        result = measure(folder, arguments.markitdown)
    print_summary(result)
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=1, ensure_ascii=False))


@contextmanager
def folder_of(data: Path) -> Iterator[Path]:
    """Provide the folder with `manifest.jsonl`, unpacked if it is an archive."""
    if data.is_dir():
        yield next(data.rglob("manifest.jsonl")).parent
        return
    with tempfile.TemporaryDirectory() as folder, tarfile.open(data) as archive:
        archive.extractall(folder, filter="data")
        yield next(Path(folder).rglob("manifest.jsonl")).parent


def measure(folder: Path, markitdown: str) -> dict[str, Any]:
    """Return all measurements."""
    manifest = (folder / "manifest.jsonl").read_text(encoding="utf-8")
    names = [json.loads(line)["file"] for line in manifest.splitlines()]
    paths = [folder / name for name in names]
    results, seconds, cpu = read_all(paths)
    pdfs = [path for path in paths if path.suffix == ".pdf"]
    return {
        "files": len(paths),
        "with_pages": sum(bool(each.pages) for each in results.values()),
        "in_ledger": sum(bool(e.error or e.remarks) for e in results.values()),
        "without_either": [
            str(p.relative_to(folder))
            for p, e in results.items()
            if not (e.error or e.pages)
        ],
        "pages": sum(len(each.pages) for each in results.values()),
        "seconds": round(seconds, 1),
        "cpu_seconds": round(cpu, 1),
        "parent_peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10,
        "failures": reasons(results),
        "ledger": {
            str(path.relative_to(folder)): " ".join(filter(None, [e.error, *e.remarks]))
            for path, e in results.items()
            if e.error or e.remarks
        },
        "same_twice": same_twice(pdfs[::4] + paths[::9], results),
        "speed": speeds(pdfs, markitdown),
        "quality": qualities(folder, results, markitdown),
    }


def read_all(paths: list[Path]) -> tuple[dict[Path, ExtractResult], float, float]:
    """Return the result of each file, wall seconds, and CPU seconds of the children."""
    begin, results, cpu = time.monotonic(), {}, 0.0
    with Sandbox(ExtractSettings()) as sandbox:
        for path in paths:
            results[path], used = timed(sandbox, path)
            cpu += used
    return results, time.monotonic() - begin, cpu


def timed(sandbox: Sandbox, path: Path) -> tuple[ExtractResult, float]:
    """Return the result of a file and the CPU seconds of the child for it."""
    before = cpu_of(sandbox)
    result = sandbox.extract(path, path.name, KIND)
    after = cpu_of(sandbox)
    return result, after - before if after >= before else after


def cpu_of(sandbox: Sandbox) -> float:
    """Return the CPU seconds of the child and its finished child processes."""
    if sandbox.pid is None:
        return 0.0
    try:
        return float(sum(psutil.Process(sandbox.pid).cpu_times()[:4]))
    except psutil.Error:
        return 0.0


def reasons(found: dict[Path, ExtractResult]) -> dict[str, int]:
    """Return the number of failures by reason, with numbers and names masked."""
    counts: Counter[str] = Counter()
    for result in found.values():
        for message in (result.error, *result.remarks):
            if message:
                counts[re.sub(r"\d[\d,.]*", "#", message.split(":")[0])] += 1
    return dict(counts.most_common())


def same_twice(paths: list[Path], found: dict[Path, ExtractResult]) -> dict[str, int]:
    """Return how many of these files give the same result in a new child."""
    with Sandbox(ExtractSettings()) as sandbox:
        same = sum(sandbox.extract(p, p.name, KIND) == found[p] for p in paths)
    return {"files": len(paths), "same": same}


def speeds(pdfs: list[Path], markitdown: str) -> dict[str, dict[str, float]]:
    """Return pages per CPU second on PDF files that pdfium can open, without OCR."""
    readable = [(path, count) for path in pdfs if (count := page_count(path))]
    total = sum(count for _, count in readable)
    result = {}
    with Sandbox(ExtractSettings(ocr_images=0)) as sandbox:
        sandbox.extract(readable[0][0], "a.pdf", KIND)
        ours = sum(timed(sandbox, path)[1] for path, _ in readable)
    result["dunegpt"] = {"pages": total, "pages_per_cpu_s": rate(total, ours)}
    alone = sum(pdfium_alone(path) for path, _ in readable)
    result["pypdfium2 alone"] = {
        "pages": total,
        "pages_per_cpu_s": rate(total, alone),
    }
    if shutil.which("pdftotext"):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        for path, _ in readable:
            pdftotext(path)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        result["pdftotext"] = {
            "pages": total,
            "pages_per_cpu_s": rate(total, used),
        }
    if markitdown:
        sample = readable[::12]
        texts = run_markitdown(markitdown, [path for path, _ in sample])
        pages = sum(count for _, count in sample)
        cpu = sum(used for _, used in texts)
        result["markitdown"] = {
            "pages": pages,
            "pages_per_cpu_s": rate(pages, cpu),
        }
    return result


def rate(pages: int, cpu_s: float) -> float:
    """Return pages per CPU second; the kernel counts in steps of 10 ms."""
    return round(pages / max(cpu_s, 0.01), 1)


def page_count(path: Path) -> int:
    """Return the number of pages; 0 if pdfium cannot open the file."""
    try:
        with pdfium.PdfDocument(path) as document:
            return len(document)
    except pdfium.PdfiumError:
        return 0


def pdfium_alone(path: Path) -> float:
    """Return the CPU seconds of pypdfium2 alone for the text of all pages."""
    begin = time.process_time()
    with pdfium.PdfDocument(path) as document:
        for number in range(len(document)):
            try:
                page = document[number]
                layer = page.get_textpage()
                layer.get_text_bounded()
                layer.close()
                page.close()
            except pdfium.PdfiumError:
                continue
    return time.process_time() - begin


def pdftotext(path: Path) -> str:
    """Return the output of pdftotext for a PDF file."""
    result = subprocess.run(
        ["pdftotext", "-enc", "UTF-8", str(path), "-"], capture_output=True, check=False
    )
    return result.stdout.decode("utf-8", errors="replace")


def run_markitdown(python: str, paths: list[Path]) -> list[tuple[str, float]]:
    """Return text and CPU seconds of each file; the text is empty if it failed."""
    return _run_converter(python, _MARKITDOWN, paths)


def run_docling(python: str, paths: list[Path]) -> list[tuple[str | None, float]]:
    """Return text and CPU seconds of each file; the text is empty if it failed.

    It is None for a format that docling does not read, or needs a model for that it can
    not download.
    """
    return _run_converter(python, _DOCLING, paths)


def _run_converter(python: str, script: str, paths: list[Path]) -> list[Any]:
    requests = "".join(json.dumps(str(path)) + "\n" for path in paths)
    result = subprocess.run(
        [python, "-c", script],
        input=requests,
        capture_output=True,
        text=True,
        check=True,
    )
    return [tuple(json.loads(line)) for line in result.stdout.splitlines()]


def pairs(folder: Path) -> dict[Path, Path]:
    """Return the ground truth of each file that has one."""
    truths = {}
    for truth in sorted(folder.rglob("groundtruth/*.md")):
        sources = truth.parent.parent / "sources"
        for name in (truth.stem, f"{truth.stem}.pdf"):
            if (sources / name).is_file():
                truths[sources / name] = truth
    return truths


def qualities(
    folder: Path, found: dict[Path, ExtractResult], markitdown: str
) -> dict[str, Any]:
    """Return the mean quality by format and program, and that of each file."""
    truths = pairs(folder)
    texts: dict[str, dict[Path, str]] = {
        "dunegpt": {
            p: "\n\n".join(page.text for page in found[p].pages) for p in truths
        }
    }
    if shutil.which("pdftotext"):
        texts["pdftotext"] = {p: pdftotext(p) for p in truths if p.suffix == ".pdf"}
    if markitdown:
        converted = run_markitdown(markitdown, list(truths))
        texts["markitdown"] = {
            p: t for p, (t, _) in zip(truths, converted, strict=True)
        }
    scores = {
        (program, path): quality(text, truths[path].read_text(encoding="utf-8"))
        for program, own in texts.items()
        for path, text in own.items()
    }
    return {
        "by_format": by_format(scores),
        "files": {
            path.name: {
                program: asdict(scores[program, path])
                for program in texts
                if (program, path) in scores
            }
            for path in truths
        },
    }


def by_format(scores: dict[tuple[str, Path], Quality]) -> dict[str, dict[str, Any]]:
    """Return the means of each format and program."""
    groups: dict[str, dict[str, list[Quality]]] = {}
    for (program, path), score in scores.items():
        group = groups.setdefault(path.suffix.lstrip("."), {})
        group.setdefault(program, []).append(score)
    return {
        ending: {program: {"files": len(s), **mean(s)} for program, s in own.items()}
        for ending, own in sorted(groups.items())
    }


def print_summary(result: dict[str, Any], say: Callable[[str], None] = print) -> None:
    """Print a summary of the results."""
    say(
        f"{result['files']} files, {result['pages']} pages, {result['with_pages']}"
        f" files with pages, {result['in_ledger']} in the ledger, without either:"
        f" {len(result['without_either'])}"
    )
    say(
        f"{result['seconds']} s, {result['cpu_seconds']} CPU s, parent's peak"
        f" {result['parent_peak_mb']} MB, same twice: {result['same_twice']}"
    )
    for reason, count in result["failures"].items():
        say(f"  {count:4} {reason}")
    for program, speed in result["speed"].items():
        say(f"{program:16} {speed['pages_per_cpu_s']:8} pages per CPU second")
    for ending, programs in result["quality"]["by_format"].items():
        for program, means in programs.items():
            say(f"{ending:5} {program:12} {means}")


if __name__ == "__main__":
    main()
