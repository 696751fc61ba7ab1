"""What a DocDB in memory answers: lists, XML, pages, with quirks as measured.

Addresses in XML are escaped twice, text typed into forms three times over, characters
beyond latin-1 once more; the header says ISO-8859-1 whatever comes.
"""

import html
from collections.abc import Iterable
from urllib.parse import quote

from tests.servers.docdb_model import DocDBModel, Version

PROJECT = "LARCH"
_MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()


def stored(text: str) -> str:
    """Return text as a form stores it: entities, doubly so beyond latin-1."""
    found = []
    for mark in text:
        code = ord(mark)
        if code > 255:
            found.append(f"&#x26;#{code};")
        elif code > 126 or mark in "<>&'\"":
            found.append(f"&#x{code:X};")
        else:
            found.append(mark)
    return "".join(found)


class Pages:
    """Answers for one door: its address, and the groups of who looks."""

    def __init__(self, model: DocDBModel, url: str, groups: Iterable[str]) -> None:
        self.model, self.url, self.groups = model, url, frozenset(groups)

    # ── lists ─────────────────────────────────────────────────────────────────────

    def list(self, rows: Iterable[tuple[int, int]], *, is_short: bool) -> bytes:
        """Return a page with one row for each document."""
        lines = []
        for number, version in rows:
            own = self.model.documents[number]
            old = f"&amp;version={version}" if version != max(own) else ""
            title = f'title="{PROJECT}-doc-{number}-v{version}"'
            link = f'<a href="{self.url}/ShowDocument?docid={number}{old}" {title}>'
            cells = f'<td class="Docid">{link}{number}-v{version}</a></td>\n'
            if not is_short:
                shown = own[version].title
                text = shown if own[version].stored else stored(shown)
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
        """Return the page with all groups."""
        rows = [
            f'<tr>\n<td><a href="{self.url}/ListBy?groupid={number}">{name}</a></td>'
            for number, name in self.model.groups.items()
        ]
        return self._page("List of Groups", "<table>" + "\n".join(rows) + "</table>")

    def own_groups(self) -> bytes:
        """Return the page where a login limits itself to some of its groups."""
        rows = [
            f'<option selected="selected" value="{number}">{name}</option>'
            for number, name in self.model.groups.items()
            if name in self.groups
        ]
        select = f'<select name="groups" multiple="multiple">{"".join(rows)}</select>'
        return self._page("Limit Groups", select)

    def members(self) -> bytes:
        """Return the page with all groups and their members."""
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
        """Return the page with the count of all documents."""
        total = len(self.model.documents)
        row = f"<tr><th>Total number of Documents:          </th><td>{total}</td></tr>"
        return self._page("Statistics", f'<table id="StatisticsTable">{row}</table>')

    # ── one document ──────────────────────────────────────────────────────────────

    def xml(self, number: int, version: int | None) -> bytes:
        """Return the XML of a version, or of the latest; an empty root if closed."""
        own = self.model.documents.get(number, {})
        chosen = version or max(own, default=0)
        is_shown = chosen in self.model.visible(self.groups, number)
        inner = self._document(number, chosen) if is_shown else ""
        root = f'<docdb href="x" project="{PROJECT}" shortproject="{PROJECT}"'
        tail = f' version="8.9.0">{inner}\n</docdb>' if inner else ' version="8.9.0"/>'
        text = f'<?xml version="1.0" encoding="ISO-8859-1"?>\n{root}{tail}'
        return text.encode("utf-8", "surrogateescape")

    def _document(self, number: int, version: int) -> str:
        own = self.model.documents[number]
        shown = self.model.visible(self.groups, number)
        others = "".join(f"\n{self._revision(number, v)}/>" for v in shown)
        return (
            f'\n<document href="{self.url}/ShowDocument?docid={number}" id="{number}">'
            f"\n{self._revision(number, version)}>"
            f"{self._facts(number, version, own[version])}"
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
        def told(text: str) -> str:
            if not own.stored:
                text = stored(text)
            return text.replace("&", "&amp;").replace("<", "&lt;")

        people = "".join(
            f'<author id="{i}"><fullname>{told(name)}</fullname></author>'
            for i, name in enumerate(own.authors)
        )
        groups = "".join(
            f'<viewgroup id="{i}"><name>{name}</name></viewgroup>'
            for i, name in self.model.groups.items()
            if name in own.groups
        )
        keywords = "".join(
            f"<keyword>{told(word)}</keyword>" for word in own.keywords.split()
        )
        topics = "".join(f"<topic><name>{told(t)}</name></topic>" for t in own.topics)
        event = f"<event><fullname>{told(own.event)}</fullname></event>"
        refers = "".join(
            f'<xrefto docid="{n}" shortproject="{place}"/>' for place, n in own.refers
        )
        refers += "".join(
            f'<xrefby docid="{n}" shortproject="{PROJECT}"/>' for n in own.referred
        )
        return (
            f"<title>{told(own.title)}</title><doctype><name>Note</name></doctype>"
            f"{groups}<modifygroup><name>Admin</name></modifygroup>"
            f"<submitter><fullname>Ada Anode</fullname></submitter>{people}{topics}"
            f"{event if own.event else ''}<abstract>{told(own.abstract)}</abstract>"
            f"{keywords}<note>{told(own.note)}</note>{refers}"
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
        """Return the page for people of a version, or what refuses it."""
        own = self.model.documents.get(number, {})
        latest = max(own, default=0)
        chosen = version or latest
        shown = str(chosen) if own else ""
        name = f"{PROJECT}-doc-{number}-v{shown}"
        if chosen in self.model.visible(self.groups, number):
            return self._page(f"{name}: A title", self._shown(number, own[chosen]))
        exists = chosen in own
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
        """Return the page that comes in the place of a file."""
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
    """Return a mail address as pages show it."""
    return address.replace("@", "&#x40;")
