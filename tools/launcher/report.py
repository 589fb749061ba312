"""./ringfence coverage and profile: a run whose log is listened to, and the file that is written from it."""

import math
import os
from pathlib import Path

from .coverage import Counts, write_coverage
from .errors import STATUS_BAD_INPUT, STATUS_PANIC, STATUS_STOPPED
from .profile import Samples
from .program import Program, open_output
from .session import run_session

REPORTS = ("coverage", "profile")
SECONDS_TO_START = 30  # the machine, until the guest's own time begins


def report_options(options):
    """What the hypervisor is told."""
    if options.command not in REPORTS:
        return ""
    words = ["coverage=yes" if options.command == "coverage" else f"profile={options.rate}"]
    if options.timeout:
        words.append(f"ends-after={math.ceil(options.timeout)}")
    return " ".join(words)


def run_report(command, machine_class, plan, options):
    """The sentence for stderr and the exit status."""
    program = Program(options.kernel)
    if options.timeout:
        options.timeout += SECONDS_TO_START
    seen = Counts() if command == "coverage" else Samples(program)
    path = Path(options.output or Path(options.kernel).stem + _ending(command, program))
    with open_output(path, "--output") as file:
        ending = run_session(machine_class, plan, options, seen.read)
        problem = _problem(command, seen)
        if problem:
            os.unlink(path)
            if ending.status == STATUS_BAD_INPUT:
                return ending.sentence, STATUS_BAD_INPUT
            return f"{ending.sentence or f'the run ended (reason {ending.reason})'}: {problem}", ending.status or STATUS_STOPPED
        said = write_coverage(file, program, seen) if command == "coverage" else seen.write(file)
    status = ending.status if ending.status in (STATUS_STOPPED, STATUS_PANIC) else 0
    return f"{said}; written to {path}", status


def _ending(command, program):
    if command == "profile":
        return ".folded"
    return ".info" if any(True for _ in program.lines()) else ".coverage"


def _problem(command, seen):
    if command == "profile":
        return None if seen.stacks else "there was no sample; it may have been too short"
    return None if seen.is_complete else "its counts were not written"
