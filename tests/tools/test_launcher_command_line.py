"""Whatever is wrong on the command line is answered by one sentence and status 2."""

import os
import struct
import subprocess
import sys

import pytest
from launcher_support import RINGFENCE, assemble, launch, one_sentence

BAD = [
    ([], "expected a command"),
    (["fly"], "fly"),
    (["run"], "KERNEL"),
    (["run", "K", "--frobnicate"], "--frobnicate"),
    (["run", "K", "--engine", "nonsense"], "'translate', 'trap', 'interpret'"),
    (["run", "K", "--on", "vmware"], "'qemu', 'bochs'"),
    (["run", "K", "--memory", "lots"], "128M"),
    (["run", "K", "--memory", "1G1"], "128M"),
    (["run", "K", "--memory", "1500K"], "whole number of megabytes"),
    (["run", "K", "--memory", "64G"], "between 2M and 3072M"),
    (["run", "K", "--memory", "0"], "between 2M and 3072M"),
    (["run", "K", "--timeout", "soon"], "number of seconds"),
    (["run", "K", "--timeout", "-1"], "number of seconds"),
    (["run", "K", "--timeout", "nan"], "number of seconds"),
    (["run", "K", "--expect", "("], "regular expression"),
    (["run", "K", "--after", "[", "--send", "x"], "regular expression"),
    (["run", "K", "--after", "x", "--send", "\\q"], "unknown escape \\q"),
    (["run", "K", "--after", "x", "--send", "\\x4"], "unknown escape \\x"),
    (["run", "K", "--after", "x", "--send", "end\\"], "unknown escape \\ in"),
    (["run", "K", "--send", "x"], "belong together"),
    (["run", "K", "--after", "x"], "belong together"),
    (["run", "K", "--gdb=0"], "port number"),
    (["run", "K", "--gdb", "--on", "bochs"], "--on qemu"),
    (["run", "K", "--cpu", "max -smp 4"], "processor model"),
    (["run", "K", "--append", "two\nlines"], "one line"),
    (["run", "K", "--memory"], "expected one argument"),
    (["boot", "K"], "K"),
    (["boot", "--menu", "--boot", "x"], "--menu"),
    (["run", "/nonexistent"], "cannot read KERNEL /nonexistent: No such file"),
    (["run", "/nonexistent", "--native"], "cannot read KERNEL /nonexistent: No such file"),
    (["run", "/etc/passwd"], "/etc/passwd is not a kernel; expected a Multiboot 1 kernel"),
    (["run", "/etc/passwd", "--native"], "/etc/passwd is not a kernel; expected a Multiboot 1 kernel"),
    (["run", "/"], "is a directory"),
    (["run", "/dev/zero"], "is a device"),
    (["run", ""], "is a directory"),
]


@pytest.mark.parametrize("arguments, words", BAD, ids=lambda value: " ".join(value) if isinstance(value, list) else "")
def test_one_sentence(arguments, words):
    assert words in one_sentence(launch(*arguments))


@pytest.fixture
def kernel(tmp_path):
    return assemble(tmp_path, "ending", "ENDING=debug_exit_5", elf=True)


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["--initrd", "/nonexistent"], "cannot read --initrd /nonexistent"),
        (["--initrd", "/etc"], "--initrd /etc is a directory"),
        (["--log", "/nonexistent/log"], "cannot write --log /nonexistent/log"),
        (["--cpu", "nonsense"], "QEMU did not start"),
        (["--cpu", "nonsense", "--on", "bochs"], "Bochs did not start"),
    ],
)
def test_one_sentence_about_a_good_kernel(kernel, arguments, words):
    assert words in one_sentence(launch("run", kernel, "--native", *arguments))


def test_too_large_for_memory(kernel, tmp_path):
    initrd = tmp_path / "initrd"
    with open(initrd, "wb") as file:
        file.truncate(40 << 20)
    text = one_sentence(launch("run", kernel, "--native", "--initrd", initrd, "--memory", "32M"))
    assert "too large for --memory 32M" in text and "42M" in text


@pytest.mark.parametrize("how", [[], ["--native"]], ids=["hypervisor", "native"])
def test_a_line_that_is_too_long_for_linux(tmp_path, how):
    kernel = assemble(tmp_path, "linux")
    text = one_sentence(launch("run", kernel, *how, "--append", "x" * 256))
    assert "--append has 256 characters" in text and "takes at most 255" in text


def test_unreadable_file(kernel):
    if os.geteuid() == 0:
        pytest.skip("root may read everything")
    kernel.chmod(0)
    assert "Permission denied" in one_sentence(launch("run", kernel, "--native"))


@pytest.mark.parametrize("missing", ["qemu-system-i386", "grub-mkrescue", "bochs"])
def test_missing_program_names_the_doctor(kernel, tmp_path, missing):
    programs = tmp_path / "programs"
    programs.mkdir()
    for name in {"qemu-system-i386", "grub-mkrescue", "bochs"} - {missing}:
        (programs / name).symlink_to("/bin/false")
    machine = ["--on", "bochs"] if missing == "bochs" else ["--iso"] if missing == "grub-mkrescue" else []
    # Through the interpreter itself, because env would not find it on that PATH.
    result = subprocess.run(
        [sys.executable, RINGFENCE, "run", kernel, "--native", *machine],
        capture_output=True,
        env={"PATH": str(programs)},
    )
    text = one_sentence(result)
    assert f"{missing} is not installed" in text and "./ringfence doctor" in text


@pytest.mark.parametrize("command", [[], ["run"], ["boot"], ["doctor"]])
def test_help(command):
    result = launch(*command, "--help")
    assert result.returncode == 0 and b"usage: ./ringfence" in result.stdout and result.stderr == b""


def test_help_explains_every_exit_status_and_gives_examples():
    text = launch("--help").stdout.decode()
    for word in ("examples:", "70", "71", "124", "Ctrl-]", "--native"):
        assert word in text


def test_help_into_a_closed_pipe_is_silent():
    process = subprocess.Popen([RINGFENCE, "run", "--help"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdout.close()
    assert process.stderr.read() == b""
    process.wait()


def test_doctor_names_what_is_missing(tmp_path):
    result = subprocess.run([sys.executable, RINGFENCE, "doctor"], capture_output=True, env={"PATH": str(tmp_path)})
    text = result.stdout.decode()
    assert result.returncode == 1 and result.stderr == b""
    for word in ("MISSING  qemu-system-x86", "MISSING  bochs", "tools/setup run", "tools/setup test"):
        assert word in text


def test_values_may_start_with_a_dash(tmp_path):
    kernel = assemble(tmp_path, "ending", "ENDING=keyboard_reset")
    result = launch("run", kernel, "--native", "--append", "-v --quiet", "--timeout", "40")
    assert (result.returncode, result.stderr) == (0, b"")
    assert b"ending.bin -v --quiet\r\n" in result.stdout


def test_a_kernel_that_grub_cannot_load(tmp_path):
    kernel = bytearray(assemble(tmp_path, "ending", "ENDING=debug_exit_5", "HEADER=2", elf=True).read_bytes())
    # A required tag that no loader knows, in the place of the end tag.
    at = kernel.index(struct.pack("<I", 0xE85250D6))
    kernel[at + 16 : at + 24] = struct.pack("<HHI", 999, 0, 8)
    broken = tmp_path / "broken.elf"
    broken.write_bytes(kernel)
    result = launch("run", broken, "--native", "--timeout", "40")
    assert "GRUB cannot load broken.elf" in one_sentence(result)
