"""Guests under the hypervisor: they end as they do natively, and what cannot be run is refused."""

import re

import pytest
from launcher_support import MACHINES, RINGFENCE, assemble, launch

HELLO = RINGFENCE.parent / "build" / "guest" / "hello.elf"

# How the guest ends: the status, and the reason in the log's last line.
ENDINGS = {
    "debug_exit_5": (11, "debug-exit"),
    "keyboard_reset": (0, "reset"),
    "power_off": (0, "power-off"),
    "triple_fault": (70, "stopped"),
}


def run_guest(kernel, log, *arguments):
    result = launch("run", kernel, "--timeout", "40", "--log", log, *arguments)
    return result, log.read_text().splitlines()


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("ending", ENDINGS)
def test_endings(tmp_path, machine, ending):
    status, reason = ENDINGS[ending]
    kernel = assemble(tmp_path, "ending", f"ENDING={ending}")
    result, log = run_guest(kernel, tmp_path / "log", "--on", machine)
    assert result.returncode == status
    assert b"hello from the test kernel\r\n" in result.stdout
    assert log[-1] == f"ringfence: info vm0: ended reason={reason} status={status}"


def test_triple_fault_is_explained(tmp_path):
    kernel = assemble(tmp_path, "ending", "ENDING=triple_fault")
    result, log = run_guest(kernel, tmp_path / "log")
    sentence = [line for line in log if line.startswith("ringfence: error vm0: triple fault: ")]
    assert len(sentence) == 1
    assert re.search(r"triple fault: #\w\w.* at eip=[0-9a-f]{8} .*, then .*, then ", sentence[0])
    assert any(re.match(r"ringfence: info vm0: eip=\w+ eflags=\w+ IOPL=0", line) for line in log)
    assert any("ringfence: info vm0: code at eip: cc " in line for line in log)
    assert "ringfence: info vm0: instruction at eip: int3" in log
    assert b"stopped: triple fault" in result.stdout


def test_a_guest_that_hangs_is_timed_out(tmp_path):
    kernel = assemble(tmp_path, "ending", "ENDING=halt_for_ever")
    result = launch("run", kernel, "--timeout", "3")
    assert result.returncode == 124


@pytest.mark.parametrize("route", [(), ("--iso",)], ids=["kernel", "iso"])
def test_linux_gets_its_command_line_and_its_ramdisk(tmp_path, route):
    kernel = assemble(tmp_path, "linux")
    ramdisk = tmp_path / "initrd"
    ramdisk.write_bytes(bytes(48))
    result, log = run_guest(kernel, tmp_path / "log", "--initrd", ramdisk, "--append", "console=ttyS0 a=1,2", *route)
    assert result.returncode == 3, log
    assert result.stdout.endswith(b"linux: console=ttyS0 a=1,2...")


def test_a_linux_that_does_not_fit_is_refused_by_the_hypervisor_too(tmp_path):
    """The launcher looks first; this is for those who come by GRUB."""
    kernel = assemble(tmp_path, "linux")
    options = ["--log", tmp_path / "log", "--boot", "mode=run guest-memory=2"]
    modules = [f"--module={kernel}", f"--module={kernel}", f"--module={kernel}"]
    result = launch("boot", *modules, *options)
    assert result.returncode == 2
    log = (tmp_path / "log").read_text().splitlines()
    assert "ringfence: error linux.bin: there are 2 files beside the Linux kernel; at most one, its initial " \
        "ramdisk, is expected." in log


def test_memory_that_is_not_there_is_refused(tmp_path):
    result, log = run_guest(HELLO, tmp_path / "log", "--memory", "64M", "--boot", "guest-memory=3000")
    assert result.returncode == 2
    assert any('the boot option "guest-memory" is given twice' in line for line in log)


def test_the_log_says_which_chips_were_asked_how_often(tmp_path):
    kernel = assemble(tmp_path, "ending", "ENDING=power_off")
    _, log = run_guest(kernel, tmp_path / "log")
    counts = [re.search(r'accesses chip="COM1" port=0x3f8 reads=\d+ writes=(\d+)$', line) for line in log]
    assert [int(found[1]) for found in counts if found][0] > len("hello from the test kernel")


@pytest.mark.parametrize("memory", ["1G", "3072M"])
def test_the_machine_has_room_for_the_shadow_tables_of_a_large_guest(tmp_path, memory):
    result, log = run_guest(HELLO, tmp_path / "log", "--memory", memory)
    assert result.returncode == 0, log[-4:]


def test_deterministic_guests_repeat_to_the_byte(tmp_path):
    runs = [run_guest(RINGFENCE.parent / "build/guest/mini_kernel.elf", tmp_path / name, "--deterministic",
                      "--append", "demo", "--memory", "32M") for name in ("one", "two")]
    assert runs[0][0].returncode == 0
    assert runs[0][0].stdout == runs[1][0].stdout
    assert runs[0][1] == runs[1][1]
