"""./ringfence coverage and profile: a run whose log is listened to, and the file that is written from it."""

import math
import os
import re
import sys
from pathlib import Path

from .coverage import Counts, write_coverage
from .errors import STATUS_BAD_INPUT, STATUS_PANIC, STATUS_STOPPED
from .profile import Samples
from .program import Program, open_output
from .session import run_session

REPORTS = ("coverage", "profile")
SO_FAR = re.compile(r"ringfence: info \S+: so far instructions=")
SECONDS_TO_START = 30  # the machine, until the guest's own time begins


def report_options(options):
    """What the hypervisor is told."""
    if options.command not in REPORTS:
        return ""
    words = ["console-keys=yes", "coverage=yes" if options.command == "coverage" else f"profile={options.rate}"]
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
        report = Report(command, file, program, seen)
        ending = run_session(machine_class, plan, options, report.read)
        problem = _problem(command, seen)
        if problem:
            os.unlink(path)
            if ending.status == STATUS_BAD_INPUT:
                return ending.sentence, STATUS_BAD_INPUT
            return f"{ending.sentence or f'the run ended (reason {ending.reason})'}: {problem}", ending.status or STATUS_STOPPED
        said = report.write()
    status = ending.status if ending.status in (STATUS_STOPPED, STATUS_PANIC) else 0
    return f"{said}; written to {path}", status


class Report:
    """The file. It is written in the end, and when the log says that a key has asked for what there is so far."""

    def __init__(self, command, file, program, seen):
        self.command, self.file, self.program, self.seen = command, file, program, seen

    def read(self, line):
        self.seen.read(line)
        if SO_FAR.match(line) and self.file.seekable():
            problem = _problem(self.command, self.seen)
            said = problem or f"{self.write()}; written to {self.file.name}"
            sys.stderr.write(f"ringfence: {said}; the run goes on\n")
            sys.stderr.flush()

    def write(self):
        """What has been seen, in the place of what was written before; a sentence about it."""
        if self.file.seekable():
            self.file.seek(0)
            self.file.truncate()
        said = write_coverage(self.file, self.program, self.seen) if self.command == "coverage" else self.seen.write(self.file)
        self.file.flush()
        return said


def _ending(command, program):
    if command == "profile":
        return ".folded"
    return ".info" if any(True for _ in program.lines()) else ".coverage"


def _problem(command, seen):
    if command == "profile":
        return None if seen.stacks else "there was no sample; it may have been too short"
    return None if seen.is_complete else "its counts were not written"
