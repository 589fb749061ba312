"""docs/seventeen.md is what the guest says now, natively and under each engine."""

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.skipif(not shutil.which("bochs"), reason="bochs is not installed")
def test_the_page_is_up_to_date():
    done = subprocess.run([ROOT / "tools" / "seventeen", "--check"], capture_output=True, text=True, timeout=390)
    assert done.returncode == 0, done.stderr


def test_in_ring_0_the_reference_differs_nowhere():
    text = (ROOT / "docs" / "seventeen.md").read_text()
    kernel = text[text.index("## In ring 0"):text.index("## In ring 3")].splitlines()
    header = [cell.strip() for cell in kernel[2].split("|")]
    rows = [[cell.strip() for cell in line.split("|")] for line in kernel[4:] if line]
    assert len(rows) == 21
    for engine in ("interpret", "translate"):
        assert all(row[header.index(engine)] in ("-", row[header.index("natively")]) for row in rows)
