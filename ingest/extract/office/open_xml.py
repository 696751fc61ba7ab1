"""Parts of Open XML packages: reading, relations, alternative content.

Knows the packaging only, not what the parts say.
"""

import posixpath
import zipfile
from collections.abc import Iterator
from functools import cache, lru_cache
from typing import Any

from lxml import etree

from dunegpt.errors import ExtractError

_PART_BYTES = 200 << 20
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")
_SPEAKING = {"t", "oMath", "chart", "relIds", "sym", "oleObj", "OLEObject", "textpath"}


@cache
def _make_parser() -> etree.XMLParser:
    return etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, collect_ids=False
    )


@lru_cache(maxsize=4096)
def _cut_namespace(tag: str) -> str:
    return tag.rpartition("}")[2]


def parse_xml(content: bytes) -> Any:
    """Return a part as XML, without resolving entities or network addresses."""
    return etree.fromstring(content, _make_parser())


def read_bytes(package: zipfile.ZipFile, name: str) -> bytes:
    """Return a package part.

    Raises:
        ExtractError: The part is larger than the limit.
    """
    with package.open(name) as stream:
        content = stream.read(_PART_BYTES + 1)
    if len(content) > _PART_BYTES:
        raise ExtractError(f"{name} unpacks to over {_PART_BYTES >> 20} MB.")
    return content


def read_part(package: zipfile.ZipFile, name: str) -> Any:
    """Return a package part as XML, with one branch of each alternative.

    Raises:
        ExtractError: The part is larger than the limit.
    """
    content = read_bytes(package, name)
    root = parse_xml(content)
    if b"AlternateContent" in content or content.startswith(_UTF_16):
        resolve_alternatives(root)
    return root


def read_relations(package: zipfile.ZipFile, part: str) -> dict[str, str]:
    """Return the names of the parts that a part refers to, by relation id."""
    folder, name = posixpath.split(part)
    relations = f"{folder}/_rels/{name}.rels"
    if relations not in package.namelist():
        return {}
    return {
        relation.get("Id", ""): posixpath.normpath(
            posixpath.join("/", folder, relation.get("Target", ""))
        )[1:]
        for relation in parse_xml(read_bytes(package, relations))
        if relation.get("TargetMode") != "External"
    }


def resolve_alternatives(root: Any) -> None:
    """Put one branch in the place of each ``mc:AlternateContent``.

    That is the first choice that says anything: text, an equation, a chart; else a
    fallback that does; else the first branch.
    """
    for alternative in reversed(list(root.iter("{*}AlternateContent"))):
        parent = alternative.getparent()
        if parent is None:
            continue
        branches = list(alternative.iterchildren("{*}Choice", "{*}Fallback"))
        branch = next(filter(_says_anything, branches), branches[0] if branches else ())
        for child in list(branch):
            alternative.addprevious(child)
        parent.remove(alternative)


def _says_anything(branch: Any) -> bool:
    return any(local_name(node) in _SPEAKING for node in branch.iter())


def local_name(node: Any) -> str:
    """Return an element's name without its namespace; empty for a comment."""
    tag = node.tag
    return _cut_namespace(tag) if isinstance(tag, str) else ""


def get_attribute(node: Any, name: str, default: str = "") -> str:
    """Return an attribute of any namespace."""
    found = node.get(name)
    if found is not None:
        return str(found)
    ending = f"}}{name}"
    for key, value in node.items():
        if key.endswith(ending):
            return str(value)
    return default


def is_on(node: Any) -> bool:
    """Return whether a switch of the format is on: ``<w:strike/>``, ``w:val="0"``."""
    return get_attribute(node, "val", "1") not in {"0", "false", "off", "none", ""}


def iter_diagram_texts(model: Any) -> Iterator[str]:
    """Yield the texts of a diagram (SmartArt) from its data model."""
    for point in model.iter("{*}pt"):
        for body in point.iterchildren("{*}t"):
            paragraphs = (
                "".join(node.text or "" for node in paragraph.iter("{*}t"))
                for paragraph in body.iter("{*}p")
            )
            if text := " ".join(filter(None, paragraphs)):
                yield text
