"""The guest nanobench says what each operation costs, in every way of running it, and does what it says it does."""

import re

import pytest
from conftest import DEPRIVILEGED, NATIVE, QEMU, guest_for, way_name

ROW = re.compile(r"^operation (\w+) ticks=(-?\d+\.\d\d) times=(\d+) baseline=(?:empty|own): \S", re.MULTILINE)
ERROR = 37  # TEST_ERROR of guest/library/test.h

# Where a tick is an instruction; one that raises a fault is not counted, its handler's are.
NATIVELY = {
    "syscall": 2, "in": 1, "poll": 1, "ready": 1, "cr3wr": 1, "callret": 2, "pgfault": 3, "divzero": 2, "ptemod": 1, "cli_sti": 2,
    "pushf_popf": 2, "iret": 4, "indirect_call": 2, "segment_load": 1, "far_call": 2, "context_switch": 5,
    "interrupt": 1, "cli": 1, "clts": 1, "pgfault_kernel": 3, "pgfault_taken": 0, "remap": 3, "apic_read": 1,
    "apic_write": 1, "code_store": 1, "straight": 16, "straight_inner": 16, "straight_user": 16,
}  # fmt: skip


def rows(text):
    return {name: float(ticks) for name, ticks, _ in ROW.findall(text)}


@pytest.fixture(scope="module")
def native():
    return guest_for(QEMU[0] + (NATIVE,))


def test_natively_each_operation_is_its_instructions(native):
    status, text = native.run("nanobench", "", "--deterministic")
    assert (status, rows(text)) == (0, NATIVELY), text


@pytest.mark.parametrize("way", [("bochs", "p4_willamette", NATIVE)] + DEPRIVILEGED, ids=way_name)
def test_every_operation_is_there(way):
    status, text = guest_for(way).run("nanobench", "times=20")
    assert (status, list(rows(text))) == (0, list(NATIVELY)), text
    assert text.endswith("nanobench: done\n")


def test_one_operation_alone(native):
    status, text = native.run("nanobench", "only=in times=40")
    assert (status, list(rows(text))) == (0, ["in"])
    assert " times=40 " in text


@pytest.mark.parametrize("part", ["operation", "baseline"])
def test_a_part_is_not_timed(native, part):
    assert native.run("nanobench", f"only=ptemod part={part}") == (0, "nanobench: done\n")


def test_a_store_beside_code_is_done_where_it_faults(tmp_path):
    """Each takes one entry into ring 0, and none of them leaves translated code."""
    log = tmp_path / "log"
    guest_for((*QEMU[0], "translate")).run("nanobench", "only=code_store times=400 part=operation", "--log", str(log), "--stats")
    counts = {name: int(count) for name, count in re.findall(r"stats: (\w+)=(\d+)", log.read_text())}
    assert counts["stores_in_place"] >= 400
    assert counts["callouts"] + counts["cache_exits"] < 400


@pytest.mark.parametrize("options, sentence", {
    "only=nothing": "there is no operation of the name nothing",
    "times=7": "times must be an even number up to a million, and not 7",
    "times=20x": "times must be an even number up to a million, and not 20x",
    "times=9999999999": "times must be an even number up to a million, and not 9999999999",
    "only=in part=all": "part is operation or baseline, and not all",
}.items())  # fmt: skip
def test_a_wrong_option_is_named(native, options, sentence):
    status, text = native.run("nanobench", options)
    assert (status, text.splitlines()[0]) == (ERROR, f"nanobench: {sentence}")
