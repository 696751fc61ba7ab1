"""Charts of office files as rows: a category, then its value in each series."""

import posixpath
import zipfile
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path
from typing import Any

from lxml import etree

from dunegpt.ingest.extract.clean import row

_PART_BYTES = 4 << 20


def rows(chart: Any) -> Iterator[str]:
    """Yield the title of a chart's XML, if it has one, then its rows."""
    for title in chart.iter("{*}title"):
        yield "".join(node.text or "" for node in title.iter("{*}t"))
        break
    for plot in chart.iter("{*}plotArea"):
        series = list(plot.iter("{*}ser"))
        if not series:
            continue
        columns = [_values(each, "val") or _values(each, "yVal") for each in series]
        places = _values(series[0], "cat") or _values(series[0], "xVal")
        yield row(["", *("".join(_values(each, "tx")) for each in series)])
        for cells in zip_longest(places, *columns, fillvalue=""):
            yield row(cells)


def of_workbook(path: Path) -> dict[int, list[str]]:
    """Return the charts of an Open XML workbook by the number of their sheet."""
    found: dict[int, list[str]] = {}
    if not zipfile.is_zipfile(path):
        return found
    with zipfile.ZipFile(path) as package:
        names = set(package.namelist())
        sheets = sum(name.startswith("xl/worksheets/sheet") for name in names)
        for number in range(1, sheets + 1):
            sheet = f"xl/worksheets/sheet{number}.xml"
            for drawing in _related(package, names, sheet, "drawings"):
                for name in _related(package, names, drawing, "charts"):
                    lines = rows(_part(package, name))
                    found.setdefault(number, []).append("\n".join(filter(None, lines)))
    return found


def _related(
    package: zipfile.ZipFile, names: set[str], part: str, folder: str
) -> list[str]:
    """Return the parts in a folder that a part refers to."""
    base, name = posixpath.split(part)
    relations = f"{base}/_rels/{name}.rels"
    if relations not in names:
        return []
    targets = [each.get("Target", "") for each in _part(package, relations)]
    paths = [posixpath.normpath(posixpath.join("/", base, t))[1:] for t in targets]
    return [p for p in paths if p in names and p.startswith(f"xl/{folder}/")]


def _part(package: zipfile.ZipFile, name: str) -> Any:
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)
    with package.open(name) as stream:
        return etree.fromstring(stream.read(_PART_BYTES), parser)


def _values(series: Any, name: str) -> list[str]:
    """Return the cached values of one part of a series."""
    for part in series.iterchildren(f"{{*}}{name}"):
        return [_short(value.text or "") for value in part.iter("{*}v")]
    return []


def _short(value: str) -> str:
    """Return a number without the noise of binary fractions."""
    try:
        return f"{float(value):.12g}"
    except ValueError:
        return value
