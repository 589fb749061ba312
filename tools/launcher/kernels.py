"""Recognises a kernel by its content, and refuses with one sentence what no loader could start."""

import stat
import struct
from dataclasses import dataclass
from pathlib import Path

from .errors import UserError

MULTIBOOT1_MAGIC = 0x1BADB002
MULTIBOOT1_SEARCH = 8192
MULTIBOOT1_HAS_ADDRESSES = 1 << 16
MULTIBOOT2_MAGIC = 0xE85250D6
MULTIBOOT2_SEARCH = 32768
LINUX_LOADED_HIGH = 1
LINUX_64_BIT = 1
LINUX_OLDEST = 0x203
VMLINUX_LINE = 2047

ELF_CLASS_32 = 1
ELF_EXECUTABLE = 2
ELF_MACHINE_386 = 3
ELF_LOAD = 1
ELF_NOTE = 4

WANTED = "a Multiboot 1 kernel, a Multiboot 2 ELF, or a Linux bzImage or vmlinux"


@dataclass(frozen=True)
class Kernel:
    path: Path
    kind: str  # "multiboot", "multiboot2", "linux" (a bzImage) or "vmlinux"
    memory_end: int  # the first byte of memory above what the loader fills
    longest_line: int = None  # characters of its command line, when the kernel says so


def open_input(path, what):
    """Opens an input file; `what` names its role in the sentence when it cannot be read."""
    try:
        mode = Path(path).stat().st_mode
        if stat.S_ISDIR(mode):
            raise UserError(f"{what} {path} is a directory, expected a file")
        if not stat.S_ISREG(mode):
            raise UserError(f"{what} {path} is a device or pipe, expected a regular file")
        return open(path, "rb")
    except OSError as error:
        raise UserError(f"cannot read {what} {path}: {error.strerror}") from None
    except ValueError:
        raise UserError(f"cannot read {what} {path!r}: that is not a file name") from None


def recognise(path):
    with open_input(path, "KERNEL") as file:
        image = file.read()
    for look in (_multiboot1, _multiboot2, _linux, _vmlinux):
        found = look(path, image)
        if found:
            kind, memory_end = found
            longest = {"linux": _linux_line, "vmlinux": lambda _: VMLINUX_LINE}.get(kind, lambda _: None)
            return Kernel(Path(path), kind, memory_end, longest(image))
    elf = "is an ELF file without a Multiboot header" if image[:4] == b"\x7fELF" else "is not a kernel"
    raise UserError(f"{path} {elf}; expected {WANTED}")


def _multiboot1(path, image):
    for offset in range(0, min(len(image), MULTIBOOT1_SEARCH) - 11, 4):
        magic, flags, checksum = struct.unpack_from("<III", image, offset)
        if magic != MULTIBOOT1_MAGIC or (magic + flags + checksum) & 0xFFFFFFFF:
            continue
        if flags & MULTIBOOT1_HAS_ADDRESSES:
            return "multiboot", _address_fields_end(path, image, offset)
        return "multiboot", _elf_end(path, image, "its Multiboot 1 header has no address fields")
    return None


def _address_fields_end(path, image, offset):
    if len(image) < offset + 32:
        raise UserError(f"{path} is truncated: it ends inside its Multiboot header")
    header, load, load_end, bss_end, entry = struct.unpack_from("<IIIII", image, offset + 12)
    if load > header:
        raise UserError(
            f"{path} has a wrong Multiboot header: load_addr {load:#x} is above header_addr {header:#x}"
        )
    start = offset - (header - load)
    if start < 0:
        raise UserError(f"{path} has a wrong Multiboot header: its image would start before the file")
    end = load_end or load + len(image) - start
    if end - load > len(image) - start:
        raise UserError(
            f"{path} is truncated: its Multiboot header promises {end - load} bytes from offset {start}, "
            f"the file has {len(image)}"
        )
    if not load <= entry < end:
        raise UserError(f"{path} has a wrong Multiboot header: entry {entry:#x} is outside the image")
    return max(end, bss_end)


def _multiboot2(path, image):
    for offset in range(0, min(len(image), MULTIBOOT2_SEARCH) - 15, 8):
        magic, architecture, length, checksum = struct.unpack_from("<IIII", image, offset)
        if magic != MULTIBOOT2_MAGIC or (magic + architecture + length + checksum) & 0xFFFFFFFF:
            continue
        if architecture != 0:
            raise UserError(f"{path} has a Multiboot 2 header for architecture {architecture}, expected 0 (i386)")
        return "multiboot2", _elf_end(path, image, "it has a Multiboot 2 header")
    return None


