"""Each guest of guest/attack/ on every machine, in every way: what it tries ends as on the processor itself, and
nothing outside the guest has changed."""

import functools
import re

import pytest

from conftest import ENGINES, NATIVE, QEMU, WAYS, Guest, check_verdict, guest_for, topics, way_name
from trap_differences import ATTACK_DIFFERENCES, check_differences

CANARIES = ("--boot", "canaries=yes")  # of no effect natively
STOPPED = 70

# These need to be told what to do, and have tests of their own below.
WITH_ARGUMENTS = {"endings", "random"}
ENDINGS = ["cr3", "idt", "short-idt", "gdt", "stack", "esp0", "tss", "tables"]
SEEDS = [1, 20261121]
ATTEMPTS = 400


# The interpreter is the same on every machine, and slow on the slow one.
ATTACK_WAYS = [way for way in WAYS if (way[0], way[2]) != ("bochs", "interpret")]


@pytest.mark.parametrize("topic", sorted(set(topics("attack")) - WITH_ARGUMENTS))
@pytest.mark.parametrize("way", ATTACK_WAYS, ids=way_name)
def test_attack_ends_as_on_the_processor(way, topic):
    guest = guest_for(way)
    status, text = guest.run(f"attack/{topic}", "", *CANARIES)
    if (guest.on, guest.engine) == ("qemu", "trap") and topic in ATTACK_DIFFERENCES:
        check_differences(ATTACK_DIFFERENCES[topic], status, text)
    else:
        check_verdict(topic, status, text)


# Without UMIP they are told of; without segment limits only read-only pages keep ring 1 from writing them.
@pytest.mark.parametrize("engine", ["trap", "translate"])
def test_tables_that_are_told_of_cannot_be_written(engine):
    guest = guest_for(("qemu", "qemu32", engine))
    status, text = guest.run("attack/told", "", *CANARIES)
    check_verdict("told", status, text)
    assert "is not the guest's, and not to be written" in text


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_guest_without_a_way_out_is_stopped(one_of_each, tmp_path, ending):
    log = tmp_path / "log"
    status, text = one_of_each.run("attack/endings", f"by={ending}", *CANARIES, "--log", str(log))
    assert status == STOPPED, text
    assert "triple fault" in text
    if one_of_each.engine in ENGINES:
        assert "ringfence: info canaries: unchanged" in log.read_text()


def attempts(guest, seed):
    """What came of each attempt, a line or some, the digest last."""
    status, text = guest.run("attack/random", f"seed={seed} count={ATTEMPTS}", *CANARIES)
    check_verdict("random", status, text)
    lines = re.findall(r"^     (ring [03] .*|digest .*)$", text, re.MULTILINE)
    assert len(lines) > ATTEMPTS and lines[-1].startswith("digest "), text
    return lines


@functools.cache
def reference(seed):
    return attempts(Guest(QEMU[0] + (NATIVE,)), seed)


# Without trap, where lar and its kin see other tables: row T3 of the limitations.
RANDOM_WAYS = [way for way in ATTACK_WAYS if way[2] != "trap"]


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("way", RANDOM_WAYS, ids=way_name)
def test_attempts_at_random_end_everywhere_in_the_same_way(way, seed):
    if way[0] == "bochs" and seed != SEEDS[0]:
        pytest.skip("one seed is enough on Bochs, which is slow")
    assert attempts(guest_for(way), seed) == reference(seed)


@pytest.mark.parametrize("engine", ["trap"])
def test_attempts_at_random_leave_everything_as_it_was(engine):
    status, text = Guest((*QEMU[0], engine)).run("attack/random", f"seed=1 count={ATTEMPTS}", *CANARIES)
    assert status == 33, text


@pytest.mark.parametrize("options", ["seed=x", "count=0", "count=7x"])
def test_random_names_a_bad_number(options):
    status, text = Guest(QEMU[0] + (NATIVE,)).run("attack/random", options)
    assert "ERROR seed= and count= need a number above 0" in text
    assert status == 37
