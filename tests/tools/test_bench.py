"""tools/bench: what it writes, and that one row that fails takes no other with it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

from measure import main, marks, report, runs  # noqa: E402

NATIVE_TEXT = """\
operation in ticks=1.00 times=1000 baseline=empty: a port\r
operation interrupt ticks=1.00 times=1000 baseline=own: a line\r
"""


def bench(*arguments):
    return subprocess.run([ROOT / "tools" / "bench", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)


def test_two_rows_are_measured(tmp_path):
    done = bench("cli", "prime", "--output", tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    results = json.loads((tmp_path / "results.json").read_text())
    assert results["operations"]["cli"]["native"] == {"ticks": 1.0}
    assert results["operations"]["cli"]["trap"]["entries"] == 1.0
    assert set(results["workloads"]["prime"]) == {"native", "trap", "interpret", "translate"}
    known = [mark for mark in results["marks"] if mark["holds"] is not None]
    assert [mark["row"] for mark in known] == ["cli", "prime"]
    assert "| cli | cli where interrupts are off | 1 |" in (tmp_path / "report.md").read_text()
    assert "<svg" in (tmp_path / "report.html").read_text()


@pytest.mark.parametrize("arguments, sentence", [
    (["nothing"], "bench: nothing is not a row; there are syscall, in, "),
    (["--build", "nowhere"], "bench: nowhere/ringfence.elf is not built; `make` builds it"),
])  # fmt: skip
def test_a_wrong_word_is_named(arguments, sentence):
    done = bench(*arguments)
    assert (done.returncode, done.stderr[:len(sentence)]) == (2, sentence)


def test_a_row_that_hangs_is_named_and_the_others_go_on(monkeypatch, tmp_path, capsys):
    def run(guest, way, append, timeout):
        if way == runs.NATIVE and not append:
            return NATIVE_TEXT, {}
        if way == "trap" and append.startswith("only=in "):
            raise runs.Failure(f"no end within {timeout} seconds")
        return "operation x ticks=7.00 times=1000 baseline=empty: y\r\n", {"world_switches": 0}

    monkeypatch.setattr(runs, "run", run)
    monkeypatch.setattr(main, "check_built", lambda *files: None)
    assert main.main(["in", "interrupt", "--output", str(tmp_path)]) == 1
    assert "1 of 6 rows could not be measured" in capsys.readouterr().err
    results = json.loads((tmp_path / "results.json").read_text())
    assert results["failures"] == [{"row": "in", "way": "trap", "why": "no end within 60 seconds"}]
    assert results["operations"]["in"]["translate"]["ticks"] == 7
    assert "| in | trap | no end within 60 seconds |" in (tmp_path / "report.md").read_text()


def test_entries_are_those_of_the_operation_alone(monkeypatch):
    def run(_guest, _way, append, _timeout):
        turns = int(append.rpartition("=")[2])
        return "", {"world_switches": 11 + turns * (5 if "part=operation" in append else 3)}

    monkeypatch.setattr(runs, "run", run)
    assert runs.entries("guest", "trap", "interrupt", "own", 100, 1) == 2
    assert runs.entries("guest", "trap", "in", "empty", 100, 1) == 5


def test_a_run_that_fails_says_how():
    with pytest.raises(runs.Failure, match="status 37 .*there is no operation of the name nothing"):
        runs.operation_ticks("build/guest/nanobench.elf", runs.NATIVE, "nothing", 10, 20)


def test_marks_hold_or_not():
    rows = {"cli": {"trap": {"ticks": 601.0}}, "syscall": {"native": {"ticks": 2.0}, "translate": {"ticks": 62.0, "entries": 0.02}}}
    judged = {(mark["row"], mark["measure"]): (mark["measured"], mark["holds"]) for mark in marks.judge(rows)}
    assert judged["cli", "ticks"] == (601, False)
    assert judged["syscall", "extra"] == (60, True)
    assert judged["syscall", "entries"] == (0.02, True)
    assert judged["prime", "ratio"] == (None, None)


def test_what_is_measured_around_the_turns_breaks_no_mark():
    rows = {"straight": {"native": {"ticks": 16.0}, "translate": {"ticks": 16.2}}, "cli": {"trap": {"ticks": 600.3}}}
    judged = {mark["row"]: mark["holds"] for mark in marks.judge(rows) if mark["holds"] is not None}
    assert judged == {"straight": True, "cli": False}


def test_every_name_is_measured():
    text = (ROOT / "guest" / "nanobench" / "operations.def").read_text()
    known = {line.split("(")[1].split(",")[0] for line in text.splitlines() if line.startswith("OPERATION(")}
    assert set(marks.PUBLISHED) <= known
    assert {mark.row for mark in marks.MARKS} <= known | set(main.WORKLOADS)


def test_numbers_are_readable():
    assert [report.number(value) for value in (None, 1016.0, 17.04)] == ["?", "1,016", "17.04"]
