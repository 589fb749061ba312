"""What becomes of us when the machine, or our own memory, fails: never a panic."""

import contextlib
import fcntl
import os
import re
import subprocess
import time
from pathlib import Path

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


def until(log, words, seconds=60):
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

    def until(self, words, seconds=30):
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


def test_a_log_that_does_not_drain_says_what_is_missing(tmp_path):
    console = tmp_path / "console"
    with full_line(tmp_path) as line, qemu("hello", f"file:{console}", line.name, "ends-after=1") as machine:
        until(console, "hello")
        while machine.poll() is None:
            line.read()
            time.sleep(0.02)
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
