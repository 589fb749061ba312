"""Guests under the engine translate with a boot option that makes its life hard: they must not notice."""

import os
import re

from conftest import check_verdict, guest_for, topics

# One boot option each. Lockstep wants time that passes by instructions: what takes long would else be
# interrupted more often than it gets anything done.
STRESS = {
    "tiny-cache": ("--boot", "stress=tiny-cache"),
    "no-chaining": ("--boot", "stress=no-chaining"),
    "flush": ("--boot", "stress=flush"),
    "callouts": ("--boot", "stress=callouts"),
    "interrupts": ("--boot", "stress=interrupts"),
    "interrupts,flush": ("--boot", "stress=interrupts,flush"),
    "lockstep": ("--boot", "lockstep", "--deterministic"),
    "lockstep,interrupts": ("--boot", "lockstep", "--boot", "stress=interrupts", "--deterministic"),
}

ARGUMENTS = {"attack/random": "seed=1 count=100"}

# The guests with a verdict; attack/endings has none.
GUESTS = [f"{folder}/{topic}" for folder in ("privileged", "attack", "devices") for topic in topics(folder)]
GUESTS.remove("attack/endings")


def options_for(way, stress):
    options = STRESS[stress]
    return options if way[0] == "qemu" else tuple(o for o in options if o != "--deterministic")


def check_guest(way, stress, name):
    options = options_for(way, stress)
    status, text = guest_for(way).run(name, ARGUMENTS.get(name, ""), *options)
    check_verdict(os.path.basename(name), status, text)


def check_mini_kernel(way, stress):
    status, text = guest_for(way).run("mini_kernel", "demo", *options_for(way, stress))
    assert status == 0, text
    assert "all 3 have ended, the sum of their statuses is 6" in text
    assert len(re.findall(r"^  kernel: task \d+ \(crash\) is stopped", text, re.M)) == 6
    assert text.rstrip().endswith("mini> off")

