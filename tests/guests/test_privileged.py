"""Each guest of guest/privileged/ and guest/devices/, natively and under each engine: all of its checks
hold. Under the engine trap, all but those that cannot."""

import re

import pytest

from conftest import DEPRIVILEGED, NATIVE, QEMU, SKIP, SUCCESS, check_verdict, guest_for, topics, way_name
from trap_differences import DIFFERENCES, check_differences

# Parts of the machine that can be left out: what the guest says then, and that it goes on.
WITHOUT = {
    "acpi": "this machine has no ACPI tables",
    "apic": "this processor has no local APIC",
    "vga": "this machine has no VGA",
}


@pytest.mark.parametrize("topic", topics("privileged"))
def test_topic(guest, topic):
    status, text = guest.run(f"privileged/{topic}")
    if guest.engine == "trap" and topic in DIFFERENCES:
        check_differences(DIFFERENCES[topic], status, text)
    else:
        check_verdict(topic, status, text)


@pytest.mark.parametrize("engine", ["trap", "translate"])
def test_a_processor_without_no_execute_has_none_for_its_guest(engine):
    status, text = guest_for(("qemu", "qemu32", engine)).run("privileged/paging")
    check_verdict("paging", status, text)
    assert "no-execute: this processor has none" in text


@pytest.mark.parametrize("engine", ["trap", "translate"])
def test_where_limits_are_not_enforced_a_guest_may_use_all_addresses(engine, tmp_path):
    """Row M9 of docs/limitations.md: it is interpreted meanwhile, and only then."""
    log = tmp_path / "log"
    check_verdict("paging", *guest_for(("qemu", "max", engine)).run("privileged/paging", "", "--log", log))
    text = log.read_text()
    assert text.count("it is interpreted until it does") == 2, text
    assert re.search(r"stats: slots_not_found=\d+", text)
    moves = re.search(r"stats: slot_moves=(\d+)", text)
    assert not moves or int(moves[1]) < 10


@pytest.mark.parametrize("topic", topics("devices"))
def test_device(guest, topic):
    check_verdict(topic, *guest.run(f"devices/{topic}"))


def test_a_guest_that_polls_needs_no_host(tmp_path):
    log = tmp_path / "log"
    status, text = guest_for((*QEMU[0], "translate")).run("devices/polled", "", "--deterministic", "--log", log)
    check_verdict("polled", status, text)
    assert "it is seen as soon as it is" in text
    answered = re.search(r"stats: ports_answered=(\d+)", log.read_text())
    assert answered and int(answered[1]) > 500, log.read_text()


@pytest.mark.parametrize("part, sentence", WITHOUT.items())
def test_part_is_left_out(part, sentence):
    status, text = guest_for(DEPRIVILEGED[0]).run(f"devices/{part}", "", "--boot", f"{part}=no")
    assert status == SKIP, text
    assert sentence in text


def test_screen_is_shown_on_the_console():
    _, text = guest_for(DEPRIVILEGED[0]).run("devices/vga", "", "--boot", "vga=serial")
    assert "\033[24;1Hthe twenty-fifth line" in text
    assert "\033[25;1Hone that is seen because the start is moved" in text


@pytest.mark.parametrize("way", [QEMU[0] + (NATIVE,), DEPRIVILEGED[0]], ids=way_name)
def test_power_management_interrupts_where_the_table_says(way):
    status, text = guest_for(way).run("devices/acpi")
    assert (status, "interrupts through the I/O APIC, once" in text) == (SUCCESS, True), text
