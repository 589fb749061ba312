"""Each guest of guest/attack/ on every machine, in every way: what it tries ends as on the processor itself, and
nothing outside the guest has changed."""

import functools
import re

import pytest

from conftest import ENGINES, NATIVE, QEMU, Guest, check_verdict, topics
from trap_differences import ATTACK_DIFFERENCES, check_differences

CANARIES = ("--boot", "canaries=yes")  # of no effect natively
STOPPED = 70

# These need to be told what to do, and have tests of their own below.
WITH_ARGUMENTS = {"endings", "random"}
ENDINGS = ["cr3", "idt", "short-idt", "gdt", "stack", "esp0", "tss", "tables"]
SEEDS = [1, 20261121]
ATTEMPTS = 400


@pytest.mark.parametrize("topic", sorted(set(topics("attack")) - WITH_ARGUMENTS))
def test_attack_ends_as_on_the_processor(guest, topic):
    status, text = guest.run(f"attack/{topic}", "", *CANARIES)
    if (guest.on, guest.engine) == ("qemu", "trap") and topic in ATTACK_DIFFERENCES:
        check_differences(ATTACK_DIFFERENCES[topic], status, text)
    else:
        check_verdict(topic, status, text)


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_guest_without_a_way_out_is_stopped(one_of_each, tmp_path, ending):
    log = tmp_path / "log"
    status, text = one_of_each.run("attack/endings", f"by={ending}", *CANARIES, "--log", str(log))
    assert status == STOPPED, text
    assert "triple fault" in text
    if one_of_each.engine in ENGINES:
        assert "ringfence: info canaries: unchanged" in log.read_text()


def attempts(guest, seed):
    """What came of each attempt, one a line, the digest last."""
    status, text = guest.run("attack/random", f"seed={seed} count={ATTEMPTS}", *CANARIES)
    check_verdict("random", status, text)
    lines = re.findall(r"^     (ring [03] .*|digest .*)$", text, re.MULTILINE)
    assert len(lines) == ATTEMPTS + 1, text
    return lines


@functools.cache
def reference(seed):
    return attempts(Guest(QEMU[0] + (NATIVE,)), seed)


@pytest.mark.parametrize("seed", SEEDS)
def test_attempts_at_random_end_everywhere_in_the_same_way(guest, seed):
    assert attempts(guest, seed) == reference(seed)


@pytest.mark.parametrize("options", ["seed=x", "count=0", "count=7x"])
def test_random_names_a_bad_number(options):
    status, text = Guest(QEMU[0] + (NATIVE,)).run("attack/random", options)
    assert "ERROR seed= and count= need a number above 0" in text
    assert status == 37
