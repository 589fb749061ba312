"""The command line: what may be typed, what it means, and one sentence when it is wrong."""

import argparse
import re

from .errors import STATUS_BAD_INPUT, UserError

DEFAULT_GDB_PORT = 1234
SMALLEST_MEMORY, LARGEST_MEMORY = 2, 3072  # MB
ESCAPES = {"r": b"\r", "n": b"\n", "t": b"\t", "\\": b"\\"}

DESCRIPTION = """\
Runs 32-bit x86 kernels under Ringfence, a hypervisor that needs no VT-x and no SVM,
or natively beside it for comparison, on QEMU or on Bochs. This terminal is the
console: what the kernel writes to its first serial port (COM1) appears here, what
you type arrives there."""

EXAMPLES = """\
examples:
  ./ringfence doctor
      is everything installed?
  ./ringfence boot
      start the hypervisor alone: it reports on the processor and the memory
  ./ringfence run build/guest/hello.elf --native
      run a kernel straight on QEMU, without the hypervisor
  ./ringfence run build/guest/hello.elf --native --on bochs
      the same on Bochs, which checks segment limits as real processors do
  ./ringfence run vmlinuz --initrd initrd.img --append "console=ttyS0"
      a Linux kernel, as `qemu -kernel vmlinuz -initrd ... -append ...` would
      (`make linux` fetches Debian's, and makes an initial ramdisk with a shell)
  ./ringfence coverage build/guest/prime.elf
      which lines of a kernel have run, for lcov; `./ringfence profile` for flame graphs
  ./ringfence run vmlinuz --native --append "console=ttyS0" --timeout 60 \\
      --after 'login: ' --send 'root\\r' --expect '# '
      a script: log in, and end with status 0 as soon as there is a prompt
"""

ENDINGS = """\
keys:
  Ctrl-C ends the run with status 130. To type a Ctrl-C (or any other key) to the
  kernel itself, press Ctrl-] first.

exit status:
    0  the kernel powered off or asked for a reset, or --expect matched
    n  the kernel wrote V to port 0xF4: n is (V << 1) | 1, as QEMU's isa-debug-exit gives
    1  the kernel ended with status 0, but --expect had not matched
    2  the command line or an input file is wrong, or the machine could not start
   70  the kernel was stopped: by the hypervisor, or (--native) by a triple fault
   71  the hypervisor itself broke
  124  --timeout ran out
  128 + n  the launcher got signal n (130: Ctrl-C)
"""


COVERAGE = """\
Runs a kernel under the hypervisor and counts how often each block of its code in ring 0
has run; the kernel needs no instrumentation. Writes lcov's format (NAME.info) when the
file has source lines, else a table of functions and blocks (NAME.coverage)."""

PROFILE = """\
Runs a kernel under the hypervisor and looks many times a second where it is. Writes
folded stacks (NAME.folded), from which flamegraph.pl and speedscope make a picture."""

REPORT_ENDINGS = """\
--timeout ends the kernel, and what was seen until then is written.

keys:
  Ctrl-A c writes what has been seen so far; the kernel goes on. A script does it with
  --after REGEX --send '\\x01c'. Ctrl-A twice is one for the kernel. Ctrl-C ends the run;
  what was written before stays.

exit status: 0 when the file was written; otherwise that of `./ringfence run`
"""


class Parser(argparse.ArgumentParser):
    """argparse, but an error is one sentence and never a usage dump."""

    def __init__(self, **arguments):
        super().__init__(formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False, **arguments)

    def error(self, message):
        name = self.prog.split()[0].rpartition("/")[2]
        self.exit(STATUS_BAD_INPUT, f"{name}: {one_line(message)} (see `{self.prog} --help`)\n")


def one_line(text):
    return " ".join(str(text).split())


def parse(arguments):
    parser = _build_parser()
    options = parser.parse_args(_join_values(arguments))
    if options.command is None:
        parser.error("expected a command: run, coverage, profile, bench, boot or doctor")
    if options.command != "doctor":
        _check(options)
    return options


