"""The responses of a simulated DocDB: lists, XML and pages, with measured quirks.

URLs in XML are escaped twice, text from forms three times, and characters beyond
Latin-1 once more; the header always declares ISO-8859-1.
"""

import html
from collections.abc import Iterable
from urllib.parse import quote

from simulators.docdb.model import DocDBModel, Version

PROJECT = "LARCH"
_MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()


def stored(text: str) -> str:
    """Return text as DocDB stores it: with entities, escaped twice beyond Latin-1."""
    parts = []
    for character in text:
        code = ord(character)
        if code > 255:
            parts.append(f"&#x26;#{code};")
        elif code > 126 or character in "<>&'\"":
            parts.append(f"&#x{code:X};")
        else:
            parts.append(character)
    return "".join(parts)


class Pages:
    """Renders the responses of one endpoint for a user with these groups."""

    def __init__(self, model: DocDBModel, url: str, groups: Iterable[str]) -> None:
        self.model, self.url, self.groups = model, url, frozenset(groups)

    # ── lists ─────────────────────────────────────────────────────────────────────

    def list(self, rows: Iterable[tuple[int, int]], *, is_short: bool) -> bytes:
        """Return a list page with one row per document."""
        lines = []
        for number, version in rows:
            versions = self.model.documents[number]
            old = f"&amp;version={version}" if version != max(versions) else ""
            title = f'title="{PROJECT}-doc-{number}-v{version}"'
            link = f'<a href="{self.url}/ShowDocument?docid={number}{old}" {title}>'
            cells = f'<td class="Docid">{link}{number}-v{version}</a></td>\n'
            if not is_short:
                title_text = versions[version].title
                text = title_text if versions[version].stored else stored(title_text)
                cells += f'<td class="Title">{link}{text}</a></td>\n'
            lines.append(f'<tr>\n{cells}<td class="Updated">01 May 2024</td>\n</tr>')
        table = ""
        if lines:
            head = '<thead><tr>\n<th class="Docid">#</th></tr></thead><tbody>'
            body = "\n".join(lines)
            table = f'<table id="DocumentTable">{head}\n{body}\n</tbody></table>'
        count = f"<p><b>Number of documents found: {len(lines)}</b></p>"
        return self._page("All documents", f"{table}\n{count}")

    def groups_page(self) -> bytes:
        """Return the page that lists all groups."""
        rows = [
            f'<tr>\n<td><a href="{self.url}/ListBy?groupid={number}">{name}</a></td>'
            for number, name in self.model.groups.items()
        ]
        return self._page("List of Groups", "<table>" + "\n".join(rows) + "</table>")

    def own_groups(self) -> bytes:
        """Return the page where a user limits a session to some of their groups."""
        rows = [
            f'<option selected="selected" value="{number}">{name}</option>'
            for number, name in self.model.groups.items()
            if name in self.groups
        ]
        select = f'<select name="groups" multiple="multiple">{"".join(rows)}</select>'
        return self._page("Limit Groups", select)

    def members(self) -> bytes:
        """Return the page that lists all groups and their members."""
        rows, lists = [], []
        for name in self.model.groups.values():
            view = "No" if name in self.model.powerless else "Yes"
            cells = (f'<a href="#{name}">{name}</a>', "About it", "No", "Yes", view)
            rows.append(f"<tr><td>{'</td><td>'.join(cells)}</td></tr>")
            people = self.model.members.get(name, [])
            some = "these members:" if people else "no members."
            head = f'<p><a name="{name}" /><strong>{name} has {some}</strong></p>'
            items = "".join(
                f"<li>Some Body (SSO:{stored_at(sso)}, {stored_at(mail)})</li>\n"
                for sso, mail in people
            )
            lists.append(head + (f"\n<ul>\n{items}</ul>" if people else ""))
        return self._page("Users", f"<table>{''.join(rows)}</table>{''.join(lists)}")

    def statistics(self) -> bytes:
        """Return the page with the number of documents."""
        total = len(self.model.documents)
        row = f"<tr><th>Total number of Documents:          </th><td>{total}</td></tr>"
        return self._page("Statistics", f'<table id="StatisticsTable">{row}</table>')

    # ── one document ──────────────────────────────────────────────────────────────

    def xml(self, number: int, version: int | None) -> bytes:
        """Return the XML of a version or the latest; an empty root if not visible."""
        versions = self.model.documents.get(number, {})
        chosen = version or max(versions, default=0)
        is_shown = chosen in self.model.visible(self.groups, number)
        inner = self._document(number, chosen) if is_shown else ""
        root = f'<docdb href="x" project="{PROJECT}" shortproject="{PROJECT}"'
        tail = f' version="8.9.0">{inner}\n</docdb>' if inner else ' version="8.9.0"/>'
        text = f'<?xml version="1.0" encoding="ISO-8859-1"?>\n{root}{tail}'
        return text.encode("utf-8", "surrogateescape")

    def _document(self, number: int, version: int) -> str:
        versions = self.model.documents[number]
        visible = self.model.visible(self.groups, number)
        others = "".join(f"\n{self._revision(number, v)}/>" for v in visible)
        return (
            f'\n<document href="{self.url}/ShowDocument?docid={number}" id="{number}">'
            f"\n{self._revision(number, version)}>"
            f"{self._facts(number, version, versions[version])}"
            f"\n<otherversions>{others}</otherversions></docrevision></document>"
        )

    def _revision(self, number: int, version: int) -> str:
        place = f"{self.url}/ShowDocument?docid={number}&amp;amp;version={version}"
        modified = self.model.documents[number][version].modified
        return (
            f'<docrevision docid="{number}" href="{place}" modified="{modified}"'
            f' version="{version}"'
        )

    def _facts(self, number: int, version: int, own: Version) -> str:
        def esc(text: str) -> str:
            if not own.stored:
                text = stored(text)
            return text.replace("&", "&amp;").replace("<", "&lt;")

        people = "".join(
            f'<author id="{i}"><fullname>{esc(name)}</fullname></author>'
            for i, name in enumerate(own.authors)
        )
        groups = "".join(
            f'<viewgroup id="{i}"><name>{name}</name></viewgroup>'
            for i, name in self.model.groups.items()
            if name in own.groups
        )
        keywords = "".join(
            f"<keyword>{esc(word)}</keyword>" for word in own.keywords.split()
        )
        topics = "".join(f"<topic><name>{esc(t)}</name></topic>" for t in own.topics)
        event = f"<event><fullname>{esc(own.event)}</fullname></event>"
        refers = "".join(
            f'<xrefto docid="{n}" shortproject="{place}"/>' for place, n in own.refers
        )
        refers += "".join(
            f'<xrefby docid="{n}" shortproject="{PROJECT}"/>' for n in own.referred
        )
        return (
            f"<title>{esc(own.title)}</title><doctype><name>Note</name></doctype>"
            f"{groups}<modifygroup><name>Admin</name></modifygroup>"
            f"<submitter><fullname>Ada Anode</fullname></submitter>{people}{topics}"
            f"{event if own.event else ''}<abstract>{esc(own.abstract)}</abstract>"
            f"{keywords}<note>{esc(own.note)}</note>{refers}"
            f"{self._files(number, version, own)}<publicationinfo></publicationinfo>"
        )

    def _files(self, number: int, version: int, own: Version) -> str:
        place = f"{self.url}/RetrieveFile?docid={number}&amp;amp;version={version}"
        return "".join(
            f'<file href="{place}&amp;amp;filename={quote(name, safe="")}"'
            f' id="{own.rows[name]}" main="{"no" if i else "yes"}">'
            f"<name>{html.escape(name)}</name></file>"
            for i, name in enumerate(own.files)
        )

    def page(self, number: int, version: int | None) -> bytes:
        """Return the HTML page of a version, or the refusal page."""
        versions = self.model.documents.get(number, {})
        latest = max(versions, default=0)
        chosen = version or latest
        label = str(chosen) if versions else ""
        name = f"{PROJECT}-doc-{number}-v{label}"
        if chosen in self.model.visible(self.groups, number):
            return self._page(f"{name}: A title", self._shown(number, versions[chosen]))
        exists = chosen in versions
        more = "" if exists else "<dd>This document does not exist.</dd>"
        refusal = (
            '<dl class="error"><dt>There were fatal errors</dt><dd>You do not have'
            " permission to view this document &#x28;or it does not exist).</dd>"
        )
        return self._page(f"{name}: Not authorized", f"{refusal}{more}</dl>")

    def _shown(self, number: int, own: Version) -> str:
        def day(moment: object) -> str:
            text = str(moment)
            return f"{text[8:10]} {_MONTHS[int(text[5:7]) - 1]} {text[:4]}, 12:30"

        status = f"<h5>(Document Status: {own.status})</h5>" if own.status else ""
        facts = f"<dt>Document Created:</dt><dd>{day(own.modified)}</dd>"
        facts += f"<dt>Contents Revised:</dt>\n<dd>{day(own.modified)}</dd>"
        files = "".join(
            f'<li><a href="x" title="{html.escape(name)}">File</a>'
            f" ({html.escape(name)}, {len(content)} bytes)</li>"
            for name, content in own.files.items()
        )
        return (
            f'<div id="DocTitle"><h1>Title</h1>{status}</div>'
            f'<div id="BasicDocInfo"><dl>{facts}</dl></div>'
            f'<div id="Files"><ul>{files}</ul></div>'
        )

    def no_file(self, number: int, version: int) -> bytes:
        """Return the page that is served instead of a file."""
        text = (
            "You are not authorized to view this document &#x28;or it does not exist)"
        )
        return self._page("File Retrieve Results", f"<p>{text} {number}-{version}</p>")

    def _page(self, title: str, content: str) -> bytes:
        head = f"<html>\n<head>\n<title>{title}</title>\n</head>\n"
        bar = '<div class="DocDBNavBar">[<a href="x">Home</a>]</div>'
        text = f"<!DOCTYPE HTML>\n{head}<body>\n{bar}\n{content}\n</body></html>\n"
        return text.encode("utf-8", "surrogateescape")


def stored_at(address: str) -> str:
    """Return a mail address as escaped on pages."""
    return address.replace("@", "&#x40;")
