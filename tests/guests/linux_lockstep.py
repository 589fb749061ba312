"""Debian's Linux boots to its shell while each block of its kernel is run by the interpreter, too, and compared. Long: `make test-linux-lockstep`."""

import subprocess

import pytest
from conftest import RINGFENCE
from linux_guest import FIRST_PROMPT, FLAVOURS, alarming_lines, linux_file, machine_or_skip

SECONDS = 4 * 3600

# Lockstep is slower than its guest's clock: a tick would come before the last one was done.
BOOT = "lockstep slow-time=64"
# What searches for devices has nothing to find, and the kernel's own tests take as long as all the rest.
APPEND = (
    "console=ttyS0 earlyprintk=serial,ttyS0 nokaslr noisapnp mitigations=off cryptomgr.notests tsc=reliable "
    "pci=off pnpbios=off i8042.nokbd i8042.noaux"
)


@pytest.mark.timeout(SECONDS + 30)
@pytest.mark.parametrize("flavour", FLAVOURS)
def test_linux_in_lockstep(flavour, tmp_path):
    machine_or_skip("qemu")
    log = tmp_path / "log"
    command = [RINGFENCE, "run", linux_file(f"vmlinuz-{flavour}"), "--initrd", linux_file("initrd"), "--deterministic", "--memory", "64M"]
    command += ["--append", APPEND, "--boot", BOOT, "--timeout", SECONDS, "--log", log, "--after", FIRST_PROMPT, "--send", "exit\\r"]
    words = [str(word) for word in command]
    result = subprocess.run(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=False)
    text = result.stdout.decode("latin1")
    assert result.returncode == 0, text[-3000:] + log.read_text()[-3000:]
    assert not alarming_lines(text)
