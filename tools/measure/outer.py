"""Running a machine that says on port 0xE9 how far it is, until it ends or says nothing new for too long."""

import subprocess
import time

from . import runs

POLL = 0.5  # seconds


def run(words, folder, progress, timeout):
    """What it said on port 0xE9, how it ended if not by itself, and what its console has; `progress` gets the first at each change."""
    events, console, complaint = folder / "port-e9", folder / "console", folder / "complaint"
    channels = ["-serial", f"file:{console}", "-chardev", f"file,id=e9,path={events}", "-device", "isa-debugcon,iobase=0xe9,chardev=e9"]
    with complaint.open("wb") as errors:
        process = subprocess.Popen([*words, *channels], cwd=runs.ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=errors)
        try:
            in_time = watch(process, events, progress, timeout)
        finally:
            process.kill()
            process.wait()
    ending = None
    if not in_time:
        ending = f"no end within {timeout} seconds"
    elif process.returncode:
        ending = f"the machine itself stopped: {(text(complaint).strip().splitlines() or ['it said nothing'])[0]}"
    return text(events), ending, text(console)


def watch(process, events, progress, timeout):
    """False when nothing came for too long. The time counts from line to line."""
    size, since = 0, time.monotonic()
    while True:
        over = process.poll() is not None  # asked first: what comes between is read then
        now = events.stat().st_size if events.exists() else 0
        if now != size:
            size, since = now, time.monotonic()
            progress(text(events).rpartition("\n")[0])  # without a line that is not whole
        if over or time.monotonic() - since > timeout:
            return over
        time.sleep(POLL)


def text(path):
    return path.read_text(errors="replace") if path.exists() else ""
