"""What the machine shall boot: a kernel, its command line, its modules; or a finished ISO.

The files appear to the guest under short names of their own ("hello.elf"), the same for each
loader, so that no path of this computer reaches the guest's memory and runs stay comparable."""

import re
from dataclasses import dataclass, field
from pathlib import Path

from .errors import UserError
from .kernels import open_input, recognise

ROOT = Path(__file__).resolve().parents[2]
HYPERVISOR = ROOT / "build" / "ringfence.elf"
MENU_ISO = ROOT / "build" / "ringfence.iso"
LONGEST_NAME = 64
SECTOR = 512
MEMORY_OF_HYPERVISOR = 32  # MB
LARGEST_SHADOW = 32  # MB, monitor/run/direct.c: at most 4096 pages of shadow tables, with 4 KB of links each


@dataclass(frozen=True)
class Module:
    path: Path
    name: str
    arguments: str = ""


@dataclass
class Plan:
    """Either `iso` is set, or `kernel` and what belongs to it."""

    kernel: Path = None
    kind: str = None  # "multiboot", "multiboot2", "linux", "vmlinux"; "hypervisor" carries both headers
    name: str = None
    arguments: str = ""
    modules: list = field(default_factory=list)
    disk: Path = None  # of the machine itself: a native kernel's
    iso: Path = None
    native: bool = True  # no hypervisor: COM2 is the guest's own, not a log that says how it ended
    must_log: bool = False  # an end without the log's last line is the hypervisor's failure

    def files(self):
        """The short name of each file, and where it lies on this computer."""
        named = {self.name: self.kernel} if self.kernel else {}
        return named | {module.name: module.path for module in self.modules}


def guest_name(path, taken=()):
    """A name that every loader passes on unchanged: no space, comma or quote."""
    plain = re.sub(r"[^A-Za-z0-9._-]", "_", Path(path).name)[-LONGEST_NAME:]
    name, number = plain, 2
    while name in taken:
        name, number = f"{number}-{plain}", number + 1
    return name


def plan_native(kernel_path, initrd, append, memory, disk=None):
    """The kernel straight on the machine, as `qemu -kernel` does it."""
    kernel = recognise(kernel_path)
    if kernel.kind == "vmlinux":
        raise UserError(
            f"{kernel.path} is a vmlinux, which only the hypervisor's own loader starts; with --native give its bzImage"
        )
    plan = Plan(kernel=kernel.path, kind=kernel.kind, name=guest_name(kernel.path), arguments=append)
    if initrd is not None:
        _add_module(plan, initrd, "--initrd", "")
    if disk is not None:
        _check_disk(disk)
        plan.disk = Path(disk)
    _check_line(kernel, append)
    _check_memory(kernel, initrd, memory)
    return plan


def plan_guest(kernel_path, initrd, append, memory, options, disk=None):
    """The hypervisor, with the kernel as its first module, then the initial ramdisk and the disk."""
    kernel = recognise(kernel_path)
    if disk is not None:
        _check_disk(disk)
        options = f"{options} disk={2 if initrd is None else 3}"
    plan = plan_hypervisor(options)
    name = guest_name(kernel.path, plan.files())
    plan.modules.append(Module(kernel.path, name, append))
    if initrd is not None:
        _add_module(plan, initrd, "--initrd", "")
    if disk is not None:
        _add_module(plan, disk, "--disk", "")
    _check_line(kernel, append)
    _check_memory(kernel, initrd, memory)
    return plan


def plan_hypervisor(options, modules=()):
    """The hypervisor itself. It is told to switch the machine off when it has ended."""
    if not HYPERVISOR.is_file():
        raise UserError("build/ringfence.elf is not there; `make` builds it")
    if not re.search(r"\bat-end=", options):
        options = f"at-end=off {options}".strip()
    plan = Plan(kernel=HYPERVISOR, kind="hypervisor", name=HYPERVISOR.name, arguments=options)
    plan.native, plan.must_log = False, True
    for text in modules:
        path, _, arguments = text.partition("=")
        _add_module(plan, path, "--module", arguments)
    return plan


def plan_menu():
    """build/ringfence.iso as it is. Its menu may also start a native guest, which has no log."""
    if not MENU_ISO.is_file():
        raise UserError("build/ringfence.iso is not there; `make` builds it")
    return Plan(iso=MENU_ISO, native=False)


def memory_beside_guest(plan, memory):
    """How many MB the machine needs beside the guest's own: the hypervisor, its shadow tables, what it
    notes of each page of the guest, and the files it boots from."""
    size = sum(path.stat().st_size for path in plan.files().values())
    return MEMORY_OF_HYPERVISOR + min(memory // 16, LARGEST_SHADOW) + memory // 512 + (size >> 20) + 1


def _add_module(plan, path, what, arguments):
    open_input(path, what).close()
    plan.modules.append(Module(Path(path), guest_name(path, plan.files()), arguments))


def _check_disk(path):
    with open_input(path, "--disk") as file:
        size = file.seek(0, 2)
    if not size or size % SECTOR:
        raise UserError(f"{path} is not a disk image: it has {size} bytes, expected a multiple of {SECTOR}")


def _check_line(kernel, append):
    length = len(append.encode("utf-8", "surrogateescape"))
    if kernel.longest_line is not None and length > kernel.longest_line:
        raise UserError(
            f"--append has {length} characters, but {kernel.path} takes at most {kernel.longest_line}"
        )


def _check_memory(kernel, initrd, memory):
    wanted = kernel.memory_end + (Path(initrd).stat().st_size if initrd is not None else 0)
    if wanted > memory << 20:
        files = f"{kernel.path} with {initrd}" if initrd is not None else kernel.path
        needed = (wanted + (1 << 20) - 1) >> 20
        raise UserError(f"{files} is too large for --memory {memory}M: at least {needed}M are needed")
