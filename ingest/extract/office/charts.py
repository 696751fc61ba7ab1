"""Charts in office files as table rows: a category and its value in each series."""

import posixpath
import zipfile
from collections.abc import Iterator
from itertools import zip_longest
from math import isfinite
from pathlib import Path
from typing import Any

from lxml import etree

from dunegpt.ingest.extract.clean import join_row, to_one_line
from dunegpt.ingest.extract.office.number_formats import format_number
from dunegpt.text.typography import Shift, join_runs

_CATEGORY_AXES = ("{*}catAx", "{*}dateAx")
_PART_BYTES = 4 << 20


def read_chart_rows(chart: Any) -> Iterator[str]:
    """Yield the title of a chart and of its value axes, if any, then its rows.

    The head has the title of the category axis and the names of the series.
    """
    yield from (_read_title(each) for each in _own_titles(chart, "chart"))
    for plot in chart.iter("{*}plotArea"):
        series = list(plot.iter("{*}ser"))
        if not series:
            continue
        axes = [_read_axis_title(axis) for axis in plot.iterchildren(*_CATEGORY_AXES)]
        values = [_read_axis_title(axis) for axis in plot.iterchildren("{*}valAx")]
        if not axes and len(values) > 1:  # a scatter plot: x, then y
            axes, values = values[:1], values[1:]
        named = ", ".join(dict.fromkeys(filter(None, values)))
        if named:
            yield f"Values: {named}"
        columns = [
            _read_values(each, "val") or _read_values(each, "yVal") for each in series
        ]
        categories = _read_values(series[0], "cat") or _read_values(series[0], "xVal")
        names = ("".join(_read_values(each, "tx")) for each in series)
        yield join_row([next(filter(None, axes), ""), *names])
        for cells in zip_longest(categories, *columns, fillvalue=""):
            yield join_row(cells)


def _own_titles(node: Any, name: str) -> Iterator[Any]:
    """Yield the title of a chart, not those of its axes."""
    for parent in [node, *node.iterchildren(f"{{*}}{name}")]:
        yield from parent.iterchildren("{*}title")


def _read_axis_title(axis: Any) -> str:
    return next((_read_title(title) for title in axis.iterchildren("{*}title")), "")


def _read_title(title: Any) -> str:
    return to_one_line(
        " ".join(
            join_runs(
                ("".join(t.text or "" for t in run.iter("{*}t")), _read_shift(run))
                for run in paragraph.iterchildren("{*}r", "{*}fld")
            )
            for paragraph in title.iter("{*}p")
        )
    )


def _read_shift(run: Any) -> Shift:
    for properties in run.iterchildren("{*}rPr"):
        baseline = properties.get("baseline", "0").removesuffix("%")
        if baseline.lstrip("-").isdigit() and int(baseline):
            return "sub" if baseline.startswith("-") else "super"
    return ""


def read_workbook_charts(path: Path) -> dict[int, list[str]]:
    """Return the charts of an Open XML workbook as text, by sheet number."""
    charts: dict[int, list[str]] = {}
    if not zipfile.is_zipfile(path):
        return charts
    with zipfile.ZipFile(path) as package:
        names = set(package.namelist())
        sheets = sum(name.startswith("xl/worksheets/sheet") for name in names)
        for number in range(1, sheets + 1):
            sheet = f"xl/worksheets/sheet{number}.xml"
            for drawing in _related_parts(package, names, sheet, "drawings"):
                for name in _related_parts(package, names, drawing, "charts"):
                    lines = read_chart_rows(_read_part(package, name))
                    charts.setdefault(number, []).append("\n".join(filter(None, lines)))
    return charts


def _related_parts(
    package: zipfile.ZipFile, names: set[str], part: str, folder: str
) -> list[str]:
    """Return the parts in ``xl/FOLDER`` that a part refers to."""
    base, name = posixpath.split(part)
    relations = f"{base}/_rels/{name}.rels"
    if relations not in names:
        return []
    targets = [node.get("Target", "") for node in _read_part(package, relations)]
    paths = [posixpath.normpath(posixpath.join("/", base, t))[1:] for t in targets]
    return [p for p in paths if p in names and p.startswith(f"xl/{folder}/")]


def _read_part(package: zipfile.ZipFile, name: str) -> Any:
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)
    with package.open(name) as stream:
        return etree.fromstring(stream.read(_PART_BYTES), parser)


def _read_values(series: Any, name: str) -> list[str]:
    """Return the cached values of one element of a series, as they are displayed."""
    for part in series.iterchildren(f"{{*}}{name}"):
        levels = list(part.iter("{*}lvl"))
        if len(levels) > 1:
            return _join_levels(levels)
        code = next((node.text or "" for node in part.iter("{*}formatCode")), "General")
        return [_format_value(value.text or "", code) for value in part.iter("{*}v")]
    return []


def _join_levels(levels: list[Any]) -> list[str]:
    """Return categories of several levels, the outer ones first: ``2024 May``."""
    inner = list(levels[0].iterchildren("{*}pt"))
    names = []
    for point in inner:
        at = int(point.get("idx", "0"))
        parts = []
        for level in reversed(levels):
            points = [
                p for p in level.iterchildren("{*}pt") if int(p.get("idx", 0)) <= at
            ]
            parts.append(
                "".join(v.text or "" for v in points[-1].iter("{*}v")) if points else ""
            )
        names.append(" ".join(filter(None, parts)))
    return names


def _format_value(value: str, code: str) -> str:
    """Return a number as displayed, without binary rounding noise; or the text."""
    try:
        number = float(f"{float(value):.12g}")
    except ValueError:
        return value
    return format_number(number, code) if isfinite(number) else value
