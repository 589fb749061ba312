"""Running the project's own guests: natively, which is the reference, and under each engine, which
must say the same."""

import os
import re
import shutil
import subprocess

import pexpect
import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
RINGFENCE = os.path.join(ROOT, "ringfence")
TIMEOUT = 300

# The machines underneath: which program, which processor model.
QEMU = [("qemu", "max"), ("qemu", "qemu32"), ("qemu", "pentium3")]
BOCHS = [("bochs", "p4_willamette"), ("bochs", "corei7_icelake_u")]
MACHINES = QEMU + BOCHS

# How a guest is run: natively everywhere, and deprivileged on one machine of each kind.
NATIVE = "native"
ENGINES = ["interpret", "trap", "translate"]
# What trap cannot catch is less where UMIP catches it.
DEPRIVILEGED = [("qemu", "max", engine) for engine in ENGINES] + [
    ("bochs", "corei7_skylake_x", "interpret"),
    ("bochs", "corei7_icelake_u", "trap"),
    ("bochs", "corei7_skylake_x", "translate"),
]
WAYS = [machine + (NATIVE,) for machine in MACHINES] + DEPRIVILEGED

# The last of the hypervisor's own lines on the console; what follows is the guest's, byte for byte.
HANDOVER = re.compile(r"\A.*?^guest      [^\n]*\n\n", re.MULTILINE | re.DOTALL)

PROGRAMS = {"qemu": "qemu-system-i386", "bochs": "bochs"}


class Guest:
    """Guests on one machine, run in one way."""

    def __init__(self, way):
        self.on, self.cpu, self.engine = way

    def command(self, name, append="", *options):
        kernel = os.path.join("build", "guest", name + ".elf")
        how = ["--native"] if self.engine == NATIVE else ["--engine", self.engine]
        command = [RINGFENCE, "run", kernel, *how, "--on", self.on, "--cpu", self.cpu]
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
        text = result.stdout.decode("latin1").replace("\r\n", "\n")
        if self.engine != NATIVE:
            text = HANDOVER.sub("", text)
        return result.returncode, text

    def talk(self, name, append=""):
        """The guest with a terminal to type at."""
        command = self.command(name, append)
        return pexpect.spawn(command[0], command[1:], cwd=ROOT, timeout=30, encoding="latin1")


SUCCESS, SKIP = 33, 35  # status (V << 1) | 1 of the verdicts of guest/library/test.h


def topics(folder):
    """The guests of one folder of guest/."""
    path = os.path.join(ROOT, "guest", folder)
    return sorted(t for t in os.listdir(path) if os.path.exists(os.path.join(path, t, "main.c")))


def check_verdict(topic, status, text):
    """A test guest said what it is for, all of its checks held, and it ended with that verdict."""
    lines = [line for line in text.splitlines() if not line.startswith("ringfence:")]
    assert lines and re.match(rf"{topic}: exists to show that \S+ \S+ \S+", lines[0]), text
    if status == SKIP:
        pytest.skip(lines[-1])
    failed = [line for line in lines if line.startswith("FAIL")]
    assert not failed, text
    assert (status, lines[-1]) == (SUCCESS, "SUCCESS"), text
    assert any(line.startswith("ok ") for line in lines), text


def way_name(way):
    return "-".join(way)


def guest_for(way):
    program = PROGRAMS[way[0]]
    if not shutil.which(program):
        pytest.skip(f"{program} is not installed")
    return Guest(way)


@pytest.fixture(params=WAYS, ids=way_name)
def guest(request):
    return guest_for(request.param)


@pytest.fixture(params=[QEMU[0] + (NATIVE,), BOCHS[0] + (NATIVE,)] + DEPRIVILEGED, ids=way_name)
def one_of_each(request):
    """For what does not depend on the processor model: one machine of each kind, in each way."""
    return guest_for(request.param)
