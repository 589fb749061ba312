"""Under each stress option, and in lockstep, the guests that change their code and take interrupts see nothing of it.

All guests on both machines: make stress."""

import pytest
from conftest import QEMU, check_verdict, guest_for
from stressed import STRESS, check_guest, check_mini_kernel

WAY = (*QEMU[0], "translate")


@pytest.mark.parametrize("stress", STRESS)
def test_guest_under_stress(stress):
    check_guest(WAY, stress, "privileged/self_modifying")


def test_a_guest_that_polls_under_stress():
    """An interrupt finds the guest before its `in`, wherever it comes."""
    check_guest(WAY, "interrupts", "devices/polled")


def test_mini_kernel_under_stress():
    check_mini_kernel(WAY, "interrupts")


def test_interrupts_come_as_they_should_in_lockstep_too():
    """With a clock that waits: what takes twenty times as long must not be interrupted twenty times as often."""
    status, text = guest_for(WAY).run("privileged/interrupts", "", *STRESS["lockstep"], "--deterministic")
    check_verdict("interrupts", status, text)


def counters(tmp_path, *options):
    log = tmp_path / "log"
    guest_for(WAY).run("hello", "", "--stats", "--log", str(log), *options)
    pairs = [line.split(": info stats: ")[1].split("=") for line in log.read_text().splitlines() if " stats: " in line]
    return {name: int(value) for name, value in pairs}


def test_the_options_do_what_they_say(tmp_path):
    plain = counters(tmp_path)
    assert "lockstep_runs" not in plain
    assert counters(tmp_path, *STRESS["tiny-cache"])["cache_flushes"] > plain["cache_flushes"]
    assert counters(tmp_path, *STRESS["flush"])["cache_flushes"] > plain["cache_flushes"]
    assert counters(tmp_path, *STRESS["no-chaining"]).get("blocks_chained", 0) == 0
    assert counters(tmp_path, *STRESS["callouts"])["callouts"] > plain["callouts"]
    assert counters(tmp_path, *STRESS["interrupts"])["world_switches"] > plain["world_switches"]
    lockstep = counters(tmp_path, *STRESS["lockstep"])
    assert lockstep["lockstep_runs"] == lockstep["world_switches"]
