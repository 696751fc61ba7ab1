"""Exports of a simulated EDMS: a document list (CSV or JSON) and a folder of files."""

import csv
import io
import json
from pathlib import Path

from simulators.edms.model import FORMS, STATUSES, EdmsModel
from simulators.edms.site import OTHER, ROOT

HEAD = "EDMS Id;Version;Title;Document Type;Status;Authors;Status Date;Nodes;Files"
_KINDS = ("Report", "Specification", "Technical Drawing", "Minutes")


def fill(model: EdmsModel, documents: int) -> None:
    """Add documents with all statuses and version formats to an EDMS."""
    if ROOT not in model.nodes:
        model.node(ROOT, "Cold electronics")
        model.node(OTHER, "Elsewhere")
    for count in range(documents):
        form = FORMS[count % len(FORMS)]
        node = (ROOT, OTHER)[count % 5 == 4]
        number = model.add(f"Item {count}", node, version=form[0])
        for version in form[1 : 1 + count % 3]:
            model.add_version(number, version, title=f"Item {count}")
        for position, version in enumerate(model.documents[number]):
            record = model.documents[number][version]
            record.status = STATUSES[(count + position) % len(STATUSES)]
            record.kind = _KINDS[count % len(_KINDS)]
            if count % 7 == 3:
                model.open(number, version, "note.txt")
            if count % 50 == 9:
                model.put_file(number, version, "hall.stp", b"ISO-10303-21;")


def rows(model: EdmsModel) -> list[dict[str, str]]:
    """Return the rows of the document list, one per version."""
    records = []
    for number, versions in model.documents.items():
        nodes = [ref for ref, node in model.nodes.items() if number in node.documents]
        for version, record in versions.items():
            values = (
                number,
                version,
                record.title,
                record.kind,
                record.status,
                "; ".join(record.authors),
                record.day.isoformat(),
                "|".join(nodes),
                "; ".join(record.files),
            )
            records.append(dict(zip(HEAD.split(";"), values, strict=True)))
    return records


def write(model: EdmsModel, folder: Path, *, as_json: bool = False) -> dict[str, str]:
    """Write an export into a folder; return the source options for it."""
    files = folder / "files"
    for number, versions in model.documents.items():
        for version, record in versions.items():
            target = files / number / version
            target.mkdir(parents=True, exist_ok=True)
            for name, body in record.files.items():
                path = target / name
                if not path.is_file() or path.read_bytes() != body:
                    path.write_bytes(body)
    files.mkdir(exist_ok=True)
    table = rows(model)
    if as_json:
        path, text = folder / "list.json", json.dumps({"documents": table})
    else:
        stream = io.StringIO()
        writer = csv.DictWriter(stream, HEAD.split(";"), delimiter=";")
        writer.writeheader()
        writer.writerows(table)
        path, text = folder / "list.csv", stream.getvalue()
    path.write_text(text, encoding="utf-8")
    return {"transport": "export", "list": str(path), "files": str(files)}
