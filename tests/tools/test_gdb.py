"""The rf commands, in a gdb that runs in batch mode on a hypervisor booted under QEMU's stub."""
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def run_gdb(*commands, boot=()):
    """One gdb session from the first instruction on; returns all that it printed."""
    words = " ".join(f'-ex "{command}"' for command in commands)
    done = subprocess.run([ROOT / "tools/gdb/start", "--gdb-args", f"-batch {words}", "--", *boot],
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=200)
    return done.stdout


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    """What every command says once the hypervisor stands on its own tables."""
    module = tmp_path_factory.mktemp("gdb") / "some.module"
    module.write_bytes(b"m" * 5000)
    return run_gdb("tbreak report_banner", "continue", "continue", "rf gdt", "rf idt",
                   "rf idt 256", "rf tss", "rf tss 0x20", "rf tss 0x08", "rf modules",
                   "rf walk report_banner", "rf walk &boot_info", "rf walk 0", "rf walk nowhere",
                   "rf walk", boot=["--module", f"{module}=one two"])


def test_starts_before_the_first_instruction_and_goes_on_to_ours():
    said = run_gdb("info registers eip", "continue", "info registers eip", "print/x (unsigned)&boot_entry")
    first, second = re.findall(r"^eip +0x([0-9a-f]+)", said, re.MULTILINE)
    assert first == "fff0"
    assert f"$1 = 0x{second}\n" in said


def test_machine_ends_with_gdb():
    said = run_gdb("monitor info status", "info inferiors")
    assert "paused" in said
    port = int(re.search(r"127\.0\.0\.1:(\d+)", said)[1])
    listening = f"0100007F:{port:04X} 00000000:0000 0A"
    assert listening not in Path("/proc/net/tcp").read_text()


def test_rf_alone_lists_the_commands():
    said = run_gdb("rf", "rf nonsense")
    for command in ("gdt", "idt", "tss", "walk", "modules"):
        assert f"rf {command}" in said
    assert "there is no command rf nonsense: expected one of gdt" in said


def test_real_mode_has_no_tables():
    said = run_gdb("rf gdt", "rf idt", "rf tss", "rf modules", "rf walk 0xb8000")
    for table in ("GDT", "IDT", "TSS"):
        assert f"still in real mode, where there is no {table}" in said
    assert "boot_info cannot be read before paging is on" in said
    assert "paging is off: linear 000b8000 is machine address 000b8000" in said


def test_gdt(running):
    assert re.search(r"0008  code +base 00000000  limit ffffffff  dpl 0  32-bit, readable", running)
    assert re.search(r"0010  data +base 00000000  limit ffffffff  dpl 0  32-bit, writable", running)
    assert re.search(r"0018  TSS, busy  base ff[c-f]", running)


def test_idt(running):
    assert re.search(r"IDT at ff\w+, limit 07ff: 256 gates, 256 present", running)
    assert re.search(r"0e #PF  interrupt gate +0008:ff\w+  dpl 0  <stub_14>", running)
    assert re.search(r"08 #DF  task gate +0020:", running)
    assert "there is no vector 256: the IDT has 0 to 255" in running


def test_tss(running):
    assert re.search(r"TSS 0018 at ff\w+, limit 00000067", running)
    assert re.search(r"TSS 0020 at ff\w+(.*\n)+?.*eip ff\w+ <\w*double_fault", running)
    assert "selector 0008 names no TSS but: code" in running


def test_modules(running):
    assert "1 modules, command line" in running
    assert re.search(r"0  0\w+ to 0\w+ +5000 bytes  some.module \"one two\"", running)


def test_walk_of_code_and_data(running):
    code, data = re.findall(r"^machine address \w+ in a 4 KB page: (.*)$", running, re.MULTILINE)
    assert code == "read-only, supervisor, executable"
    assert data == "writable, supervisor, no-execute"


def test_walk_of_nothing(running):
    assert "nothing is mapped at 00000000: its PT entry is not present" in running
    assert '"nowhere" is no address' in running
    assert "rf walk needs an address" in running
