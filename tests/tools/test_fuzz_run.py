"""tests/fuzz/run, with harnesses of our own: what it says of a good one and of one that has found something."""
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

GOOD = """echo "#2 INITED cov: 17 ft: 1"
echo "stat::number_of_executed_units: 1234"
"""
BAD = """echo "harness.c:7: must hold and does not: good"
echo "Test unit written to build/fuzz/failures/bad/crash-1"
exit 77
"""


@pytest.fixture
def run(tmp_path):
    (tmp_path / "fuzz").mkdir()
    for name, body in (("good", GOOD), ("bad", BAD)):
        program = tmp_path / "fuzz" / f"fuzz_{name}"
        program.write_text(f"#!/bin/sh\n{body}")
        program.chmod(0o755)

    def call(*arguments):
        return subprocess.run([ROOT / "tests/fuzz/run", "--build", tmp_path, *arguments], text=True,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    return call


def test_counts_what_was_tried(run):
    done = run("--minutes", "0.01", "--seed", "5", "good")
    assert done.returncode == 0, done.stdout
    assert "SEED=5" in done.stdout
    assert "fuzz: good: 1234 inputs, 17 edges covered" in done.stdout
    assert done.stdout.endswith("fuzz: 1234 inputs, 1 targets passed, 0 failed\n")


def test_a_finding_is_shown_with_the_command_that_repeats_it(run):
    done = run("--minutes", "0.5", "--seed", "7", "good", "bad")
    assert done.returncode == 1
    assert "must hold and does not: good" in done.stdout
    assert re.search(r"to repeat it: \S*/fuzz/fuzz_bad build/fuzz/failures/bad/crash-1\n", done.stdout)
    assert "make fuzz-parsers TARGETS=bad SEED=7 MINUTES=0.5\n" in done.stdout
    assert done.stdout.endswith("1 targets passed, 1 failed\n")


def test_without_a_seed_a_fresh_one_is_said(run):
    seeds = {re.search(r"SEED=(\d+)", run("--minutes", "0.01", "good").stdout)[1] for _ in range(2)}
    assert len(seeds) == 2


@pytest.mark.parametrize("arguments, sentence", [
    (["missing"], "there is no"), (["--minutes", "0", "good"], "expected more than 0")])
def test_names_what_is_wrong(run, arguments, sentence):
    done = run(*arguments)
    assert (done.returncode, sentence in done.stdout) == (2, True), done.stdout
