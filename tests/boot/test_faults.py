"""What becomes of us when the machine, or our own memory, fails: never a panic."""

import contextlib
import fcntl
import os
import re
import socket
import subprocess
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MORE_THAN_THERE_ARE = 15  # allocations from where the guest's machine is made until its shell prompts
REFUSED = 2
NMIS = 3000


def boot(*options):
    done = subprocess.run([ROOT / "ringfence", "run", "build/guest/mini_kernel.elf", "--memory", "32M", "--timeout", "60",
                           "--expect", "mini>", *options], cwd=ROOT, text=True, errors="replace",
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return done.returncode, done.stdout


def test_each_allocation_may_fail():
    ends = {n: boot("--boot", f"frames-fail={n}") for n in range(1, MORE_THAN_THERE_ARE + 1)}
    failed = {n: end for n, end in ends.items() if end[0] != 0}
    for n, (status, text) in failed.items():
        assert status == REFUSED, (n, text)
        assert re.search(r"vm0: .*(not enough memory|does not fit)", text), (n, text)
    assert len(failed) >= 8, "the allocations were not counted"
    assert MORE_THAN_THERE_ARE not in failed, "there are more allocations than were tried"


def until(log, words, seconds=200):
    end = time.monotonic() + seconds
    while not (log.exists() and words in log.read_text(errors="replace")):
        assert time.monotonic() < end, f"never said {words}: {log.read_text(errors='replace')[-600:]}"
        time.sleep(0.05)


@contextlib.contextmanager
def qemu(guest, console, log, options="", monitor="none", *more):
    """The hypervisor with a guest, its console and its log as QEMU's -serial has them."""
    append = f"mode=run at-end=off guest-memory=32 log=debug {options}"
    machine = subprocess.Popen(
        ["qemu-system-i386", "-display", "none", "-no-reboot", "-m", "128M", "-cpu", "max", "-kernel",
         ROOT / "build/ringfence.elf", "-append", append, "-initrd", f"{ROOT}/build/guest/{guest}.elf", "-serial",
         console, "-serial", log, "-monitor", monitor, *more],
        stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    try:
        yield machine
    finally:
        machine.kill()
        machine.wait()


class Line:
    """A serial line of QEMU whose other end is ours; full from the beginning, until it is read."""

    SMALLEST = 4096  # bytes that a pipe of Linux holds at least

    def __init__(self, folder):
        self.name = f"pipe:{folder}/line"
        for end in ("in", "out"):
            os.mkfifo(folder / f"line.{end}")
        self.to, self.back = (os.open(folder / f"line.{end}", os.O_RDWR | os.O_NONBLOCK) for end in ("in", "out"))
        fcntl.fcntl(self.back, fcntl.F_SETPIPE_SZ, self.SMALLEST)
        os.write(self.back, b"." * self.SMALLEST)
        self.text = ""

    def read(self):
        with contextlib.suppress(BlockingIOError):
            self.text += os.read(self.back, self.SMALLEST).decode(errors="replace")
        return self.text

    def until(self, words, seconds=200):
        end = time.monotonic() + seconds
        while words not in self.read():
            assert time.monotonic() < end, f"the line never said {words}: {self.text[-600:]}"
            time.sleep(0.02)

    def close(self):
        os.close(self.to)
        os.close(self.back)


@contextlib.contextmanager
def full_line(folder):
    line = Line(folder)
    try:
        yield line
    finally:
        line.close()


def test_a_console_that_does_not_drain_is_waited_for_once(tmp_path):
    """The guest goes on, what is dropped is counted; and when somebody reads again, the guest is heard again."""
    log = tmp_path / "log"
    with full_line(tmp_path) as line, qemu("mini_kernel", line.name, f"file:{log}"):
        until(log, "the console does not drain")
        line.until("....")
        os.write(line.to, b"prime 97\r")
        line.until("97 is a prime")
        until(log, "the console drains again")
        os.write(line.to, b"off\r")
        until(log, "ended reason=")
    text = log.read_text(errors="replace")
    dropped = re.search(r"drains again bytes-dropped=(\d+)", text)
    assert "ended reason=power-off" in text and dropped and int(dropped[1]) > 300, text[-2000:]
    # Each takes about a second; somebody who reads late ends one, and then it may fill up once more.
    assert 1 <= int(re.search(r"serial_waits_in_vain=(\d+)", text)[1]) < int(dropped[1]) / 50, text[-2000:]


def test_a_log_that_does_not_drain_says_what_is_missing(tmp_path):
    console = tmp_path / "console"
    with full_line(tmp_path) as line, qemu("mini_kernel", f"file:{console}", line.name, "ends-after=3") as machine:
        until(console, "mini>")
        while machine.poll() is None:
            line.read()
            time.sleep(0.005)
        line.read()
    lost = re.search(r"warning log: the line did not drain, and what was written here is lost bytes=(\d+)", line.text)
    assert lost and int(lost[1]) > 1000, line.text
    assert "ended reason=" in line.text.splitlines()[-1], line.text


def test_nmis_at_any_instant_are_counted(tmp_path):
    """Through QEMU's monitor, while a guest goes to and fro between two worlds; also in the middle of the switch."""
    log = tmp_path / "log"
    with qemu("nanobench", "null", f"file:{log}", "ends-after=8", "stdio") as machine:
        until(log, "starting kernel")
        for _ in range(NMIS):
            machine.stdin.write("nmi\n")
            machine.stdin.flush()
            time.sleep(0.001)
        until(log, "ended reason=")
    text = log.read_text(errors="replace")
    assert "panic" not in text, text[-2000:]
    counted = re.search(r" nmis=(\d+)", text)
    # One that comes while another waits is not a second one.
    assert counted and NMIS / 20 < int(counted[1]) <= NMIS, text[-2000:]


def bochs(folder, guest, *arguments):
    """The launcher's exit status, the console, the counters, and the log."""
    log = folder / "log"
    done = subprocess.run([ROOT / "ringfence", "run", f"build/guest/{guest}.elf", "--on", "bochs", "--memory", "32M",
                           "--timeout", "120", "--log", log, *arguments], cwd=ROOT, text=True, errors="replace",
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    text = log.read_text(errors="replace")
    counters = {name: int(value) for name, value in re.findall(r"info stats: (\w+)=(\d+)", text)}
    assert "panic" not in text and "ended reason=" in text.splitlines()[-1], done.stdout + text[-2000:]
    return done.returncode, done.stdout, counters, text


# Prime, or nearly: a rate that what the guest does is in step with hits the same instants again and again.
@pytest.mark.parametrize("engine, rate", [("trap", 7919), ("trap", 9001), ("translate", 9001)])
def test_nmis_between_two_tables_find_their_way(tmp_path, engine, rate):
    """On Bochs they come with the timer's interrupts, through the I/O APIC; some between lgdt and lidt, which once
    were a triple fault. The guest goes to and fro between the worlds as often as it can."""
    _, _, counters, _ = bochs(tmp_path, "nanobench", "--engine", engine, "--boot", f"storm={rate} nmis=yes ends-after=2")
    assert counters["nmis"] > 7000 and counters["world_switches"] > 8000, counters


def test_a_guest_goes_on_when_interrupts_come_faster_than_its_world_is_entered(tmp_path):
    """2500 instructions lie between two interrupts; the handler and the way into the guest's world take more."""
    status, console, counters, text = bochs(tmp_path, "hello", "--boot", "storm=20000")
    assert status == 0 and "hello" in console, console + text
    assert counters["interrupts"] > 1000 and counters["slices_in_storms"] > 2, counters


@pytest.mark.parametrize("jump", ["hour", "back", "far"])
def test_a_guest_goes_on_when_the_real_counter_jumps(tmp_path, jump):
    """Ten times a second, on Bochs, which lets us write it. The guest's own timer preempts its tasks meanwhile."""
    status, console, counters, text = bochs(tmp_path, "mini_kernel", "--boot", f"clock-jumps={jump}", "--after",
                                            "mini>", "--send", "prime 500\\r", "--after", "smaller", "--send", "off\\r")
    assert status == 0 and "95 primes are smaller" in console and counters["guest_interrupts"] > 4, console + text
    assert (counters.get("clock_jumps", 0) > 1) == (jump != "hour"), counters


def test_a_machine_that_stands_still_for_a_while_goes_on(tmp_path):
    """QEMU's stop and cont: what a hypervisor beneath us, or a lid that is closed, does."""
    log = tmp_path / "log"
    with full_line(tmp_path) as line, qemu("mini_kernel", line.name, f"file:{log}", "", "stdio") as machine:
        line.until("mini>")
        machine.stdin.write("stop\n")
        machine.stdin.flush()
        time.sleep(2)
        machine.stdin.write("cont\n")
        machine.stdin.flush()
        os.write(line.to, b"prime 97\r")
        line.until("97 is a prime")
        os.write(line.to, b"off\r")
        until(log, "ended reason=power-off")


FLOOD = 10000  # bytes, more than is kept between the line and the guest, whose own buffer is short


def test_a_guest_goes_on_after_a_flood_of_input(tmp_path):
    log = tmp_path / "log"
    flood = b"prime 7\r" * (FLOOD // 8)
    with full_line(tmp_path) as line, qemu("mini_kernel", line.name, f"file:{log}"):
        line.until("mini>")
        while flood:
            line.read()
            with contextlib.suppress(BlockingIOError):
                flood = flood[os.write(line.to, flood):]
        # What comes while the guest's buffer is full is lost there.
        while "97 is a prime" not in line.read():
            os.write(line.to, b"\rprime 97\r")
            time.sleep(1)
        os.write(line.to, b"off\r")
        until(log, "ended reason=power-off")
    text = log.read_text(errors="replace")
    received = re.search(r"serial_bytes_in=(\d+)", text)
    assert received and int(received[1]) > FLOOD and "serial_overruns" not in text, text[-2000:]


class Lines:
    """The interrupt lines of QEMU's machine, through its test protocol; what is asked at once happens at once."""

    MASTER, SLAVE = "/machine/unattached/device[6]", "/machine/unattached/device[7]"

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(str(path))
        self.answers = self.socket.makefile("r")

    def ask(self, *commands):
        self.socket.sendall("".join(f"{command}\n" for command in commands).encode())
        return [self.answers.readline().split() for _ in commands]

    def pulse(self, chip, line, *before):
        said = self.ask(*before, *(f"set_irq_in {chip} unnamed-gpio-in {line} {level}" for level in (1, 0)))
        assert all(words[0] == "OK" for words in said), said

    def until(self, answers, *commands, seconds=60):
        end = time.monotonic() + seconds
        while (said := self.ask(*commands)) != answers:
            assert time.monotonic() < end, f"never came: {answers}, last {said}"
            time.sleep(0.01)


def test_interrupts_that_nobody_asked_for_are_counted_and_closed(tmp_path):
    """Thousands on the lines that are open, on one that is not ours, and spurious ones: a pulse that is over before the
    processor asks which it was."""
    log, path = tmp_path / "log", tmp_path / "lines"
    level_triggered, all_open = "outb 0x4d1 0x80", ("outb 0xa1 0", "outb 0x21 0x20")
    with qemu("nanobench", "null", f"file:{log}", "ends-after=4", "none", "-qtest",
              f"unix:{path},server=on,wait=off", "-qtest-log", "none"):
        until(log, "starting kernel")
        lines = Lines(path)
        lines.ask(level_triggered)
        for _ in range(300):
            for line in (0, 4):
                lines.pulse(Lines.MASTER, line)
            lines.pulse(Lines.MASTER, 7, *all_open)
            lines.pulse(Lines.SLAVE, 7, *all_open)
            time.sleep(0.001)
        # A spurious one closes nothing, so the last is one that does, whenever it is taken.
        lines.pulse(Lines.MASTER, 7, *all_open)
        lines.until([["OK", "0x00e2"], ["OK", "0x00ff"]], "inb 0x21", "inb 0xa1")
        until(log, "ended reason=time-up")
    counted = dict(re.findall(r"stats: (interrupts\w*)=(\d+)", log.read_text(errors="replace")))
    assert all(int(counted[name]) > 20 for name in ("interrupts_spurious", "interrupts_unclaimed")), counted
