"""Debian's Linux under stress (guest/linux/stress) for MINUTES: forks, pipes, signals, swap, files and floating point
at once, each with exact results, in less memory than they need. `make stress-linux MINUTES=30`."""

import os
import re
import subprocess

import pytest
from conftest import RINGFENCE
from linux_guest import ROOT, Linux, alarming_lines, blank_disk, machine_or_skip

MINUTES = int(os.environ.get("MINUTES", "2"))
SLACK = 1200  # seconds to boot, and for the last round of each worker on a busy computer


def counter(log, name):
    found = re.search(rf"stats: {name}=(\d+)", log.read_text())
    return int(found[1]) if found else 0


def frames_kept(log):
    """What the hypervisor has not given back in the end: its own."""
    return counter(log, "frames_allocated") - counter(log, "frames_freed")


def run_hello(log):
    command = [RINGFENCE, "run", "build/guest/hello.elf", "--memory", "64M", "--timeout", "60", "--log", log]
    subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=False)


@pytest.mark.timeout(MINUTES * 60 + SLACK + 60)
@pytest.mark.parametrize("way", ["--native", "--engine=translate"])
@pytest.mark.parametrize("flavour", os.environ.get("FLAVOUR", "686").split())
def test_stress(flavour, way, tmp_path):
    machine_or_skip("qemu")
    options = (way, "--disk", blank_disk(tmp_path, 128), "--memory", "64M", "--log", tmp_path / "log")
    linux = Linux(f"vmlinuz-{flavour}", f"initrd-{flavour}", MINUTES * 60 + SLACK, *options)
    minutes = MINUTES if way != "--native" else 1
    said = linux.ask(f"stress {minutes}", minutes * 60 + SLACK)
    print(said)
    assert said.splitlines()[-1] == "stress: right", said
    assert int(re.search(r"swapped out: (\d+)", said)[1]) > 0, said
    assert linux.end() == 0
    assert not alarming_lines(linux.said.getvalue())
    if way != "--native":
        run_hello(tmp_path / "hello")
        # A page table of the host's for each place where the monitor has been stays for the next guest.
        places = counter(tmp_path / "log", "slot_moves")
        assert 0 <= frames_kept(tmp_path / "log") - frames_kept(tmp_path / "hello") <= places
