"""Native runs: the same kernel gives the same console and the same status on both machines."""

import socket
import subprocess

import pytest
from launcher_support import LIMIT, MACHINES, RINGFENCE, assemble, launch_native, one_sentence

ROUTES = {"qemu": ["--on", "qemu"], "qemu through GRUB": ["--on", "qemu", "--iso"], "bochs": ["--on", "bochs"]}
ENDINGS = {
    "debug_exit_5": (11, "debug-exit", b""),
    "keyboard_reset": (0, None, b""),
    "power_off": (0, "power-off", b""),
    "triple_fault": (70, "triple-fault", b"ringfence: the processor gave up after a triple fault\n"),
}
HELLO = b"hello from the test kernel\r\n"


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("ending", ENDINGS)
def test_endings(tmp_path, machine, ending):
    status, reason, stderr = ENDINGS[ending]
    kernel = assemble(tmp_path, "ending", f"ENDING={ending}")
    log = tmp_path / "log"
    result = launch_native(kernel, "--on", machine, "--log", log)
    assert (result.returncode, result.stderr) == (status, stderr)
    assert result.stdout == HELLO + b"ending.bin \r\n"
    lines = log.read_text().splitlines()
    assert lines[0] == "guest: by port E9"
    assert lines[-1].startswith("ringfence: info native: ended reason=") and lines[-1].endswith(f"status={status}")
    assert reason is None or f"reason={reason} " in lines[-1]


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("header, elf", [(1, False), (1, True), (2, True), (3, True)])
def test_every_kind_of_multiboot_kernel(tmp_path, route, header, elf):
    kernel = assemble(tmp_path, "ending", "ENDING=debug_exit_5", f"HEADER={header}", elf=elf)
    result = launch_native(kernel, *ROUTES[route])
    assert (result.returncode, result.stderr) == (11, b"")
    assert result.stdout.startswith(HELLO)


@pytest.mark.parametrize("route", ROUTES)
def test_command_line_and_module(tmp_path, route):
    """Whoever loads it, the kernel sees the same words, and no path of this computer."""
    folder = tmp_path / "a folder, with comma"
    folder.mkdir()
    kernel = assemble(folder, "ending", "ENDING=debug_exit_5", elf=True)
    (folder / "my initrd,1").write_bytes(b"x")
    result = launch_native(kernel, *ROUTES[route], "--append", "a=1,2 $b;c", "--initrd", folder / "my initrd,1")
    assert (result.returncode, result.stderr) == (11, b"")
    assert result.stdout == HELLO + b"ending.elf a=1,2 $b;c\r\nmodule my_initrd_1\r\n"


@pytest.mark.parametrize("route, prefix", [("qemu", b""), ("bochs", b"BOOT_IMAGE=/guest/linux.bin ")])
def test_linux(tmp_path, route, prefix):
    (tmp_path / "initrd").write_bytes(bytes(48))
    kernel = assemble(tmp_path, "linux")
    result = launch_native(kernel, *ROUTES[route], "--append", "console=ttyS0 quiet", "--initrd", tmp_path / "initrd")
    assert (result.returncode, result.stderr) == (3, b"")
    assert result.stdout == b"linux: " + prefix + b"console=ttyS0 quiet..."


@pytest.mark.parametrize("machine", MACHINES)
def test_send_after_expect(tmp_path, machine):
    kernel = assemble(tmp_path, "echo")
    steps = ["--after", "ready> ", "--send", r"one\x20", "--after", "ONE", "--send", r"two\r"]
    result = launch_native(kernel, "--on", machine, *steps, "--expect", r"TWO\r\r\nread")
    assert (result.returncode, result.stderr) == (0, b"")
    assert result.stdout.endswith(b"ONE TWO\r\r\nread"), "the output is cut behind the match"


def test_expect_without_a_match_is_a_failure(tmp_path):
    for ending, status in (("power_off", 1), ("debug_exit_5", 11), ("triple_fault", 70)):
        kernel = assemble(tmp_path, "ending", f"ENDING={ending}")
        result = launch_native(kernel, "--expect", "good news")
        assert result.returncode == status
        assert result.stderr.endswith(b" before --expect matched\n") and result.stderr.count(b"\n") == 1


@pytest.mark.parametrize("machine", MACHINES)
def test_timeout(tmp_path, machine):
    kernel = assemble(tmp_path, "ending", "ENDING=halt_for_ever")
    result = launch_native(kernel, "--on", machine, "--timeout", "5.5", "--expect", "never")
    assert result.returncode == 124
    assert result.stderr == b"ringfence: --expect did not match within 5.5 seconds (--timeout)\n"
    assert result.stdout.startswith(HELLO)


