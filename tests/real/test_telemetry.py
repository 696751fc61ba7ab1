"""A chat that stays open for 90 s, and indexing with torch, send nothing.

onnxruntime asks for its server's address about 8 s after it was imported.
"""

import importlib.metadata
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from dunegpt.index.encoder.batch import is_installed
from tests.real.conftest import absent, require_programs
from tests.test_telemetry import (
    FACT,
    QUESTION,
    UNAVAILABLE,
    files_under,
    run_python,
)

SECONDS = 90
LENGTH = "The length of the far detector is 58 m."
ASKED = (QUESTION, "and its length?", "Who wrote that?", QUESTION)
ONNXRUNTIME = "import onnxruntime, time; time.sleep(20)"
HOST = "mobile.events.data.microsoft.com"
LINKED = "tracker.example.org"
ODT = "application/vnd.oasis.opendocument.text"
CONTENT = f"""<?xml version="1.0"?>
<office:document-content office:version="1.2"
  xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0"
  xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0"
  xmlns:draw="urn:oasis:names:tc:opendocument:xmlns:drawing:1.0"
  xmlns:xlink="http://www.w3.org/1999/xlink">
<office:body><office:text><text:p>{FACT}<draw:frame><draw:image
  xlink:href="http://{LINKED}/pixel.png" xlink:type="simple" xlink:actuate="onLoad"/>
</draw:frame></text:p></office:text></office:body></office:document-content>"""
MANIFEST = f"""<?xml version="1.0"?>
<manifest:manifest manifest:version="1.2"
  xmlns:manifest="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0">
<manifest:file-entry manifest:full-path="/" manifest:media-type="{ODT}"/>
<manifest:file-entry manifest:full-path="content.xml" manifest:media-type="text/xml"/>
</manifest:manifest>"""

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def network() -> None:
    """End the test where no network can be isolated."""
    if UNAVAILABLE:
        absent("isolated network", UNAVAILABLE)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Give the empty home of the programs that are watched."""
    folder = tmp_path / "watched"
    folder.mkdir()
    return folder


@pytest.mark.smoke
def test_onnxruntime_without_the_opt_out_is_seen(home: Path) -> None:
    """Show that the tests below see what they look for."""
    version = tuple(map(int, importlib.metadata.version("onnxruntime").split(".")[:2]))
    if version < (1, 29):
        pytest.skip("onnxruntime sends telemetry since 1.29")
    run = run_python(home, "-c", ONNXRUNTIME)
    assert HOST in {packet.name for packet in run.packets}
    assert any("DeveloperTools" in name for name in files_under(home))


@pytest.mark.smoke
@pytest.mark.smoke
def test_onnxruntime_with_the_opt_out_is_silent(home: Path) -> None:
    run = run_python(home, "-c", f"import dunegpt; {ONNXRUNTIME}")
    assert not run.packets
    assert files_under(home) == []


def test_a_chat_of_90_s_sends_nothing_and_leaves_no_file(
    config_file: Callable[[str], Path], papers: Path, home: Path
) -> None:
    (papers / "field.txt").write_text(FACT)
    (papers / "length.txt").write_text(LENGTH)
    config = config_file("")
    for command in ("crawl", "index"):
        run_python(home, "-m", "dunegpt", "--config", str(config), command)
    chat = ["-m", "tests.open_chat", str(config), str(SECONDS), *ASKED]
    run = run_python(home, *chat, timeout_s=SECONDS + 60)
    assert run.stdout.count("475 V/cm") >= 2
    assert "exit code 0" in run.stdout
    assert not run.packets
    assert files_under(home) == []


@pytest.mark.model
@pytest.mark.skipif(not is_installed(), reason="needs the [embed] extra")
def test_torch_and_sentence_transformers_send_nothing(
    tmp_path: Path, papers: Path, home: Path
) -> None:
    (papers / "field.txt").write_text(FACT)
    config = tmp_path / "dunegpt.toml"
    config.write_text(
        f'data_dir = "data"\n[sources.papers]\ntype = "folder"\npath = "{papers}"\n'
        'access = ["public"]\n'
    )
    for command in (["crawl"], ["index"], ["ask", QUESTION]):
        line = ["-m", "dunegpt", "--config", str(config), *command]
        run = run_python(home, *line, timeout_s=300)
        assert not run.packets, command
    assert FACT in run.stdout
    assert files_under(home) == []


def write_linked_picture(path: Path) -> None:
    """Write a document with a picture that lies on a web server."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("mimetype", ODT)
        archive.writestr("content.xml", CONTENT)
        archive.writestr("META-INF/manifest.xml", MANIFEST)


def test_libreoffice_fetches_a_linked_picture_on_its_own(home: Path) -> None:
    """Show that the test below sees what it looks for."""
    require_programs("soffice")
    write_linked_picture(home / "linked.odt")
    profile = f"-env:UserInstallation={(home / 'profile').as_uri()}"
    line = ["soffice", profile, "--headless", "--convert-to", "docx"]
    line += ["--outdir", str(home / "out"), str(home / "linked.odt")]
    code = f"import subprocess; subprocess.run({line}, check=True)"
    packets = run_python(home, "-c", code, timeout_s=180).packets
    assert LINKED in {packet.name for packet in packets}


def test_reading_a_document_fetches_no_linked_picture(
    config_file: Callable[[str], Path], papers: Path, home: Path
) -> None:
    require_programs("soffice")
    write_linked_picture(papers / "linked.odt")
    config = str(config_file(""))
    for command in (["crawl"], ["index"], ["ask", QUESTION]):
        line = ["-m", "dunegpt", "--config", config, *command]
        run = run_python(home, *line, timeout_s=180)
        assert not run.packets, command
    assert FACT in run.stdout
