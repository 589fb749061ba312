"""Random instructions end in the same state natively and under each engine; tests/cases/run makes and compares them."""

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
KNOWN = sorted((ROOT / "tests/cases/known").iterdir())
WAYS = {"qemu": [["--native"], ["--engine", "translate"], ["--engine", "interpret"]], "bochs": [["--native"], ["--engine", "translate"]]}
SUCCESS = 33


@pytest.fixture(scope="module")
def fuzz():
    subprocess.run(["make", "-s", "make-cases"], cwd=ROOT, check=True, stdin=subprocess.DEVNULL)

    def call(*arguments):
        done = subprocess.run([ROOT / "tests/cases/run", "--minutes", "0.001", *arguments], cwd=ROOT, text=True,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        return done.returncode, done.stdout

    return call


@pytest.mark.parametrize("on, count", [("qemu", 2000), ("bochs", 300)])
def test_engines_agree_with_the_machine(fuzz, on, count):
    status, text = fuzz("--on", on, "--count", str(count), "--seed", "20261121")
    assert status == 0, text
    assert f"fuzz: {count} cases on {on}, each native, translate, interpret; 0 rounds failed" in text


def test_a_difference_is_found_and_made_small(fuzz):
    """Under the engine trap a kernel can tell: docs/limitations.md."""
    status, text = fuzz("--on", "qemu", "--engines", "trap", "--count", "100", "--seed", "2")
    assert status == 1
    assert "differs; without the pieces" in text
    assert "a test of it: mv build/cases/qemu-" in text
    assert "all of it again: make fuzz SEED=2" in text


def end_of(case, on, how):
    done = subprocess.run([ROOT / "ringfence", "run", "build/guest/cases.elf", "--on", on, *how, "--initrd", case,
                           "--memory", "64M", "--timeout", "60", "--append", "verbose"], cwd=ROOT, text=True,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert done.returncode == SUCCESS, done.stdout
    return [line for line in done.stdout.splitlines() if line.startswith("case ")]


@pytest.mark.parametrize("on", WAYS)
@pytest.mark.parametrize("case", KNOWN, ids=lambda case: case.name)
def test_what_differed_once(case, on):
    ends = [end_of(case, on, how) for how in WAYS[on]]
    assert ends[0] and all(end == ends[0] for end in ends), ends
