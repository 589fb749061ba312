"""A kernel is recognised by its content, and what no loader could start gets its own sentence."""

import struct

import pytest
from launcher_support import assemble, launch, one_sentence

from launcher.errors import UserError
from launcher.kernels import recognise

MAGIC1, MAGIC2, ADDRESSES = 0x1BADB002, 0xE85250D6, 1 << 16


def multiboot1(flags=0, checksum=None):
    return struct.pack("<III", MAGIC1, flags, -(MAGIC1 + flags) & 0xFFFFFFFF if checksum is None else checksum)


def address_fields(header=0x100000, load=0x100000, load_end=0, bss_end=0, entry=0x100000):
    return multiboot1(ADDRESSES) + struct.pack("<IIIII", header, load, load_end, bss_end, entry)


def multiboot2(architecture=0):
    return struct.pack("<IIII", MAGIC2, architecture, 16, -(MAGIC2 + architecture + 16) & 0xFFFFFFFF)


def elf(payload, bits=1, machine=3, kind=2, segments=((0x1000, 0x100000, 64, 128),), table=52, data=1, segment_kind=1):
    header = b"\x7fELF" + bytes([bits, data, 1]) + bytes(9)
    header += struct.pack("<HHIIIIIHHHHHH", kind, machine, 1, 0x100000, table, 0, 0, 52, 32, len(segments), 0, 0, 0)
    for offset, physical, in_file, in_memory, *own_kind in segments:
        header += struct.pack("<8I", *(own_kind or [segment_kind]), offset, physical, physical, in_file, in_memory, 7, 4096)
    return header.ljust(0x1000, b"\0") + payload.ljust(64, b"\0")


# A segment to load, and one of notes.
NOTED = ((0x1000, 0x100000, 64, 128), (0x1000, 0x100000, 64, 64, 4))


def note(owner):
    name = owner + b"\0"
    return struct.pack("<III", len(name), 0, 0) + name + bytes(-len(name) % 4)


def linux(version=0x20F, loadflags=1, sectors=1, paragraphs=4, entry_flags=0, unpacks=False):
    image = bytearray((sectors + 1) * 512 + 64)
    image[0x1F1] = sectors
    struct.pack_into("<I", image, 0x1F4, paragraphs)
    image[0x1FE:0x200] = b"\x55\xaa"
    image[0x202:0x206] = b"HdrS"
    struct.pack_into("<H", image, 0x206, version)
    image[0x211] = loadflags
    struct.pack_into("<I", image, 0x214, 0x100000)
    image[0x236] = entry_flags
    if unpacks:
        struct.pack_into("<I", image, 0x230, 0x100000)
        image[0x234] = 1
        struct.pack_into("<QI", image, 0x258, 0xF80000, 0x100000)
    return bytes(image)


GOOD = {
    "Multiboot 1 ELF": (elf(multiboot1()), "multiboot", 0x100080),
    "both headers": (elf(multiboot1() + bytes(4) + multiboot2()), "multiboot", 0x100080),
    "address fields": (address_fields().ljust(100, b"\0"), "multiboot", 0x100000 + 100),
    "address fields and bss": (address_fields(load_end=0x100020, bss_end=0x105000), "multiboot", 0x105000),
    "address fields in a 64-bit ELF": (
        elf(address_fields(header=0x101000, load_end=0x101020, entry=0x101000), bits=2, machine=62),
        "multiboot",
        0x101020,
    ),
    "Multiboot 2 ELF": (elf(multiboot2()), "multiboot2", 0x100080),
    "a wrong Multiboot 1 header first": (multiboot1(checksum=1) + address_fields(0x10000C), "multiboot", None),
    "bzImage": (linux(), "linux", 0x100040),
    "bzImage of version 2.3": (linux(version=0x203, paragraphs=0xFFFF), "linux", 0x100040),
    "bzImage that unpacks itself": (linux(unpacks=True), "linux", 0x1100000),
    "bzImage with a last paragraph that is cut": (linux()[:-15], "linux", 0x100040),
    "vmlinux": (elf(note(b"GNU") + note(b"Linux"), segments=NOTED), "vmlinux", 0x100080),
}

