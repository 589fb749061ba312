"""With slow-time= a guest's time goes more slowly than the machine's: what takes it long on a slow engine has
fewer interrupts in between."""

import re
import subprocess

from conftest import DEPRIVILEGED, RINGFENCE, ROOT, guest_for


def interrupts(slow_time):
    """How many interrupts the guest takes for the same work, with nobody to wait for."""
    command = guest_for(DEPRIVILEGED[2]).command("mini_kernel", "stress=100", "--deterministic", "--stats")
    command += ["--boot", f"slow-time={slow_time}"]
    result = subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    assert result.returncode == 0, result.stdout.decode(errors="replace")
    return int(re.search(rb"guest_interrupts +(\d+)", result.stdout)[1])


def test_a_slow_guest_has_fewer_ticks():
    usual, slow = (interrupts(slow_time) for slow_time in (1, 8))
    assert usual >= 16
    assert usual / 8 - 1 <= slow <= usual / 8 + 1


def test_what_is_no_such_number_is_refused():
    command = [RINGFENCE, "run", "build/guest/hello.elf", "--boot", "slow-time=0", "--timeout", "60"]
    result = subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    assert b"slow-time= is a number from 1 to 1000" in result.stdout
    assert result.returncode == 2
