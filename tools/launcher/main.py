"""The commands of ./ringfence."""

import os
import subprocess
import sys

from .bochs import Bochs
from .doctor import run_doctor
from .errors import STATUS_BAD_INPUT, UserError
from .options import one_line, parse
from .plan import ROOT, memory_beside_guest, plan_guest, plan_hypervisor, plan_menu, plan_native
from .qemu import Qemu
from .report import REPORTS, report_options, run_report
from .session import run_session

ENGINES = ("translate", "trap", "interpret")  # those that the hypervisor has
MACHINES = {"qemu": Qemu, "bochs": Bochs}


def main(arguments):
    _open_standard_descriptors()
    try:
        return _command(arguments)
    except UserError as error:
        return _say(one_line(error), STATUS_BAD_INPUT)
    except BrokenPipeError:
        return 0  # `./ringfence --help | head -1`, where argparse lets it through
    except (OSError, subprocess.SubprocessError) as error:
        return _say(f"this computer did not let us: {one_line(error)}", STATUS_BAD_INPUT)
    finally:
        _flush_quietly()


def _command(arguments):
    if arguments[:1] == ["bench"]:
        return subprocess.run([ROOT / "tools" / "bench", *arguments[1:]], check=False).returncode
    options = parse(arguments)
    if options.command == "doctor":
        return run_doctor()
    if options.command in REPORTS:
        return _say(*run_report(options.command, MACHINES[options.on], _plan(options), options))
    ending = run_session(MACHINES[options.on], _plan(options), options)
    return _say(ending.sentence, ending.status)


def _plan(options):
    if options.command == "boot":
        return plan_menu() if options.menu else plan_hypervisor(options.boot, options.module)
    if getattr(options, "native", False):
        return plan_native(options.kernel, options.initrd, options.append, options.memory, options.disk)
    plan = plan_guest(options.kernel, options.initrd, options.append, options.memory, _engine(options), options.disk)
    options.memory += memory_beside_guest(plan, options.memory)
    return plan


def _engine(options):
    """The hypervisor's boot options for the guest."""
    more = f"{report_options(options)} {options.boot}".strip()
    return f"mode=run engine={options.engine} guest-memory={options.memory} {more}".strip()


def _say(sentence, status):
    if sentence:
        try:
            sys.stderr.write(f"ringfence: {sentence}\n")
            sys.stderr.flush()
        except OSError:
            pass  # nobody is there to read it; the status still tells
    return status


def _flush_quietly():
    """`./ringfence --help | head -1` is no error."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _open_standard_descriptors():
    """Started with stdin, stdout or stderr closed, the next file opened would take its number."""
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    sys.stdout = sys.stdout or open(1, "w", closefd=False)
    sys.stderr = sys.stderr or open(2, "w", closefd=False)
