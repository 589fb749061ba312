"""tests/mutations: each row applies to the tree as it is, and what does not is said clearly. Whether the tests notice
each is for `make mutations`, which takes minutes."""
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "tests/mutations"
LEAST_ROWS = 30

sys.path.insert(0, str(FOLDER))

from table import MUTATIONS  # noqa: E402


def run(program, *arguments):
    return subprocess.run([program, *arguments], text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT)


def test_every_text_stands_once_in_its_file():
    done = run(FOLDER / "run", "--texts")
    assert done.returncode == 0, done.stdout
    rows = int(re.search(r"(\d+) rows, 0 do not apply", done.stdout)[1])
    assert rows == len(MUTATIONS) >= LEAST_ROWS


def test_rows_have_names_of_their_own_and_tests_that_exist():
    assert len({mutation.name for mutation in MUTATIONS}) == len(MUTATIONS)
    for mutation in MUTATIONS:
        assert mutation.text != mutation.instead and mutation.tests, mutation.name
        for test in mutation.tests:
            path = f"tests/{test[len('unit:'):]}.c" if test.startswith("unit:") else test.split("::")[0]
            assert (ROOT / path).exists(), test


def test_a_text_that_is_gone_is_named(tmp_path):
    (tmp_path / "tests/mutations").mkdir(parents=True)
    for name in ("run", "table.py"):
        (tmp_path / "tests/mutations" / name).write_bytes((FOLDER / name).read_bytes())
    (tmp_path / "tests/mutations/run").chmod(0o755)
    done = run(tmp_path / "tests/mutations/run", "--texts")
    assert done.returncode == 1
    first = MUTATIONS[0]
    assert f"{first.name}: its text stands in {first.file} 0 times, and once is expected" in done.stdout
