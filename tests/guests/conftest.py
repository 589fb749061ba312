"""Running the project's own guests natively: the reference for everything that runs them deprivileged."""

import os
import shutil
import subprocess

import pexpect
import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
RINGFENCE = os.path.join(ROOT, "ringfence")
TIMEOUT = 90

# The machines underneath: which program, which processor model.
QEMU = [("qemu", "max"), ("qemu", "qemu32"), ("qemu", "pentium3")]
BOCHS = [("bochs", "p4_willamette"), ("bochs", "corei7_icelake_u")]
MACHINES = QEMU + BOCHS

PROGRAMS = {"qemu": "qemu-system-i386", "bochs": "bochs"}


class Guest:
    """One guest on one machine."""

    def __init__(self, machine):
        self.on, self.cpu = machine

    def command(self, name, append="", *options):
        kernel = os.path.join("build", "guest", name + ".elf")
        command = [RINGFENCE, "run", kernel, "--native", "--on", self.on, "--cpu", self.cpu]
        return command + ["--memory", "64M", "--timeout", str(TIMEOUT), "--append", append, *options]

    def run(self, name, append="", *options):
        """Exit status and what the guest said, line ends as in text."""
        result = subprocess.run(
            self.command(name, append, *options),
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=TIMEOUT + 10,
            check=False,
        )
        return result.returncode, result.stdout.decode("latin1").replace("\r\n", "\n")

    def talk(self, name, append=""):
        """The guest with a terminal to type at."""
        command = self.command(name, append)
        return pexpect.spawn(command[0], command[1:], cwd=ROOT, timeout=30, encoding="latin1")


def machine_name(machine):
    return "-".join(machine)


@pytest.fixture(params=MACHINES, ids=machine_name)
def guest(request):
    program = PROGRAMS[request.param[0]]
    if not shutil.which(program):
        pytest.skip(f"{program} is not installed")
    return Guest(request.param)


@pytest.fixture(params=QEMU[:1] + BOCHS[:1], ids=machine_name)
def one_of_each(request):
    """For what does not depend on the processor model: one machine of each kind."""
    program = PROGRAMS[request.param[0]]
    if not shutil.which(program):
        pytest.skip(f"{program} is not installed")
    return Guest(request.param)