def _build_parser():
    parser = Parser(prog="./ringfence", description=DESCRIPTION, epilog=EXAMPLES + "\n" + ENDINGS)
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    epilog = EXAMPLES + "\n" + ENDINGS
    run = commands.add_parser("run", help="boot a kernel", description=DESCRIPTION, epilog=epilog)
    _add_kernel(run)
    run.add_argument("--native", action="store_true", help="run it without the hypervisor: the reference")
    _add_engine(run, " (no effect with --native)")
    run.add_argument(
        "--stats",
        action="store_true",
        help="print the hypervisor's counters to stderr at the end (no effect with --native)",
    )
    _add_common(run)
    _add_reports(commands)
    commands.add_parser("bench", help="measure the project's guests natively and under each engine; options of its own")
    boot = commands.add_parser(
        "boot",
        help="start the hypervisor alone: its report on processor and memory",
        description="Starts build/ringfence.elf without a guest: it reports on the processor and the memory.",
        epilog=ENDINGS,
    )
    boot.add_argument(
        "--module",
        metavar="FILE[=ARGS]",
        action="append",
        default=[],
        help="give the hypervisor a file as boot module, with a command line (for tests; may be repeated)",
    )
    boot.add_argument(
        "--menu", action="store_true", help="start build/ringfence.iso with its menu, as a real machine would"
    )
    boot.add_argument("--stats", action="store_true", help="print the hypervisor's counters to stderr at the end")
    _add_common(boot)
    commands.add_parser(
        "doctor",
        help="what is installed, what is missing, which command mends it",
        description="Says what is installed, what is missing, and which command mends it.",
        epilog="exit status: 0 when everything is there, 1 when something is missing",
    )
    return parser


def _add_reports(commands):
    """What runs a kernel as `run` does, and writes down what it has seen."""
    coverage = commands.add_parser(
        "coverage",
        help="run a kernel and write how often each line of it has run",
        description=COVERAGE,
        epilog=REPORT_ENDINGS,
    )
    _add_kernel(coverage)
    coverage.set_defaults(engine="translate")
    profile = commands.add_parser(
        "profile",
        help="run a kernel and write where it spends its time",
        description=PROFILE,
        epilog=REPORT_ENDINGS,
    )
    _add_kernel(profile)
    _add_engine(profile, "")
    profile.add_argument("--rate", metavar="N", type=_rate, default=1000, help="samples a second (default 1000)")
    for parser in coverage, profile:
        parser.add_argument("-o", "--output", metavar="FILE", help="where to write it (default: the kernel's name, here)")
        parser.set_defaults(stats=False)
        _add_common(parser)


def _add_kernel(parser):
    add = parser.add_argument
    add(
        "kernel",
        metavar="KERNEL",
        help="a Multiboot 1 kernel (ELF, or any format with address fields), a Multiboot 2 ELF, "
        "or a Linux bzImage or (not with --native) vmlinux; recognised by its content",
    )
    add("--initrd", metavar="FILE", help="Linux's initial ramdisk; for Multiboot kernels a module")
    add(
        "--disk",
        metavar="FILE",
        help="a disk image: the kernel's first IDE disk; the file is only read, and what is written is lost in the end",
    )
    add("--append", metavar="ARGS", default="", help="the kernel's command line; GRUB escapes quotes in it")


def _add_engine(parser, remark):
    parser.add_argument(
        "--engine",
        choices=("translate", "trap", "interpret"),
        default="translate",
        help="how the hypervisor runs guest kernel code: translated (the default), directly in ring 1 with "
        f"what traps emulated, or interpreted{remark}",
    )


def _add_common(parser):
    add = parser.add_argument
    add("--memory", metavar="SIZE", default="128M", type=_memory, help="how much memory: 128M, 1G (default 128M)")
    add("--on", choices=("qemu", "bochs"), default="qemu", help="the machine underneath (default qemu)")
    add(
        "--cpu",
        metavar="MODEL",
        type=_cpu_model,
        help="the machine's processor, by the machine's own name for it: `qemu-system-i386 -cpu help`, "
        "`bochs --help cpu` (default: max on QEMU, corei7_skylake_x on Bochs)",
    )
    add("--iso", action="store_true", help="boot through GRUB and an ISO instead of the machine's -kernel loader")
    add(
        "--deterministic",
        action="store_true",
        help="the time-stamp counter advances by one per instruction and the clock starts at 2026-01-01, "
        "so a run repeats to the bit (but what is typed or sent arrives at a moment of its own)",
    )
    add("--timeout", metavar="SECONDS", type=_seconds, help="give up after that long, with status 124")
    add(
        "--expect",
        metavar="REGEX",
        type=_regex,
        help="end with status 0 as soon as the console matches (Python syntax; ^ and $ match at lines, "
        "which serial consoles end with \\r\\n); the output is cut behind the match",
    )
    add(
        "--send",
        metavar="TEXT",
        action="append",
        default=[],
        type=_text,
        help=r"type TEXT (escapes \r \n \t \xNN \\) once --after has matched; may be repeated, each with its --after",
    )
    add("--after", metavar="REGEX", action="append", default=[], type=_regex, help="when to type --send")
    add(
        "--log",
        metavar="FILE",
        help="write the hypervisor's log (COM2) there; with --native what the kernel writes to COM2 and port 0xE9",
    )
    add(
        "--gdb",
        metavar="PORT",
        nargs="?",
        const=DEFAULT_GDB_PORT,
        type=_port,
        help=f"wait for gdb on 127.0.0.1 before the first instruction (default port {DEFAULT_GDB_PORT}; QEMU only)",
    )
    add(
        "--boot",
        metavar="OPTIONS",
        default="",
        help="further boot options for the hypervisor (no effect with --native)",
    )


