"""The table of runs: any columns that logs have, to months, and what is refused."""

import json
from datetime import datetime

import pytest

from dunegpt.errors import SourceFormatError
from dunegpt.ingest.elog.run_table import BeamRun, parse_run_table
from simulators.elog.site import SHIFT, LogSite

T = datetime(2026, 10, 3, 4, 12)
RUN = BeamRun(28871, T, datetime(2026, 10, 3, 9), "on", "LArTPC running", "quiet")


@pytest.mark.parametrize(
    "text",
    [
        "run,start,stop,beam,detector state,comment\n"
        "28871,2026-10-03 04:12:00,2026-10-03 09:00:00,on,LArTPC running,quiet\n",
        "Run Number;Begin;End;Beam Status;Detector;Remarks\r\n"
        "28871;10/03/2026 04:12:00;10/03/2026 09:00:00;on;LArTPC running;quiet\r\n",
        "\ufeffRUN_NUMBER\tstart_time\tend_time\tBEAM\tstatus\tnote\n"
        "#28871\t2026-10-03T04:12:00\t1791018000\ton\tLArTPC running\tquiet\n",
        json.dumps(
            {
                "count": 1,
                "runs": [
                    {
                        "id": 28871,
                        "started": "2026-10-03T04:12:00",
                        "stopped": "2026-10-03T09:00:00",
                        "beam": True,
                        "state": "LArTPC running",
                        "comment": "quiet",
                    }
                ],
            }
        ),
    ],
)
def test_columns_as_logs_have_them(text: str) -> None:
    table = parse_run_table(text.encode(), {})
    assert (table.runs, table.problems) == ([RUN], [])


def test_columns_that_the_settings_name() -> None:
    text = "Nr,Anfang,Zustand\n7,2026-10-03 04:12:00,kalt\n"
    own = {"run": "Nr", "start": "Anfang", "detector state": "Zustand"}
    assert parse_run_table(text.encode(), own).runs == [BeamRun(7, T, state="kalt")]


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("", "no column for 'run'"),
        ("a,b\n1,2\n", "no column for 'run'"),
        ("run,stop\n1,2\n", "no column for 'start'"),
        ("<!doctype html><p>Log in", "HTML page"),
        ('[{"run": 1', "truncated"),
        ('{"rows": []}', "not a list of rows"),
        ('{"runs": [], "count": 3}', "3 are promised"),
        ("[1, 2]", "not a list of rows"),
    ],
)
def test_what_is_no_table(text: str, named: str) -> None:
    with pytest.raises(SourceFormatError, match=named):
        parse_run_table(text.encode(), {})


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ("x,2026-10-03 04:12:00,", "number of the run"),
        ("-1,2026-10-03 04:12:00,", "number of the run"),
        ("1,yesterday,", "no time"),
        ("1,,", "no time"),
        ("1,2026-10-03 04:12:00,2026-10-02 00:00:00", "stops before"),
    ],
)
def test_a_row_that_cannot_be_read(row: str, why: str) -> None:
    good = "2,2026-10-03 04:12:00,"
    table = parse_run_table(f"run,start,stop\n{row}\n\n{good}\n".encode(), {})
    assert [run.number for run in table.runs] == [2]
    [(line, told)] = table.problems
    assert line == 2 and why in told


@pytest.fixture
def site(tmp_path: object) -> LogSite:
    made = LogSite(tmp_path)  # type: ignore[arg-type]
    made.model.recent()
    made.model.take_runs("2026-09-28", 150, ["LArTPC running", "cosmics"])
    made.configure(runs_url="https://log.test/ECL/larch/runs.csv")
    return made


def rows(site: LogSite) -> list[str]:
    """Return all rows of all months, heads left out."""
    months = [n for n, d in site.documents().items() if d.kind == "runs"]
    return [
        line
        for name in sorted(months)
        for line in site.text(name, "runs").splitlines()[1:]
    ]


def expected(site: LogSite) -> list[str]:
    return [
        f"{r.number},{r.start},{r.stop or ''},{r.beam},{r.state},{r.comment}"
        for r in site.model.runs
    ]


def test_months(site: LogSite) -> None:
    assert site.crawl().error == ""
    found = {n: d for n, d in site.documents().items() if d.kind == "runs"}
    assert list(found) == ["log:runs-2026-09", "log:runs-2026-10", "log:runs-2026-11"]
    october = found["log:runs-2026-10"]
    assert october.title == "Runs of log, October 2026"
    assert str(october.date) == "2026-10-31"
    assert october.access == october.files[0].access == {SHIFT}
    assert rows(site) == expected(site)


def test_only_the_month_that_changed_is_new(site: LogSite) -> None:
    site.model.runs[-1].stop = None
    site.crawl()
    site.model.runs[-1].stop = datetime(2026, 11, 4, 12)
    site.model.runs[-1].comment = "a | b, c"
    report = site.crawl()
    assert (report.changed, report.new) == (1, 0)
    assert rows(site)[-1].endswith(',"a / b, c"')
    site.model.runs = [r for r in site.model.runs if r.start.month != 11]
    report = site.crawl()
    assert (report.removed, report.error) == (1, "")
    assert "log:runs-2026-11" not in site.documents()


@pytest.mark.slow
def test_a_table_that_lost_much_is_left_as_it_was(site: LogSite) -> None:
    site.crawl()
    whole = rows(site)
    del site.model.runs[40:]
    report = site.crawl()
    assert "has 40 runs; 150 are known" in report.error
    assert rows(site) == whole
    assert site.crawl(full=True).error == ""
    assert rows(site) == expected(site)


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["login", "page", "gone", "text", "error"])
def test_a_table_that_is_none_removes_nothing(site: LogSite, fault: str) -> None:
    site.crawl()
    whole = rows(site)
    late = site.model.recent()
    site.model.faults = {"runs.csv": fault}
    assert site.crawl().error.startswith("Source")
    assert rows(site) == whole
    assert late.number in site.entries()


def test_rows_that_cannot_be_read_and_rows_that_differ(site: LogSite) -> None:
    good = site.model.table
    bad = good() + b"x,2026-10-03,,,,\n28000,2026-10-03 00:00:00,,on,other,\n"
    site.model.table = lambda: bad  # type: ignore[method-assign]
    report = site.crawl()
    assert report.error == ""
    assert report.warnings == ["Runs with differing rows: 28000."]
    assert "1 rows cannot be read; line 152" in site.failures()["log:runs"]
    assert len(rows(site)) == 151
    site.model.table = good  # type: ignore[method-assign]
    assert site.crawl().failed == 0
    assert site.failures() == {}
