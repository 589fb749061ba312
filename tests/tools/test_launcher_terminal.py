"""The terminal and the processes: whatever ends a run, the terminal is as it was and no machine is left."""

import os
import signal
import subprocess
import termios
import time

import pexpect
import pytest
from launcher_support import LIMIT, MACHINES, RINGFENCE, assemble, machines_in, wait_until

from launcher.isolation import can_leave_network


@pytest.fixture
def echo(tmp_path):
    return assemble(tmp_path, "echo")


@pytest.fixture
def private(tmp_path):
    """A TMPDIR of the test's own, so that it finds its machines by their working folder."""
    folder = tmp_path / "private"
    folder.mkdir()
    return folder


def environment(private):
    return os.environ | {"TMPDIR": str(private)}


def check_nothing_left(private):
    """No machine, and nothing in the folder for temporary files."""
    wait_until(lambda: not machines_in(private) and not list(private.iterdir()))


def open_terminal(kernel, private, *arguments):
    words = ["run", str(kernel), "--native", "--timeout", LIMIT, *arguments]
    return pexpect.spawn(str(RINGFENCE), words, timeout=float(LIMIT), env=environment(private), echo=True)


def modes(terminal):
    """The terminal's modes, without the state of its buffers."""
    attributes = termios.tcgetattr(terminal.child_fd)
    return attributes[:6] + [attributes[6][:18]]


@pytest.mark.parametrize("machine", MACHINES)
def test_a_conversation_and_control_c(echo, private, machine):
    terminal = open_terminal(echo, private, "--on", machine)
    before = modes(terminal)
    terminal.expect_exact("ready> ")
    assert modes(terminal) != before, "raw while it runs"
    terminal.send("hello\r")
    terminal.expect_exact("HELLO")
    terminal.send("\x1d\x03")  # Ctrl-] Ctrl-C: a literal Ctrl-C
    terminal.expect_exact("<3>")
    terminal.send("\x03")
    terminal.expect(pexpect.EOF)
    assert modes(terminal) == before
    terminal.close()
    assert terminal.exitstatus == 130
    check_nothing_left(private)


def test_the_menu_is_worked_with_the_keys(private):
    """The ISO that is built: choose the guest that is run natively, which then has the console."""
    words = ["boot", "--menu", "--timeout", LIMIT]
    terminal = pexpect.spawn(str(RINGFENCE), words, timeout=float(LIMIT), env=environment(private))
    terminal.expect_exact("natively")
    terminal.send("\x1b[B" * 5 + "\r")
    terminal.expect_exact("hello from ring 0")
    terminal.expect(pexpect.EOF)
    terminal.close()
    assert terminal.exitstatus == 0
    check_nothing_left(private)


def test_the_terminal_is_restored_when_the_guest_ends(echo, private):
    terminal = open_terminal(echo, private)
    before = modes(terminal)
    terminal.expect_exact("ready> ")
    terminal.send("q")
    terminal.expect(pexpect.EOF)
    assert modes(terminal) == before
    terminal.close()
    assert terminal.exitstatus == 7


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_the_terminal_is_restored_after_a_signal(echo, private, number):
    terminal = open_terminal(echo, private)
    before = modes(terminal)
    terminal.expect_exact("ready> ")
    terminal.kill(number)
    terminal.expect(pexpect.EOF)
    assert modes(terminal) == before
    terminal.close()
    assert terminal.exitstatus == 128 + number
    check_nothing_left(private)


def test_closing_the_window_leaves_nothing(echo, private):
    terminal = open_terminal(echo, private)
    terminal.expect_exact("ready> ")
    assert machines_in(private)
    os.close(terminal.child_fd)
    terminal.closed = True  # pexpect shall not close it again
    check_nothing_left(private)
    os.waitpid(terminal.pid, 0)


