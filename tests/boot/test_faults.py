"""What becomes of us when the machine, or our own memory, fails: never a panic."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MORE_THAN_THERE_ARE = 15  # allocations from where the guest's machine is made until its shell prompts
REFUSED = 2


def boot(*options):
    done = subprocess.run([ROOT / "ringfence", "run", "build/guest/mini_kernel.elf", "--memory", "32M", "--timeout", "60",
                           "--expect", "mini>", *options], cwd=ROOT, text=True, errors="replace",
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return done.returncode, done.stdout


def test_each_allocation_may_fail():
    ends = {n: boot("--boot", f"frames-fail={n}") for n in range(1, MORE_THAN_THERE_ARE + 1)}
    failed = {n: end for n, end in ends.items() if end[0] != 0}
    for n, (status, text) in failed.items():
        assert status == REFUSED, (n, text)
        assert re.search(r"vm0: .*(not enough memory|does not fit)", text), (n, text)
    assert len(failed) >= 8, "the allocations were not counted"
    assert MORE_THAN_THERE_ARE not in failed, "there are more allocations than were tried"
