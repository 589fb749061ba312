"""Running a guest once, and what can be read from such a run."""

import re
import subprocess
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
NATIVE = "native"
tree = ROOT  # whose ./ringfence and guests are run: another revision's where two are compared
MEMORY = 64  # MB

OPERATION = re.compile(r"^operation (\w+) ticks=(-?\d+\.\d\d) times=\d+ baseline=(\w+): (.*?)\r?$", re.MULTILINE)
WORK = re.compile(r"^bench: \w+ turns=\d+ ticks=(\d+)\r?$", re.MULTILINE)
FAILED = re.compile(r"guest: failed (.*?)\r?$", re.MULTILINE)
COUNTER = re.compile(r"^(\w+) +(\d+)$", re.MULTILINE)


class Failure(Exception):
    """A row cannot be measured; the text says why in one sentence."""


def command(guest, way, append, memory=MEMORY):
    how = ["--native"] if way == NATIVE else ["--engine", way, "--stats"]
    return ["./ringfence", "run", str(guest), *how, "--deterministic", "--memory", f"{memory}M", "--append", append]


def log_of(words, timeout, good):
    """The log of a run that has to end with the status `good`."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        log = Path(folder) / "log"
        try:
            execute([*words, "--log", str(log)], timeout, good)
        except Failure as failure:
            raise Failure(explained(failure, log)) from None
        return log.read_text(errors="replace")


def explained(failure, log):
    """What the guest says of it itself is nearer to the reason than the last line of its console."""
    said = FAILED.findall(log.read_text(errors="replace")) if log.exists() else []
    return f"in the guest, {said[-1]} failed" if said else str(failure)


def run(guest, way, append, timeout, memory=MEMORY):
    """What the guest said and what the hypervisor counted."""
    text, errors = execute(command(guest, way, append, memory), timeout, 0)
    return text, {name: int(value) for name, value in COUNTER.findall(errors)}


def first_line(words):
    """What a program says first, nothing where it is not there."""
    try:
        done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return done.stdout.partition("\n")[0]


def execute(words, timeout, good):
    """Both outputs of a run; a Failure with the last sentence when it ends otherwise."""
    began = time.monotonic()
    done = subprocess.run([*words, "--timeout", str(timeout)], cwd=tree, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    text, errors = done.stdout.decode("latin1"), done.stderr.decode("latin1")
    if done.returncode == 124:
        raise Failure(f"no end within {timeout} seconds")
    if done.returncode != good:
        sentences = [line for line in errors.splitlines() if line.startswith("ringfence: ")]
        said = (sentences or text.strip().splitlines() or ["it said nothing"])[-1]
        raise Failure(f"status {done.returncode} after {time.monotonic() - began:.0f} seconds: {said}")
    return text, errors


def operations(guest, timeout):
    """All operations as they are natively: name -> ticks, baseline, what it is."""
    text, _ = run(guest, NATIVE, "", timeout)
    return {name: (float(ticks), baseline, what) for name, ticks, baseline, what in OPERATION.findall(text)}


def operation_ticks(guest, way, name, times, timeout):
    text, _ = run(guest, way, f"only={name} times={times}", timeout)
    found = OPERATION.search(text)
    if not found:
        raise Failure("the guest ended without a line for it")
    return float(found[2])


def entries(guest, way, name, baseline, times, timeout):
    """Entries into ring 0 for one turn: what twice as many turns have more, without the baseline's."""

    def counted(part):
        few, many = (
            run(guest, way, f"only={name} part={part} times={n}", timeout)[1].get("world_switches", 0)
            for n in (times, 2 * times)
        )
        return many - few

    more = counted("operation") - (counted("baseline") if baseline == "own" else 0)
    return round(more / times, 2)


def work(guest, way, name, timeout):
    """Ticks of one of mini_kernel's workloads, and the entries into ring 0 of the whole run."""
    text, counters = run(guest, way, f"bench={name}", timeout)
    found = WORK.search(text)
    if not found:
        raise Failure("the guest ended without a line for it")
    return int(found[1]), counters.get("world_switches", 0)