VALUE_OPTIONS = frozenset(
    "--initrd --disk --append --engine --module --memory --on --cpu --timeout --expect --send --after --log --boot "
    "--rate --output -o".split()
)


def _join_values(arguments):
    """`--append -v` is a value although it starts with a dash, and `--gdb KERNEL` is not one."""
    joined, rest = [], list(arguments)
    while rest:
        word = rest.pop(0)
        if word == "--":
            return joined + [word] + rest
        if word in VALUE_OPTIONS and rest:
            word = f"{word}={rest.pop(0)}"
        elif word == "--gdb":
            word = f"--gdb={rest.pop(0)}" if rest and rest[0].isdigit() else f"--gdb={DEFAULT_GDB_PORT}"
        joined.append(word)
    return joined


def _check(options):
    if len(options.send) != len(options.after):
        raise UserError(
            f"--send and --after belong together, but there are {len(options.send)} and {len(options.after)} of them"
        )
    if options.gdb is not None and options.on == "bochs":
        raise UserError("--gdb needs --on qemu: the Bochs of Debian has no gdb stub")
    if options.command == "coverage" and options.expect:
        raise UserError("--expect would end the machine before the counts are written; use --timeout, or let the kernel end")
    if options.command in ("coverage", "profile") and options.timeout and options.timeout < 1:
        raise UserError("--timeout must be at least one second here")
    for name in ("append", "boot"):
        if re.search(r"[\0\r\n]", getattr(options, name, "")):
            raise UserError(f"--{name} must be one line")
    if options.command == "boot" and options.menu and (options.module or options.boot):
        raise UserError("--menu takes everything from build/ringfence.iso: leave out --module and --boot")


def _memory(text):
    match = re.fullmatch(r"(\d{1,9})([KMG]?)B?", text, re.IGNORECASE)
    if not match:
        raise argparse.ArgumentTypeError(f"{text!r} is not a size, expected something like 128M")
    kilobytes = int(match[1]) * {"K": 1, "": 1024, "M": 1024, "G": 1024 * 1024}[match[2].upper()]
    if kilobytes % 1024:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of megabytes")
    if not SMALLEST_MEMORY <= kilobytes // 1024 <= LARGEST_MEMORY:
        raise argparse.ArgumentTypeError(f"{text!r} is not between {SMALLEST_MEMORY}M and {LARGEST_MEMORY}M")
    return kilobytes // 1024


def _seconds(text):
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 < seconds < 1e9:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds above 0")
    return seconds


def _rate(text):
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= 10000:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of samples between 1 and 10000")
    return int(text)


def _port(text):
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port number between 1 and 65535")
    return int(text)


def _cpu_model(text):
    # A stray character would otherwise become another option of QEMU or another line for Bochs.
    if not re.fullmatch(r"[A-Za-z0-9_.][A-Za-z0-9_.,=+-]*", text):
        raise argparse.ArgumentTypeError(f"{text!r} is not the name of a processor model")
    return text


def _regex(text):
    try:
        return re.compile(text.encode("utf-8", "surrogateescape"), re.MULTILINE)
    except re.error as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not a regular expression: {error}") from None


def _text(text):
    """The bytes to type."""

    def escape(match):
        code = match[1].decode("utf-8", "replace")
        if code in ESCAPES:
            return ESCAPES[code]
        if re.fullmatch(r"x[0-9A-Fa-f]{2}", code):
            return bytes([int(code[1:], 16)])
        raise argparse.ArgumentTypeError(f"unknown escape \\{code} in {text!r}, expected \\r \\n \\t \\xNN or \\\\")

    return re.sub(rb"\\(x[0-9A-Fa-f]{2}|.|$)", escape, text.encode("utf-8", "surrogateescape"), flags=re.DOTALL)