def _elf_end(path, image, reason):
    """Checks a 32-bit ELF that must be one for `reason`; gives the end of its highest segment."""
    if image[:4] != b"\x7fELF":
        raise UserError(f"{path} is not an ELF file, but must be one: {reason}")
    if len(image) < 52:
        raise UserError(f"{path} is truncated: it ends inside its ELF header")
    if image[4] != ELF_CLASS_32:
        raise UserError(f"{path} is a 64-bit ELF file, expected a 32-bit x86 one")
    kind, machine = struct.unpack_from("<HH", image, 16)
    if machine != ELF_MACHINE_386 or image[5] != 1:
        raise UserError(f"{path} is an ELF file for machine {machine}, expected 3 (32-bit x86)")
    if kind != ELF_EXECUTABLE:
        raise UserError(f"{path} is an ELF file of type {kind}, expected 2 (a linked executable)")
    (table,) = struct.unpack_from("<I", image, 28)
    size, count = struct.unpack_from("<HH", image, 42)
    if size < 32 or not count:
        raise UserError(f"{path} is an ELF file without program headers, expected at least one to load")
    if table + size * count > len(image):
        raise UserError(f"{path} is truncated: its ELF program headers lie outside the file")
    ends = []
    for i in range(count):
        p_type, offset, _, physical, in_file, in_memory = struct.unpack_from("<6I", image, table + i * size)
        if p_type != ELF_LOAD:
            continue
        if offset + in_file > len(image):
            raise UserError(
                f"{path} is truncated: ELF segment {i} ends at byte {offset + in_file}, the file has {len(image)}"
            )
        ends.append(physical + in_memory)
    if not ends:
        raise UserError(f"{path} is an ELF file with nothing to load")
    return max(ends)


def _linux(path, image):
    if image[0x202:0x206] != b"HdrS":
        return None
    if len(image) < 0x264:
        raise UserError(f"{path} is truncated: it ends inside its Linux header")
    (version,) = struct.unpack_from("<H", image, 0x206)
    if version < LINUX_OLDEST:
        raise UserError(
            f"{path} is a Linux kernel of version {version >> 8}.{version & 255} of the boot protocol, "
            f"expected at least {LINUX_OLDEST >> 8}.{LINUX_OLDEST & 255}"
        )
    if not image[0x211] & LINUX_LOADED_HIGH:
        raise UserError(f"{path} is a Linux zImage that is loaded low, expected a bzImage")
    if version >= 0x20C and image[0x236] & LINUX_64_BIT:
        raise UserError(f"{path} is a 64-bit Linux kernel, expected a 32-bit x86 one")
    offset = ((image[0x1F1] or 4) + 1) * 512
    if offset >= len(image):
        raise UserError(f"{path} is truncated: its protected-mode code should begin at byte {offset}")
    return "linux", _linux_end(path, image, version, offset)


def _linux_end(path, image, version, offset):
    """Behind the code as it is loaded, and behind what the kernel unpacks itself to."""
    start, size = struct.unpack_from("<I", image, 0x214)[0], len(image) - offset
    if version >= 0x204:
        size = struct.unpack_from("<I", image, 0x1F4)[0] * 16 or size
    if offset + size >= len(image) + 16:  # the last paragraph need not be a whole one
        raise UserError(
            f"{path} is truncated: its Linux header promises {offset + size} bytes, the file has {len(image)}"
        )
    if version < 0x20A:
        return start + size
    alignment, preferred, init_size = (
        struct.unpack_from(form, image, at)[0] for form, at in (("<I", 0x230), ("<Q", 0x258), ("<I", 0x260))
    )
    if image[0x234]:
        preferred = -(-max(start, preferred) // (alignment or 1)) * (alignment or 1)
    return max(start + size, preferred + init_size)


def _linux_line(image):
    """How many characters the command line of a bzImage may have."""
    (version,) = struct.unpack_from("<H", image, 0x206)
    return (version >= 0x206 and struct.unpack_from("<I", image, 0x238)[0]) or 255


def _vmlinux(path, image):
    """The bare ELF file of a Linux kernel carries notes of its own."""
    if image[:4] != b"\x7fELF" or len(image) < 52 or image[4] != ELF_CLASS_32:
        return None
    (table,) = struct.unpack_from("<I", image, 28)
    size, count = struct.unpack_from("<HH", image, 42)
    for at in range(table, table + size * count, size or 1):
        if at + 32 > len(image) or size < 32:
            return None
        p_type, offset, _, _, in_file = struct.unpack_from("<5I", image, at)
        if p_type == ELF_NOTE and b"Linux" in _note_owners(image[offset : offset + in_file]):
            return "vmlinux", _elf_end(path, image, "it has Linux's notes")
    return None


def _note_owners(notes):
    while len(notes) >= 12:
        name, content, _ = struct.unpack_from("<III", notes)
        yield notes[12 : 12 + name].rstrip(b"\0")
        notes = notes[12 + -(-name // 4) * 4 + -(-content // 4) * 4 :]
