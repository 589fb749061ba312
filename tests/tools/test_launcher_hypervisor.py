"""`./ringfence boot`: the log says how it ended. A test kernel plays the hypervisor."""

import subprocess
import sys

import pytest
from launcher_support import LIMIT, MACHINES, ROOT, assemble, one_sentence

from launcher import plan  # noqa: E402

CONSOLE = b"the console comes last, after the end of the log\r\n" * 40 + b"last words\r\n"

# The launcher, told to take the file in its first argument for the hypervisor.
START = f"""
import sys
sys.path.insert(0, {str(ROOT / 'tools')!r})
from pathlib import Path
from launcher import main, plan
plan.HYPERVISOR = plan.MENU_ISO = Path(sys.argv[1])
sys.exit(main.main(sys.argv[2:]))
"""


def test_a_large_guest_gets_room_for_records_of_its_memory():
    small, large = (plan.memory_beside_guest(plan.Plan(), memory) for memory in (32, 2048))
    records, files = 2048 // 512, 1
    assert small == plan.MEMORY_OF_HYPERVISOR + 32 // 16 + files
    assert large == plan.MEMORY_OF_HYPERVISOR + plan.LARGEST_SHADOW + records + files


def boot(hypervisor, *arguments, command="boot"):
    words = [sys.executable, "-B", "-c", START, hypervisor, command, "--timeout", LIMIT, *arguments]
    return subprocess.run(list(map(str, words)), stdin=subprocess.DEVNULL, capture_output=True, timeout=300)


@pytest.mark.parametrize("machine", [["--on", "qemu"], ["--on", "qemu", "--iso"], ["--on", "bochs"]])
@pytest.mark.parametrize("off", [["OFF"], []], ids=["switches off", "halts"])
def test_the_last_log_line_is_the_status(tmp_path, machine, off):
    hypervisor = assemble(tmp_path, "pretend", *off, elf=True)
    result = boot(hypervisor, *machine, "--log", tmp_path / "log")
    assert (result.returncode, result.stdout, result.stderr) == (42, CONSOLE, b"")
    lines = (tmp_path / "log").read_text().splitlines()
    assert len(lines) == 3 and lines[-1] == "ringfence: info vm0: ended reason=test status=42"


@pytest.mark.parametrize("machine", MACHINES)
def test_an_end_without_the_last_line_is_a_panic(tmp_path, machine):
    hypervisor = assemble(tmp_path, "pretend", "OFF", "SILENT", elf=True)
    result = boot(hypervisor, "--on", machine)
    assert (result.returncode, result.stdout) == (71, CONSOLE)
    assert result.stderr == b"ringfence: the hypervisor ended without its last log line: power-off\n"


def test_a_triple_fault_of_the_hypervisor_is_a_panic(tmp_path):
    hypervisor = assemble(tmp_path, "ending", "ENDING=triple_fault", "HEADER=3", elf=True)
    result = boot(hypervisor)
    assert result.returncode == 71 and b"triple fault" in result.stderr


def test_stats(tmp_path):
    result = boot(assemble(tmp_path, "pretend", elf=True), "--stats")
    assert result.returncode == 42 and result.stdout == CONSOLE
    assert result.stderr.decode().split() == ["traps", "12", "faults", "3"]


@pytest.mark.parametrize("machine", MACHINES)
def test_expect_goes_before_the_log(tmp_path, machine):
    hypervisor = assemble(tmp_path, "pretend", "OFF", elf=True)
    assert boot(hypervisor, "--on", machine, "--expect", "last words").returncode == 0
    assert boot(hypervisor, "--on", machine, "--expect", "never said").returncode == 42


def test_deterministic_logs_are_equal(tmp_path):
    hypervisor = assemble(tmp_path, "pretend", elf=True)
    logs = []
    for name in ("one", "two"):
        result = boot(hypervisor, "--deterministic", "--log", tmp_path / name)
        assert (result.returncode, result.stdout) == (42, CONSOLE)
        logs.append((tmp_path / name).read_bytes())
    assert logs[0] == logs[1]


def test_options_and_modules_arrive(tmp_path):
    """On QEMU the command line starts with the file's name; options follow, modules keep theirs."""
    hypervisor = assemble(tmp_path, "ending", "ENDING=power_off", elf=True)
    (tmp_path / "one").write_bytes(b"1")
    arguments = ["--boot", "mode=report log=debug", "--module", f"{tmp_path / 'one'}=a=1, b"]
    result = boot(hypervisor, *arguments, "--module", tmp_path / "one")
    lines = result.stdout.decode().split("\r\n")
    assert lines[1:4] == ["ending.elf at-end=off mode=report log=debug", "module one a=1, b", "module 2-one"]
    assert "at-end=halt" in boot(hypervisor, "--boot", "at-end=halt").stdout.decode()
    assert b"at-end=off" not in boot(hypervisor, "--boot", "at-end=halt").stdout


def test_missing_module(tmp_path):
    hypervisor = assemble(tmp_path, "pretend", elf=True)
    assert "cannot read --module /nonexistent" in one_sentence(boot(hypervisor, "--module", "/nonexistent=x"))


def test_not_built_yet(tmp_path):
    assert "`make` builds it" in one_sentence(boot(tmp_path / "nothing"))
    assert "`make` builds it" in one_sentence(boot(tmp_path / "nothing", "--menu"))


@pytest.mark.parametrize("machine", MACHINES)
def test_the_menu_of_an_iso(tmp_path, machine):
    hypervisor = assemble(tmp_path, "pretend", elf=True)
    menu = tmp_path / "grub.cfg"
    menu.write_text("set timeout=0\nmenuentry first {\nmultiboot2 /boot/k\n}\n")
    iso = tmp_path / "menu.iso"
    subprocess.run([ROOT / "tools/make-iso", "--config", menu, "--output", iso, f"/boot/k={hypervisor}"], check=True)
    result = boot(iso, "--menu", "--on", machine)
    assert (result.returncode, result.stderr) == (42, b"") and result.stdout.endswith(CONSOLE)
