"""With slow-time= a guest's time goes more slowly than the machine's: what takes it long on a slow engine has
fewer interrupts in between."""

import re
import subprocess

from conftest import DEPRIVILEGED, RINGFENCE, ROOT, guest_for

SCRIPT = ("--after", "mini> ", "--send", "prime 20000\\r", "--after", "smaller", "--send", "off\\r")


def interrupts(slow_time, log):
    """How many interrupts the guest takes for the same work."""
    command = guest_for(DEPRIVILEGED[2]).command("mini_kernel", "", "--deterministic", "--stats", "--log", str(log), *SCRIPT)
    command += ["--boot", f"slow-time={slow_time}"]
    status = subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=False).returncode
    assert status == 0, log.read_text()
    return int(re.search(r"stats: guest_interrupts=(\d+)", log.read_text())[1])


def test_a_slow_guest_has_fewer_ticks(tmp_path):
    usual, slow = (interrupts(slow_time, tmp_path / "log") for slow_time in (1, 8))
    assert 0 < slow < usual / 3


def test_what_is_no_such_number_is_refused():
    command = [RINGFENCE, "run", "build/guest/hello.elf", "--boot", "slow-time=0", "--timeout", "60"]
    result = subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    assert b"slow-time= is a number from 1 to 1000" in result.stdout
    assert result.returncode == 2
