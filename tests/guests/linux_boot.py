"""Debian's own Linux kernels boot to a shell and switch the machine off: natively, which is the reference, and as
guests of each engine, on several machines and with several sizes of memory. What they say while they boot is
compared. Long, therefore a target of its own: `make test-linux`."""

import re
import subprocess

import pytest
from conftest import RINGFENCE
from linux_guest import FIRST_PROMPT, FLAVOURS, ROOT, alarming_lines, kernel_lines, linux_file, machine_or_skip

HERE = ROOT / "build" / "interpret_here"

# An interpreted kernel is some hundred times slower than a direct one. It gets what numbers.md leaves out
# for the same reason, and no watchdog, whose seconds are those of a fast machine.
SLOW = (
    "noisapnp mitigations=off cryptomgr.notests tsc=reliable pci=off pnpbios=off nosoftlockup "
    "rcupdate.rcu_cpu_stall_suppress=1"
)
# Not under `trap`: Linux is not written for ring 1, which that lets it see.
SECONDS = {"native": 120, "interpret": 1500, "translate": 600}

MACHINES = [("qemu", "max"), ("qemu", "qemu32"), ("qemu", "pentium3"), ("bochs", "corei7_skylake_x"), ("bochs", "p4_willamette")]
MEMORIES = ("64M", "128M", "1G")
BOCHS_SECONDS = 1500

COMMANDS = "cat /proc/version /proc/interrupts; echo $((6*7)) | sed 's/^/answer /'; date +%Y"


def boot(kernel, seconds, *options, append="console=ttyS0"):
    """Exit status and what was on the console."""
    script = ["--after", FIRST_PROMPT, "--send", COMMANDS + "\\r"]
    script += ["--after", r"answer 42[\s\S]*" + FIRST_PROMPT, "--send", "exit\\r"]
    options = [*options, "--initrd", linux_file("initrd"), "--append", append, "--timeout", seconds]
    command = [RINGFENCE, "run", linux_file(kernel), *options, *script]
    result = subprocess.run([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=False)
    return result.returncode, result.stdout.decode("latin1").replace("\r", "")


def check_session(status, text, flavour):
    assert status == 0, text[-3000:]
    assert "answer 42" in text
    assert re.search(rf"^Linux version \S+-{flavour} ", text, re.MULTILINE)
    assert re.search(r"^ *4: +\d+ .*ttyS0$", text, re.MULTILINE), "the console has no interrupts"
    assert re.search(r"^20\d\d$", text, re.MULTILINE)
    assert not alarming_lines(text)
    # CPUID says that the counter needs no watchdog; without that, a busy computer made Linux give it up.
    assert "Marking TSC unstable due to clocksource watchdog" not in text


@pytest.mark.timeout(SECONDS["native"] + 30)
@pytest.mark.parametrize("flavour", FLAVOURS)
def test_linux_natively(flavour):
    check_session(*boot(f"vmlinuz-{flavour}", SECONDS["native"], "--native"), flavour)


@pytest.mark.timeout(900)
@pytest.mark.parametrize("kernel, memory", [("vmlinuz-686", 128), ("vmlinuz-686-pae", 128), ("vmlinux-686", 40), ("vmlinux-686-pae", 1024)])
def test_linux_interpreted_on_this_computer(kernel, memory):
    """Without a machine underneath, hence quickly enough for all that a bzImage does before its first
    line, and with nothing on the command line but the console."""
    if not HERE.exists():
        pytest.skip(f"{HERE.relative_to(ROOT)} is not there; `make test-linux` makes it")
    command = [HERE, linux_file(kernel), linux_file("initrd"), "console=ttyS0", str(memory)]
    typed = f"{COMMANDS}\nexit\n".encode()
    result = subprocess.run(command, input=typed, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
    text = result.stdout.decode("latin1").replace("\r", "")
    check_session(result.returncode, text, kernel.partition("-")[2])


@pytest.mark.timeout(SECONDS["interpret"] + 30)
@pytest.mark.parametrize("flavour", FLAVOURS)
def test_linux_interpreted(flavour):
    check_session(*boot(f"vmlinux-{flavour}", SECONDS["interpret"], "--engine", "interpret", append=f"console=ttyS0 {SLOW}"), flavour)


@pytest.mark.timeout(BOCHS_SECONDS + 30)
@pytest.mark.parametrize("memory", MEMORIES)
@pytest.mark.parametrize("flavour", FLAVOURS)
@pytest.mark.parametrize("on, cpu", MACHINES)
def test_linux_translated(on, cpu, flavour, memory):
    machine_or_skip(on)
    seconds = BOCHS_SECONDS if on == "bochs" else SECONDS["translate"]
    check_session(*boot(f"vmlinuz-{flavour}", seconds, "--on", on, "--cpu", cpu, "--memory", memory), flavour)


# Lines of a guest that the same kernel does not say on a like machine, an early Pentium III with the board that QEMU makes.
DIFFERENT = {
    "the processor": r"Disabled$|x#/PAT: MTRRs disabled|x#/PAT: Configuration|smpboot: CPU#: Intel Ringfence virtual processor",
    "memory that firmware does not take, and no firmware's tables of the machine": r"\d*#MB LOWMEM available|Memory: |DMI not present",
    "ACPI tables of our own": r"ACPI: (RSDP|RSDT|FACP|DSDT|APIC) .*RNGFNC|ACPI: PM: \(supports S# S#\)|ACPI: PCI Root Bridge|pci_bus .* root bus resource",
    "no HPET": r"tsc: PIT calibration matches PMTIMER",
    "no devices in the ACPI tables": r"PnPBIOS: |platform rtc_cmos|rtc_cmos rtc_cmos: |serial#: ttyS#|i#: (PNP: No PS/# controller found|Probing ports directly)",
    "numbers below zero": r"sched_clock: Marking stable",
}

def without_numbers(line):
    return re.sub(r"0x[0-9A-Fa-f]+|\b[0-9a-f]*\d[0-9a-f]*|(?<=[A-Za-z])\d+k?", "#", line)


@pytest.mark.timeout(SECONDS["native"] + SECONDS["translate"] + 30)
@pytest.mark.parametrize("flavour", FLAVOURS)
def test_the_boot_log_is_that_of_a_like_machine(flavour):
    """--deterministic: how busy this computer is shows in what Linux says of its clocks, natively as well."""
    machine_or_skip("qemu")
    options = ("--cpu", "pentium3", "--deterministic")
    _, native = boot(f"vmlinuz-{flavour}", SECONDS["native"], "--native", *options)
    status, text = boot(f"vmlinuz-{flavour}", SECONDS["translate"], *options)
    assert status == 0
    known = {without_numbers(line) for line in kernel_lines(native)}
    expected = re.compile("|".join(DIFFERENT.values()))
    mapped = {without_numbers(line): line for line in kernel_lines(text)}
    assert len(known) > 200 and len(mapped) > 200
    assert not [line for key, line in mapped.items() if key not in known and not expected.match(key)]
