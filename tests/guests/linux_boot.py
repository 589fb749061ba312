"""Debian's own Linux kernels boot to a shell and switch the machine off: natively, which is the
reference, and under each engine. Long, therefore a target of its own: `make test-linux`."""

import re
import subprocess
from pathlib import Path

import pytest
from conftest import ENGINES, RINGFENCE

ROOT = Path(RINGFENCE).parent
LINUX = ROOT / "build" / "linux"
HERE = ROOT / "build" / "interpret_here"
FLAVOURS = ("686", "686-pae")

# What a log must not have, unless the same kernel says it natively too.
ALARMING = re.compile(r"WARNING|BUG|Oops|lockup|stall|unexpected|Call Trace|Unable to|Kernel panic", re.IGNORECASE)
TIMESTAMP = re.compile(r"^\[ *\d+\.\d+\] ")

# An interpreted kernel is some hundred times slower than a direct one. It gets what numbers.md leaves out
# for the same reason, and no watchdog, whose seconds are those of a fast machine.
SLOW = (
    "noisapnp mitigations=off cryptomgr.notests tsc=reliable pci=off pnpbios=off nosoftlockup "
    "rcupdate.rcu_cpu_stall_suppress=1"
)
SECONDS = {"native": 120, "interpret": 1500, "translate": 600}

# Linux is not written for ring 1, which `trap` lets it see.
LINUX_ENGINES = [engine for engine in ENGINES if engine in SECONDS]

COMMANDS = "cat /proc/version /proc/interrupts; echo $((6*7)) | sed 's/^/answer /'; date +%Y"
PROMPT = "/ # "


def kernel_of(flavour, way):
    name = ("vmlinux-" if way == "interpret" else "vmlinuz-") + flavour
    for path in (LINUX / name, LINUX / "initrd"):
        if not path.exists():
            pytest.skip(f"build/linux/{path.name} is not there; `make linux` fetches and makes it")
    return LINUX / name


def boot(flavour, way, log):
    """Exit status and what was on the console."""
    kernel = kernel_of(flavour, way)
    how = ["--native"] if way == "native" else ["--engine", way]
    line = "console=ttyS0" if way != "interpret" else f"console=ttyS0 {SLOW}"
    script = ["--after", PROMPT, "--send", COMMANDS + "\\r", "--after", r"answer 42[\s\S]*" + PROMPT, "--send", "exit\\r"]
    options = ["--initrd", LINUX / "initrd", "--append", line, "--timeout", SECONDS[way], "--log", log]
    command = [RINGFENCE, "run", kernel, *how, *options, *script]
    result = subprocess.run([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=False)
    return result.returncode, result.stdout.decode("latin1").replace("\r", "")


def alarming_lines(text):
    """Without the times, which differ from run to run."""
    return {TIMESTAMP.sub("", line) for line in text.splitlines() if ALARMING.search(line)}


@pytest.fixture(scope="module")
def native_console(tmp_path_factory):
    """What each flavour says natively; asked once."""
    said = {}

    def console(flavour):
        if flavour not in said:
            said[flavour] = boot(flavour, "native", tmp_path_factory.mktemp("native") / "log")
        return said[flavour]

    return console


def check_session(status, text, flavour):
    assert status == 0, text[-3000:]
    assert "answer 42" in text
    assert re.search(rf"^Linux version \S+-{flavour} ", text, re.MULTILINE)
    assert re.search(r"^ *4: +\d+ .*ttyS0$", text, re.MULTILINE), "the console has no interrupts"
    assert re.search(r"^20\d\d$", text, re.MULTILINE)


@pytest.mark.timeout(SECONDS["native"] + 30)
@pytest.mark.parametrize("flavour", FLAVOURS)
def test_linux_natively(flavour, native_console):
    check_session(*native_console(flavour), flavour)


@pytest.mark.timeout(900)
@pytest.mark.parametrize("kernel, memory", [("vmlinuz-686", 128), ("vmlinuz-686-pae", 128), ("vmlinux-686", 40), ("vmlinux-686-pae", 1024)])
def test_linux_interpreted_on_this_computer(kernel, memory):
    """Without a machine underneath, hence quickly enough for all that a bzImage does before its first
    line, and with nothing on the command line but the console."""
    for path in (HERE, LINUX / kernel, LINUX / "initrd"):
        if not path.exists():
            pytest.skip(f"{path.relative_to(ROOT)} is not there; `make test-linux` makes it")
    command = [HERE, LINUX / kernel, LINUX / "initrd", "console=ttyS0", str(memory)]
    typed = f"{COMMANDS}\nexit\n".encode()
    result = subprocess.run(command, input=typed, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
    text = result.stdout.decode("latin1").replace("\r", "")
    check_session(result.returncode, text, kernel.partition("-")[2])


@pytest.mark.timeout(SECONDS["interpret"] + SECONDS["native"] + 30)
@pytest.mark.parametrize("engine", LINUX_ENGINES)
@pytest.mark.parametrize("flavour", FLAVOURS)
def test_linux_as_a_guest(flavour, engine, native_console, tmp_path):
    status, text = boot(flavour, engine, tmp_path / "log")
    check_session(status, text, flavour)
    _, native = native_console(flavour)
    assert alarming_lines(text) <= alarming_lines(native)
