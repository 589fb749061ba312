"""Whole guests, interpreted and translated on this computer: what they print is the same."""
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
PROGRAM = ROOT / "build/translate_guest"
# Not paging: it maps all of its 4 GB, so that no place is left for the cache here, and this board has no firmware.
PRIVILEGED = ("debug descriptors exceptions gates instructions io ldt self_modifying seventeen "
              "tasks tlb top").split()
STRESS = ("cache_blocks_max=4", "flush_every=1", "no_chaining=1", "all_memory_callout=1")
SHELL = "prime 97\nshow\nstress 3\noff\n"


@pytest.fixture(scope="module", autouse=True)
def built():
    subprocess.run(["make", "-s", "-C", ROOT, "translate-guest", "guests"], check=True)


def run(guest, engine, typed=""):
    done = subprocess.run([PROGRAM, ROOT / "build/guest" / guest, engine, "100000000", typed],
                          capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def what_counts(text):
    """A note says which of two right answers a processor gives: how long its buffer remembers."""
    return [line for line in text.splitlines() if not line.startswith("note")]


@pytest.mark.parametrize("name", PRIVILEGED)
def test_privileged_guest_prints_the_same_translated(name):
    guest = f"privileged/{name}.elf"
    translated = run(guest, "translate")
    assert what_counts(translated) == what_counts(run(guest, "interpret"))
    assert translated.endswith("SUCCESS\n")


@pytest.mark.parametrize("option", STRESS)
@pytest.mark.parametrize("name", ("self_modifying", "tlb", "top"))
def test_privileged_guest_under_stress(name, option):
    assert run(f"privileged/{name}.elf", f"translate,{option}").endswith("SUCCESS\n")


@pytest.mark.parametrize("option", ("",) + STRESS)
def test_mini_kernel_translated(option):
    text = run("mini_kernel.elf", f"translate,{option}", SHELL)
    assert "97 is a prime; 24 primes are smaller" in text
    assert "3 rounds, checksum 0x993ba8f1, 0 page frames lost" in text
