"""The suites with real programs: when they run in full, and what is recorded."""

import shutil
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tests.real import run
from tests.real.run import Plan, Result, make_plan
from tests.real.suites import (
    ROOT,
    SUITES,
    Proof,
    Suite,
    hash_inputs,
    input_files,
    is_unchanged,
    read_proofs,
    rotate,
    write_proof,
)

FILES = {
    "constraints.txt": "numpy==2\n",
    "ingest/crawl.py": "",
    "ingest/indico/client.py": "",
    "ingest/docdb/client.py": "",
    "simulators/indico/seed.sql": "",
    "simulators/indico/server.py": "from simulators import processes\n",
    "simulators/__init__.py": "",
    "simulators/processes.py": "",
    "simulators/docdb.py": "",
    "tests/conftest.py": "from tests.encoder import make_encoder\n",
    "tests/encoder.py": "",
    "tests/real/conftest.py": "",
    "tests/real/indico/test_crawl.py": "import simulators.indico.server\n",
    "tests/real/test_push.py": "",
    "tests/real/proven.toml": "",
    "README.md": "",
}
SUITE = Suite(
    "indico",
    tests=("tests/real/indico/test_crawl.py",),
    inputs=("ingest/*.py", "ingest/indico", "simulators/indico"),
)
INPUTS = sorted(
    set(FILES)
    - {
        "ingest/docdb/client.py",
        "simulators/docdb.py",
        "tests/real/test_push.py",
        "tests/real/proven.toml",
        "README.md",
    }
)
PROOF = Proof("0" * 64, passed=3, seconds=61, date="2026-11-30")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    root = tmp_path / "checkout"
    for name, content in FILES.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return root


@pytest.mark.parametrize("name", INPUTS)
def test_a_changed_input_changes_the_hash(checkout: Path, name: str) -> None:
    before = hash_inputs(SUITE, checkout)
    with (checkout / name).open("a") as out:
        out.write("# changed\n")
    assert hash_inputs(SUITE, checkout) != before


@pytest.mark.parametrize("name", sorted(set(FILES) - set(INPUTS)))
def test_another_file_does_not(checkout: Path, name: str) -> None:
    before = hash_inputs(SUITE, checkout)
    (checkout / name).write_text("# changed\n")
    assert hash_inputs(SUITE, checkout) == before


def test_files_that_are_added_moved_or_removed_change_the_hash(checkout: Path) -> None:
    hashes = [hash_inputs(SUITE, checkout)]
    module = checkout / "ingest" / "indico" / "events.py"
    module.write_text("")
    hashes.append(hash_inputs(SUITE, checkout))
    module.rename(module.with_name("schedule.py"))
    hashes.append(hash_inputs(SUITE, checkout))
    assert len(set(hashes)) == 3
    module.with_name("schedule.py").unlink()
    assert hash_inputs(SUITE, checkout) == hashes[0]