def start(kernel, private, *arguments, **options):
    options = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options
    command = [RINGFENCE, "run", kernel, "--native", "--timeout", LIMIT, *arguments]
    return subprocess.Popen(command, env=environment(private), **options)


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGKILL])
def test_signals_leave_no_machine(echo, private, machine, number):
    with start(echo, private, "--on", machine) as run:
        wait_until(lambda: machines_in(private))
        run.send_signal(number)
        assert run.wait() == (-number if number == signal.SIGKILL else 128 + number)
        assert run.stderr.read() == b""
    wait_until(lambda: not machines_in(private))
    assert number == signal.SIGKILL or not list(private.iterdir())


@pytest.mark.parametrize("machine", MACHINES)
def test_a_signal_at_any_moment(echo, private, machine):
    for delay in (0, 0.03, 0.06, 0.1, 0.15, 0.3):
        with start(echo, private, "--on", machine) as run:
            wait_until(lambda: list(private.iterdir()))
            time.sleep(delay)
            run.send_signal(signal.SIGINT)
            assert run.wait() == 130 and run.stderr.read() == b""
        check_nothing_left(private)


def test_a_reader_that_goes_away_is_no_error(echo, private):
    with start(echo, private, stdin=subprocess.PIPE) as run:
        run.stdout.read(5)
        run.stdout.close()
        run.stdin.write(b"hello\r")
        run.stdin.flush()
        assert run.wait() == 128 + signal.SIGPIPE
        assert run.stderr.read() == b""
    check_nothing_left(private)


def test_nobody_else_can_reach_the_screen_of_bochs(echo, private):
    """Bochs offers its screen on a port, but in a network of its own."""
    if not can_leave_network():
        pytest.skip("this system gives a process no network of its own")
    with start(echo, private, "--on", "bochs") as run:
        wait_until(lambda: machines_in(private))
        run.stdout.read(5)
        (machine,) = machines_in(private)
        assert os.readlink(f"/proc/{machine}/ns/net") != os.readlink("/proc/self/ns/net")
        run.terminate()


def test_head(tmp_path, private):
    clock = assemble(tmp_path, "clock", "LINES=2000000")
    command = f"'{RINGFENCE}' run '{clock}' --native --timeout {LIMIT} | head -n 2"
    result = subprocess.run(["sh", "-c", command], env=environment(private), capture_output=True)
    assert result.stdout.count(b"\n") == 2 and result.stderr == b""
    check_nothing_left(private)


def test_input_from_a_pipe_and_a_file(echo, private, tmp_path):
    typed = tmp_path / "typed"
    typed.write_bytes(b"x" * 3000 + b"\rq")
    for source in (open(typed, "rb"), subprocess.Popen(["cat", typed], stdout=subprocess.PIPE).stdout):
        with source, start(echo, private, stdin=source) as run:
            output = run.stdout.read()
            assert run.wait() == 7 and run.stderr.read() == b""
        assert output.count(b"X") >= 2999, "a byte may get lost before the kernel has set up the port, not more"


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_descriptors(tmp_path, private, closed):
    kernel = assemble(tmp_path, "ending", "ENDING=debug_exit_5")
    command = f"exec '{RINGFENCE}' run '{kernel}' --native --timeout {LIMIT} {closed}"
    result = subprocess.run(["sh", "-c", command], env=environment(private), capture_output=True)
    assert result.returncode == 11 and result.stderr == b""
    assert (b"hello" in result.stdout) == (">&-" not in closed.replace("2>&-", ""))


def test_output_into_a_file(tmp_path, private):
    kernel = assemble(tmp_path, "ending", "ENDING=debug_exit_5")
    with open(tmp_path / "output", "wb") as output, start(kernel, private, stdout=output) as run:
        assert run.wait() == 11
    assert (tmp_path / "output").read_bytes() == b"hello from the test kernel\r\nending.bin \r\n"


def test_timeout_even_if_nobody_reads(tmp_path, private):
    clock = assemble(tmp_path, "clock", "LINES=2000000")
    with start(clock, private, "--timeout", "1") as run:
        assert run.wait(30) == 124
        assert b"no end within 1 seconds" in run.stderr.read()
    check_nothing_left(private)
