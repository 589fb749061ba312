"""tools/bench: what is worse than another revision's, or than what is recorded."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

from measure import compare  # noqa: E402


def results(ticks, entries=0.0):
    return {
        "operations": {"cli": {"what": "cli", "native": {"ticks": 1.0}, "trap": {"ticks": ticks, "entries": entries}}},
        "workloads": {"fork": {"native": {"ticks": 5}, "translate": {"ticks": 10000}}},
    }


def test_figures_have_names_and_native_ones_are_not_ours():
    assert compare.flat(results(800)) == {
        "operations cli trap ticks": 800,
        "operations cli trap entries": 0.0,
        "workloads fork translate ticks": 10000,
    }


@pytest.mark.parametrize("now, entries, marked", [
    (810, 0, []), (817, 0, ["operations cli trap ticks"]), (700, 0, []), (800, 0.04, []), (800, 1, ["operations cli trap entries"]),
])  # fmt: skip
def test_what_is_worse_by_more_than_two_percent_is_marked(now, entries, marked):
    old, new = compare.flat(results(800)), compare.flat(results(now, entries))
    assert [name for name, _, _ in compare.worse(old, new, compare.WORSE)] == marked
    text = compare.markdown("v1", old, new)
    assert text.count("**worse**") == len(marked)


def test_a_row_of_one_side_alone_is_shown():
    text = compare.markdown("v1", {"a": 1, "b": 2}, {"b": 2, "c": 3})
    assert "| a | 1 | not measured |" in text
    assert "| c | not measured | 3 |" in text


def test_the_record_is_kept(monkeypatch, tmp_path):
    monkeypatch.setattr(compare, "RECORD", tmp_path / "record.json")
    compare.write_record(results(800))
    assert json.loads((tmp_path / "record.json").read_text())["renewed by"] == "make bench-record"
    assert compare.judge_record(results(830)) == []
    assert compare.judge_record(results(850)) == ["operations cli trap ticks is 850, recorded are 800 (+6.2%)"]
    short = results(800)
    del short["workloads"]
    assert compare.judge_record(short) == ["workloads fork translate ticks is recorded, but was not measured"]


def test_a_damaged_record_names_what_writes_it(monkeypatch):
    monkeypatch.setattr(compare, "RECORD", ROOT / "docs" / "benchmarks.md")
    with pytest.raises(compare.Broken, match="docs/benchmarks.md cannot be read .*`make bench-record` writes it anew"):
        compare.read_record()


def test_what_is_recorded_is_in_the_tree():
    names = {name.split()[1] for name in compare.read_record()}
    assert names == set(compare.RECORDED)


def test_an_unknown_revision_is_named():
    done = subprocess.run([ROOT / "ringfence", "bench", "--compare", "nowhere", "cli"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (2, "bench: nowhere is not a revision of this tree\n")