BAD = {
    "nothing": (b"", "is not a kernel; expected"),
    "text": (b"root:x:0:0\n" * 200, "is not a kernel; expected"),
    "wrong checksum": (elf(multiboot1(checksum=7)), "ELF file without a Multiboot header"),
    "header too late": (bytes(8192) + address_fields(), "is not a kernel"),
    "header across the end": (bytes(64) + multiboot1(ADDRESSES), "ends inside its Multiboot header"),
    "not an ELF": (multiboot1() + bytes(100), "is not an ELF file, but must be one"),
    "Multiboot 2, not an ELF": (multiboot2() + bytes(100), "is not an ELF file, but must be one"),
    "64-bit": (elf(multiboot1(), bits=2, machine=62), "64-bit ELF file, expected a 32-bit x86"),
    "64-bit with Multiboot 2": (elf(multiboot2(), bits=2, machine=62), "64-bit ELF file, expected a 32-bit x86"),
    "arm": (elf(multiboot1(), machine=40), "ELF file for machine 40"),
    "big endian": (elf(multiboot1(), data=2), "expected 3 (32-bit x86)"),
    "object file": (elf(multiboot1(), kind=1), "type 1, expected 2"),
    "no segments": (elf(multiboot1(), segments=()), "without program headers"),
    "only a note": (elf(multiboot1(), segment_kind=4), "nothing to load"),
    "truncated segment": (elf(multiboot1(), segments=((0x1000, 0x100000, 5000, 5000),)), "is truncated: ELF segment 0"),
    "truncated headers": (elf(multiboot1(), table=0x100000), "is truncated: its ELF program headers"),
    "other architecture": (elf(multiboot2(architecture=4)), "architecture 4, expected 0"),
    "truncated image": (address_fields(load_end=0x110000), "is truncated: its Multiboot header promises"),
    "load above header": (address_fields(load=0x200000), "load_addr 0x200000 is above"),
    "before the file": (address_fields(load=0x1000), "would start before the file"),
    "entry outside": (address_fields(entry=0x1), "entry 0x1 is outside"),
    "zImage": (linux(loadflags=0), "zImage"),
    "old Linux": (linux(version=0x202), "version 2.2 of the boot protocol, expected at least 2.3"),
    "64-bit Linux": (linux(entry_flags=1), "64-bit Linux kernel, expected a 32-bit x86 one"),
    "bzImage without code": (linux()[:0x400], "protected-mode code should begin at byte 1024"),
    "ELF with notes of others": (elf(note(b"Linus"), segments=NOTED), "ELF file without a Multiboot header"),
    "bzImage without its last paragraph": (linux()[:-16], "is truncated: its Linux header promises"),
    "truncated bzImage": (linux(paragraphs=1000), "is truncated: its Linux header promises"),
    "truncated Linux header": (linux()[:0x220], "ends inside its Linux header"),
}


@pytest.mark.parametrize("name", GOOD)
def test_good(tmp_path, name):
    image, kind, memory_end = GOOD[name]
    path = tmp_path / "kernel"
    path.write_bytes(image)
    kernel = recognise(path)
    assert kernel.kind == kind
    assert memory_end in (None, kernel.memory_end)


@pytest.mark.parametrize("name", BAD)
def test_bad(tmp_path, name):
    image, words = BAD[name]
    path = tmp_path / "kernel"
    path.write_bytes(image)
    with pytest.raises(UserError) as caught:
        recognise(path)
    assert words in str(caught.value) and str(path) in str(caught.value)


@pytest.mark.parametrize("name", ["Multiboot 1 ELF", "Multiboot 2 ELF", "bzImage", "address fields and bss"])
def test_every_truncation_is_refused_or_harmless(tmp_path, name):
    """No cut makes the recogniser stumble."""
    image, _, memory_end = GOOD[name]
    path = tmp_path / "kernel"
    for length in [*range(0, 128), *range(128, len(image), 61)]:
        path.write_bytes(image[:length])
        try:
            assert recognise(path).memory_end <= memory_end
        except UserError:
            pass


@pytest.mark.parametrize("header, kind", [(1, "multiboot"), (2, "multiboot2"), (3, "multiboot")])
def test_what_the_linker_makes(tmp_path, header, kind):
    path = assemble(tmp_path, "ending", "ENDING=halt_for_ever", f"HEADER={header}", elf=True)
    assert recognise(path).kind == kind


def test_the_small_linux(tmp_path):
    assert recognise(assemble(tmp_path, "linux")).kind == "linux"


def test_no_loader_starts_a_vmlinux_natively(tmp_path):
    kernel = tmp_path / "vmlinux"
    kernel.write_bytes(elf(note(b"Linux"), segments=NOTED))
    assert "only the hypervisor's own loader starts" in one_sentence(launch("run", kernel, "--native"))
