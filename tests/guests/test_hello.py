"""hello: the smallest guest starts everywhere, says how it was started, and switches the machine off."""

import os
import re
import resource
import subprocess

import pytest
from conftest import NATIVE, QEMU, ROOT, Guest


def test_hello_says_its_line_and_powers_off(guest):
    status, text = guest.run("hello", "one two=2")
    assert status == 0, text
    ring = 1 if guest.engine == "trap" else 0  # it says what CS tells it: row T1 of the limitations
    line = re.search(rf'^hello from ring {ring}: started by Multiboot [12], command line "(.*)"$', text, re.M)
    assert line, text
    assert line.group(1).endswith("one two=2")


def test_hello_starts_from_grub(one_of_each):
    status, text = one_of_each.run("hello", "through=grub", "--iso")
    assert status == 0, text
    assert "through=grub" in text


def test_hello_is_quick_on_qemu():
    """In time of the processor, of which others may want some as well."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    status, _ = Guest(QEMU[0] + (NATIVE,)).run("hello")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert status == 0
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 2


@pytest.mark.parametrize("command, protocol", [("multiboot", "Multiboot 1"), ("multiboot2", "Multiboot 2")])
@pytest.mark.parametrize("name, line", [("hello", "started by {}, command"), ("mini_kernel", "started by  {}\r\n")])
def test_grub_starts_it_by_either_protocol(tmp_path, command, protocol, name, line):
    menu = tmp_path / "grub.cfg"
    menu.write_text(f"set timeout=0\nmenuentry guest {{\n\t{command} /guest.elf stress=1\n}}\n")
    image = tmp_path / "guest.iso"
    make_iso = [os.path.join(ROOT, "tools", "make-iso"), "--config", menu, "--output", image]
    subprocess.run([*make_iso, f"/guest.elf=build/guest/{name}.elf"], cwd=ROOT, check=True, timeout=60)
    result = subprocess.run(
        ["qemu-system-i386", "-cdrom", image, "-display", "none", "-serial", "stdio", "-no-reboot"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        timeout=60,
        check=True,
    )
    assert line.format(protocol) in result.stdout.decode("latin1")
