"""Debian's Linux boots to its shell, translated. The short part of `make test-linux`; skips until `make linux` has
fetched the kernel."""

import pytest
from linux_boot import boot, check_session
from linux_guest import machine_or_skip

SECONDS = 240  # on a busy computer; a quiet one needs twenty


@pytest.mark.timeout(SECONDS + 30)
def test_linux_boots_to_its_shell_and_switches_off():
    machine_or_skip("qemu")
    check_session(*boot("vmlinux-686", SECONDS, "--memory", "64M"), "686")