def test_neither_place_nor_times_nor_caches_matter(
    checkout: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "elsewhere"
    shutil.copytree(checkout, copy, copy_function=shutil.copyfile)
    cache = copy / "ingest" / "indico" / "__pycache__"
    cache.mkdir()
    (cache / "client.cpython-311.pyc").write_bytes(b"\0")
    assert hash_inputs(SUITE, copy) == hash_inputs(SUITE, checkout)


def test_an_input_that_does_not_exist_is_an_error(checkout: Path) -> None:
    for suite in (
        replace(SUITE, inputs=("ingest/gone",)),
        replace(SUITE, tests=("tests/real/test_gone.py",)),
    ):
        with pytest.raises(ValueError, match="gone"):
            input_files(suite, checkout)


def test_a_proof_is_kept_until_an_input_changes(checkout: Path) -> None:
    path = checkout / "tests" / "real" / "proven.toml"
    other = replace(PROOF, passed=1)
    write_proof("push", other, path)
    assert not is_unchanged(SUITE, read_proofs(path), checkout)
    write_proof("indico", replace(PROOF, inputs=hash_inputs(SUITE, checkout)), path)
    assert is_unchanged(SUITE, read_proofs(path), checkout)
    assert read_proofs(path)["push"] == other
    (checkout / "constraints.txt").write_text("numpy==3\n")
    assert not is_unchanged(SUITE, read_proofs(path), checkout)


def test_every_file_with_real_programs_is_in_one_suite() -> None:
    listed = [name for suite in SUITES for name in suite.tests]
    found = (ROOT / "tests" / "real").rglob("test_*.py")
    assert sorted(listed) == sorted(p.relative_to(ROOT).as_posix() for p in found)
    assert len({suite.name for suite in SUITES}) == len(SUITES)


@pytest.mark.parametrize("suite", SUITES, ids=lambda s: s.name)
def test_the_inputs_of_each_suite_exist_and_it_has_a_smoke_test(suite: Suite) -> None:
    files = {path.relative_to(ROOT).as_posix() for path in input_files(suite)}
    assert {*suite.tests, "tests/conftest.py", "constraints.txt"} <= files
    assert not files & {"tests/real/proven.toml", "tests/real/run.py"}
    sources = [(ROOT / name).read_text(encoding="utf-8") for name in suite.tests]
    assert any("pytest.mark.smoke" in source for source in sources)


def test_what_changed_runs_in_full_and_of_the_rest_one_by_rotation() -> None:
    changed, *unchanged = SUITES
    plans = [make_plan(SUITES, unchanged, n) for n in range(2 * len(SUITES))]
    assert {plan.full for plan in plans} == {(changed,)}
    assert {plan.smoke for plan in plans} == {tuple(unchanged)}
    long = [suite for suite in unchanged if not suite.whole_is_smoke]
    assert {plan.turn for plan in plans} == set(long)
    assert plans[0].turn != plans[1].turn
    assert make_plan(SUITES, [], 7) == Plan(tuple(SUITES))
    assert rotate([], 7) is None


@pytest.fixture
def done(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Give the names of the suites that ran in full, without running them."""
    names: list[str] = []

    def run_full(suite: Suite) -> Result:
        names.append(suite.name)
        return Result(suite.name, 1, passed=1)

    monkeypatch.setattr(run, "run_full", run_full)
    monkeypatch.setattr(run, "run_smoke", lambda suites: Result("smoke", 1, passed=1))
    return names


@pytest.mark.parametrize(("elapsed", "turns"), [(2300, ["indico"]), (2350, [])])
def test_rotation_only_while_there_is_time(
    done: list[str], elapsed: float, turns: list[str]
) -> None:
    plan = Plan((), (SUITE,), SUITE)
    results = run.run_plan(plan, {"indico": PROOF}, elapsed)
    assert done == turns
    assert [r.name for r in results] == ["smoke", *turns]


def test_one_suite_on_all_cores_runs_alone(done: list[str]) -> None:
    suites = [replace(SUITE, name="a", cores=2), replace(SUITE, name="b"), SUITE]
    results = run.run_plan(Plan(tuple(suites)), {}, 0)
    assert [r.name for r in results] == ["b", "indico", "a"]
    assert done[-1] == "a"


def test_a_skipped_test_is_a_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    test = tmp_path / "test_part.py"
    test.write_text("import pytest\ndef test_a(): pass\ndef test_b(): pytest.skip()\n")
    result = run.run_pytest("part", [str(test), "-c", str(tmp_path / "pytest.ini")])
    assert (result.passed, result.fault) == (1, "1 skipped, 1 passed")
    printed = capsys.readouterr().out
    assert "SKIPPED [1]" in printed
    assert str(result) in printed


@pytest.mark.parametrize(
    ("attributes", "passed", "skipped"),
    [
        ('tests="9" failures="0" errors="0" skipped="0"', 9, 0),
        ('tests="9" failures="3" errors="1" skipped="2"', 3, 2),
        ('tests="0" failures="0" errors="1"', 0, 0),
    ],
)
def test_a_report_is_counted(
    tmp_path: Path, attributes: str, passed: int, skipped: int
) -> None:
    report = tmp_path / "junit.xml"
    assert run.count(report) == (0, 0)
    report.write_text(f"<testsuites><testsuite {attributes}/></testsuites>")
    assert run.count(report) == (passed, skipped)


@pytest.mark.parametrize(
    ("fault", "hashes", "recorded"),
    [("", "aa", True), ("exit code 1", "aa", False), ("", "ab", False)],
    ids=["passed", "failed", "edited meanwhile"],
)
def test_only_a_suite_that_passes_is_recorded(
    monkeypatch: pytest.MonkeyPatch, fault: str, hashes: str, recorded: bool
) -> None:
    written: dict[str, Proof] = {}
    values = iter(hashes)
    result = Result("indico", 12.4, passed=3, fault=fault)
    monkeypatch.setattr(run, "hash_inputs", lambda _: next(values))
    monkeypatch.setattr(run, "run_pytest", lambda *_: result)
    monkeypatch.setattr(run, "write_proof", written.__setitem__)
    assert run.run_full(SUITE) == result
    assert (SUITE.name in written) == recorded
    if recorded:
        proof = written[SUITE.name]
        assert (proof.inputs, proof.passed, proof.seconds) == ("a", 3, 12)


def test_what_would_run_is_listed() -> None:
    proofs = {"indico": PROOF, "push": PROOF}
    push = replace(SUITE, name="push")
    plan = Plan((SUITE, replace(SUITE, name="new")), (push,), push)
    assert run.describe(plan, proofs) == [
        "indico: last passed on 2026-11-30: full run",
        "new: no recorded result: full run",
        "push: unchanged since it passed on 2026-11-30: smoke only, "
        "then in full by rotation",
    ]


def test_an_unknown_suite_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["run", "pull"])
    with pytest.raises(SystemExit):
        run.main()
    assert "no suite pull; there are indico" in capsys.readouterr().err