@pytest.mark.parametrize("machine", MACHINES)
def test_deterministic_runs_are_equal(tmp_path, machine):
    kernel = assemble(tmp_path, "clock", "LINES=200")
    results = [launch_native(kernel, "--on", machine, "--deterministic") for _ in range(2)]
    assert [result.returncode for result in results] == [1, 1]
    assert results[0].stdout == results[1].stdout and results[0].stdout.count(b"\n") == 200
    counts = [int(line.split()[0], 16) for line in results[0].stdout.splitlines()]
    steps = {after - before for before, after in zip(counts, counts[1:])}
    assert 100 < min(steps) and (machine == "bochs" or max(steps) < 500), "one tick for each instruction"


def test_runs_differ_when_not_asked_to_be_equal(tmp_path):
    kernel = assemble(tmp_path, "clock")
    assert launch_native(kernel).stdout != launch_native(kernel).stdout


def test_deterministic_does_not_depend_on_the_reader(tmp_path):
    """A reader that takes its time, and a pipe that is full, change nothing for the guest."""
    kernel = assemble(tmp_path, "clock", "LINES=20000")
    command = [RINGFENCE, "run", kernel, "--native", "--deterministic", "--timeout", LIMIT]
    slow = subprocess.Popen(["sh", "-c", "sleep 1.5; exec cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    run = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=slow.stdin)
    slow.stdin.close()
    first = slow.stdout.read()
    assert run.wait() == 1 and slow.wait() == 0
    assert first == launch_native(kernel, "--deterministic").stdout
    assert first.count(b"\n") == 20000


@pytest.mark.parametrize("option", [["--memory", "32M"], ["--memory", "2G"], ["--cpu", "pentium3"]])
def test_machine_options_on_qemu(tmp_path, option):
    kernel = assemble(tmp_path, "ending", "ENDING=debug_exit_5")
    assert launch_native(kernel, *option).returncode == 11


@pytest.mark.parametrize("option", [["--memory", "32M"], ["--memory", "1G"], ["--cpu", "p3_katmai"]])
def test_machine_options_on_bochs(tmp_path, option):
    kernel = assemble(tmp_path, "ending", "ENDING=debug_exit_5")
    assert launch_native(kernel, "--on", "bochs", *option).returncode == 11


def test_hypervisor_options_change_nothing(tmp_path):
    """Adding --native to any command gives its reference."""
    kernel = assemble(tmp_path, "ending", "ENDING=debug_exit_5")
    result = launch_native(kernel, "--engine", "trap", "--stats", "--boot", "log=debug")
    assert (result.returncode, result.stderr) == (11, b"")


def test_gdb_waits_before_the_first_instruction(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    kernel = assemble(tmp_path, "ending", "ENDING=debug_exit_5", elf=True)
    with subprocess.Popen(
        [RINGFENCE, "run", kernel, "--native", "--timeout", LIMIT, "--gdb", str(port)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as run:
        assert run.stderr.readline() == b"ringfence: waiting for gdb: target remote 127.0.0.1:%d\n" % port
        gdb = ["gdb", "-nx", "-batch", "-ex", f"target remote 127.0.0.1:{port}", "-ex", "p $pc", "-ex", "hbreak start"]
        gdb += ["-ex", "continue", "-ex", "p/x $eax", "-ex", "continue", str(kernel)]
        for _ in range(50):
            told = subprocess.run(gdb, capture_output=True, text=True, timeout=float(LIMIT)).stdout
            if "$1" in told:
                break
        assert "0xfff0" in told, told
        assert "$2 = 0x2badb002" in told, "the magic number of a Multiboot 1 loader"
        assert run.wait() == 11


def test_gdb_port_in_use(tmp_path):
    kernel = assemble(tmp_path, "ending", "ENDING=debug_exit_5")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        result = launch_native(kernel, "--gdb", taken.getsockname()[1])
    assert "Address already in use" in one_sentence(result)


def test_several_at_once_do_not_disturb_each_other(tmp_path):
    kernel = assemble(tmp_path, "echo")
    runs = []
    for i in range(4):
        steps = ["--after", "ready> ", "--send", f"run {i}\\r", "--after", f"RUN {i}\r", "--send", "q"]
        command = [RINGFENCE, "run", kernel, "--native", "--timeout", LIMIT, "--on", MACHINES[i % 2], *steps]
        runs.append(subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE))
    for i, run in enumerate(runs):
        stdout, stderr = run.communicate()
        assert (run.returncode, stderr) == (7, b"") and b"RUN %d\r" % i in stdout
