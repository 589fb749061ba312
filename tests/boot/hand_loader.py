"""Boots the hypervisor with boot information that no real loader would leave behind.

hand_loader.asm is started by QEMU; this module writes the list that it works through.
"""
import re
import struct
import subprocess
import time
from pathlib import Path

HERE = Path(__file__).parent
BUILD = HERE.parent.parent / "build"

MULTIBOOT1 = 0x2BADB002
MULTIBOOT2 = 0x36D76289
INFO = 0x50000
MAP = 0x51000
MODULES = 0x52000
LINE = 0x53000
NAME = 0x54000

USABLE = 1
WHOLE_MEMORY = [(0, 0x9FC00, USABLE), (0x100000, 127 << 20, USABLE)]


def elf_pieces(path):
    """The entry point of an ELF file and what has to be loaded where."""
    data = path.read_bytes()
    entry, table = struct.unpack_from("<II", data, 24)
    count = struct.unpack_from("<H", data, 44)[0]
    pieces = []
    for i in range(count):
        kind, offset, _, address, in_file, in_memory = struct.unpack_from(
            "<6I", data, table + 32 * i)
        if kind == 1:
            content = data[offset:offset + in_file]
            pieces.append((address, content + bytes(in_memory - in_file)))
    return entry, pieces


def multiboot1(ranges=WHOLE_MEMORY, command_line="at-end=off", modules=(), flags=None, map_length=None):
    """The pieces of Multiboot 1 information; what is not given is as a good loader would have it."""
    entries = b"".join(struct.pack("<IQQI", 20, start, length, kind) for start, length, kind in ranges)
    listed = b"".join(struct.pack("<4I", start, end, 0, 0) for start, end in modules)
    if flags is None:
        flags = 1 << 2 | 1 << 3 | 1 << 6 | 1 << 9
    length = len(entries) if map_length is None else map_length
    info = struct.pack("<17I", flags, 0, 0, 0, LINE, len(modules), MODULES, 0, 0, 0, 0, length, MAP,
                       0, 0, 0, NAME)
    return [(INFO, info), (MAP, entries), (MODULES, listed), (LINE, command_line.encode() + b"\0"),
            (NAME, b"by hand\0")]


def multiboot2(tags, total=None):
    """The one piece of Multiboot 2 information; a tag is its type and its payload."""
    body = b""
    for kind, payload in tags:
        tag = struct.pack("<II", kind, 8 + len(payload)) + payload
        body += tag + bytes(-len(tag) % 8)
    return [(INFO, struct.pack("<II", 8 + len(body) if total is None else total, 0) + body)]


def boot(folder, magic, pieces, address=INFO, memory=128):
    """Returns what came out on the console and in the log."""
    loader = folder / "hand_loader.bin"
    subprocess.run(["nasm", "-f", "bin", HERE / "hand_loader.asm", "-o", loader], check=True)
    entry, image = elf_pieces(BUILD / "ringfence.elf")
    script = struct.pack("<4I", magic, address, entry, len(image) + len(pieces))
    for at, content in image + pieces:
        content += bytes(-len(content) % 4)
        script += struct.pack("<II", at, len(content)) + content
    (folder / "list").write_bytes(script)
    machine = subprocess.Popen(
        ["qemu-system-i386", "-display", "none", "-no-reboot", "-nodefaults", "-vga", "std",
         "-m", str(memory), "-cpu", "max", "-kernel", loader, "-initrd", folder / "list",
         "-serial", f"file:{folder}/console", "-serial", f"file:{folder}/log"])
    try:
        wait_for_the_end(machine, folder / "log")
    finally:
        machine.kill()
        machine.wait()
    return (folder / "console").read_text(), (folder / "log").read_text()


def wait_for_the_end(machine, log):
    """Wrong information is refused before boot options are read: the machine halts, but stays on."""
    deadline = time.monotonic() + 120
    while machine.poll() is None:
        if log.exists() and re.search(r"ended reason=.*\n", log.read_text()):
            return
        assert time.monotonic() < deadline, "no last line in the log"
        time.sleep(0.05)
