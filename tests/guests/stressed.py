"""Guests under the engine translate with a boot option that makes its life hard: they must not notice."""

import os
import re

import pytest
from conftest import check_verdict, guest_for, topics

STRESS = {
    "tiny-cache": ("--boot", "stress=tiny-cache"),
    "no-chaining": ("--boot", "stress=no-chaining"),
    "flush": ("--boot", "stress=flush"),
    "callouts": ("--boot", "stress=callouts"),
    "interrupts": ("--boot", "stress=interrupts"),
    "interrupts,flush": ("--boot", "stress=interrupts,flush"),
    "lockstep": ("--boot", "lockstep"),
    "lockstep,interrupts": ("--boot", "lockstep", "--boot", "stress=interrupts"),
}

ARGUMENTS = {"attack/random": "seed=1 count=100"}

# The guests with a verdict; attack/endings has none.
GUESTS = [f"{folder}/{topic}" for folder in ("privileged", "attack", "devices") for topic in topics(folder)]
GUESTS.remove("attack/endings")


# What finds out for itself whether limits are checked: by callouts they are, of user code on TCG they are not.
NOT_BY_CALLOUTS = ("attack/frames", "attack/limits")


def time_for(way):
    """Bochs does 50 million instructions a second, and QEMU on a busy computer not many more than some hundred: what takes
    so many more would be interrupted more often than it gets anything done."""
    return ("--boot", f"slow-time={20 if way[0] == 'bochs' else 5}")


def check_guest(way, stress, name):
    if way[0] == "qemu" and stress == "callouts" and name in NOT_BY_CALLOUTS:
        pytest.skip("the interpreter checks segment limits, and TCG does not: the guest would see both")
    status, text = guest_for(way).run(name, ARGUMENTS.get(name, ""), *STRESS[stress], *time_for(way))
    check_verdict(os.path.basename(name), status, text)


def check_mini_kernel(way, stress):
    """A clock that does not wait would interrupt what takes so long more often than it gets anything done."""
    clock = ("--deterministic",) if way[0] == "qemu" else time_for(way)
    status, text = guest_for(way).run("mini_kernel", "demo", *STRESS[stress], *clock)
    assert status == 0, text
    assert "all 3 have ended, the sum of their statuses is 6" in text
    assert len(re.findall(r"^  kernel: task \d+ \(crash\) is stopped", text, re.M)) == 6
    assert text.rstrip().endswith("mini> off")

