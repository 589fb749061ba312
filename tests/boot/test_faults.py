"""What becomes of us when the machine, or our own memory, fails: never a panic."""

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


def test_nmis_at_any_instant_are_counted(tmp_path):
    """Through QEMU's monitor, while a guest goes to and fro between two worlds; also in the middle of the switch."""
    log = tmp_path / "log"
    machine = subprocess.Popen(
        ["qemu-system-i386", "-display", "none", "-no-reboot", "-m", "128M", "-cpu", "max", "-kernel",
         ROOT / "build/ringfence.elf", "-append", "mode=run at-end=off guest-memory=32 ends-after=8 log=debug",
         "-initrd", f"{ROOT}/build/guest/nanobench.elf", "-serial", "null", "-serial", f"file:{log}", "-monitor",
         "stdio"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    try:
        until(log, "starting kernel")
        for _ in range(NMIS):
            machine.stdin.write("nmi\n")
            machine.stdin.flush()
            time.sleep(0.001)
        until(log, "ended reason=")
    finally:
        machine.kill()
        machine.wait()
    text = log.read_text(errors="replace")
    assert "panic" not in text, text[-2000:]
    counted = re.search(r" nmis=(\d+)", text)
    # One that comes while another waits is not a second one.
    assert counted and NMIS / 20 < int(counted[1]) <= NMIS, text[-2000:]
