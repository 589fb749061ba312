"""Each guest of guest/privileged/ and guest/devices/, natively and under each engine: all of its checks hold."""

import os
import re

import pytest

from conftest import DEPRIVILEGED, NATIVE, QEMU, ROOT, guest_for, way_name

FOLDERS = ("privileged", "devices")
TOPICS = [
    f"{folder}/{topic}"
    for folder in FOLDERS
    for topic in sorted(os.listdir(os.path.join(ROOT, "guest", folder)))
    if os.path.exists(os.path.join(ROOT, "guest", folder, topic, "main.c"))
]
SUCCESS, SKIP = 33, 35  # status (V << 1) | 1 of the library's verdicts


# Parts of the machine that can be left out: what the guest says then, and that it goes on.
WITHOUT = {
    "acpi": "this machine has no ACPI tables",
    "apic": "this processor has no local APIC",
    "vga": "this machine has no VGA",
}


@pytest.mark.parametrize("part, sentence", WITHOUT.items())
def test_part_is_left_out(part, sentence):
    status, text = guest_for(DEPRIVILEGED[0]).run(f"devices/{part}", "", "--boot", f"{part}=no")
    assert status == SKIP, text
    assert sentence in text


@pytest.mark.parametrize("topic", TOPICS)
def test_topic(guest, topic):
    status, text = guest.run(topic)
    topic = os.path.basename(topic)
    lines = [line for line in text.splitlines() if not line.startswith("ringfence:")]
    assert lines and re.match(rf"{topic}: exists to show that \S+ \S+ \S+", lines[0]), text
    if status == SKIP:
        pytest.skip(lines[-1])
    failed = [line for line in lines if line.startswith("FAIL")]
    assert not failed, text
    assert (status, lines[-1]) == (SUCCESS, "SUCCESS"), text
    assert any(line.startswith("ok ") for line in lines), text


def test_screen_is_shown_on_the_console():
    _, text = guest_for(DEPRIVILEGED[0]).run("devices/vga", "", "--boot", "vga=serial")
    assert "\033[24;1Hthe twenty-fifth line" in text
    assert "\033[25;1Hone that is seen because the start is moved" in text


@pytest.mark.parametrize("way", [QEMU[0] + (NATIVE,), DEPRIVILEGED[0]], ids=way_name)
def test_power_management_interrupts_where_the_table_says(way):
    status, text = guest_for(way).run("devices/acpi")
    assert (status, "interrupts through the I/O APIC, once" in text) == (SUCCESS, True), text
