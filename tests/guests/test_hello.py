"""hello: the smallest guest starts everywhere, says how it was started, and switches the machine off."""

import re
import time

from conftest import NATIVE, QEMU, Guest


def test_hello_says_its_line_and_powers_off(guest):
    status, text = guest.run("hello", "one two=2")
    assert status == 0, text
    line = re.search(r'^hello from ring 0: started by Multiboot [12], command line "(.*)"$', text, re.M)
    assert line, text
    assert line.group(1).endswith("one two=2")


def test_hello_starts_from_grub(one_of_each):
    status, text = one_of_each.run("hello", "through=grub", "--iso")
    assert status == 0, text
    assert "through=grub" in text


def test_hello_is_quick_on_qemu():
    start = time.monotonic()
    status, _ = Guest(QEMU[0] + (NATIVE,)).run("hello")
    assert status == 0
    assert time.monotonic() - start < 2
