"""A guest's program as its ELF file tells it: functions, source lines, sections, bytes. Read by the binutils; a file that
has none of it is a program without names."""

import bisect
import functools
import os
import re
import struct
import subprocess
from collections import defaultdict, namedtuple

from .errors import ToolMissing, UserError

Function = namedtuple("Function", "address size name")
Section = namedtuple("Section", "name address size")
Line = namedtuple("Line", "address file number")

SYMBOL = re.compile(r" *\d+: ([0-9a-f]+) +(\w+) (FUNC|NOTYPE) +\w+ +\w+ +\d+ (\S+)")
SECTION = re.compile(r"^ *\d+ (\S+) +([0-9a-f]+) +([0-9a-f]+) .*\n.*\bCODE$", re.MULTILINE)
ROW = re.compile(r"(\S.*?) +(\d+|-) +(0x[0-9a-f]+)\b")
PLACE = re.compile(r"(.+):(\d+)(?: \(discriminator \d+\))?")
CALL_LONGEST = 7


def _binutils(program, *arguments, text=""):
    try:
        done = subprocess.run([program, *map(str, arguments)], input=text, capture_output=True, text=True, errors="replace", check=False)
    except FileNotFoundError:
        raise ToolMissing(program) from None
    return done.stdout  # a file without symbols is no failure: it has nothing to say


class Program:
    def __init__(self, path):
        self.path = path
        with open(path, "rb") as file:
            self.image = file.read()
        is_elf = self.image[:5] == b"\x7fELF\1"
        self.segments = list(self._segments()) if is_elf else []
        self.sections = self._sections() if is_elf else []
        self.functions = self._functions() if is_elf else []
        self.starts = [function.address for function in self.functions]

    def _segments(self):
        table, = struct.unpack_from("<I", self.image, 28)
        size, count = struct.unpack_from("<HH", self.image, 42)
        for i in range(count):
            kind, offset, address, _, in_file = struct.unpack_from("<5I", self.image, table + i * size)
            if kind == 1:
                yield address, self.image[offset : offset + in_file]

    def _functions(self):
        """Those with a size, and labels up to the next name."""
        found = {}
        for line in _binutils("readelf", "-s", "-W", self.path).splitlines():
            match = SYMBOL.fullmatch(line)
            # NASM's local labels are parts of what stands before them.
            if match and (match[3] == "FUNC" or "." not in match[4]):
                function = Function(int(match[1], 16), int(match[2], 0), match[4])
                if function.size or function.address not in found:
                    found[function.address] = function
        return list(self._with_sizes(found))

    def _with_sizes(self, functions):
        """In the order of their addresses; what lies in no section with code is no function."""
        starts = sorted(functions)
        for at, following in zip(starts, starts[1:] + [1 << 32]):
            ends = [section.address + section.size for section in self.sections if 0 <= at - section.address < section.size]
            if ends:
                yield functions[at]._replace(size=functions[at].size or min(following, ends[0]) - at)

    def _sections(self):
        """Those with code."""
        found = SECTION.findall(_binutils("objdump", "-h", self.path))
        return [Section(name, int(address, 16), int(size, 16)) for name, size, address in found]

    def function_at(self, address):
        at = bisect.bisect_right(self.starts, address) - 1
        if at < 0 or address - self.functions[at].address >= max(1, self.functions[at].size):
            return None
        return self.functions[at]

    def name(self, address):
        function = self.function_at(address)
        return function.name if function else f"0x{address:08x}"

    def bytes_before(self, address, count):
        """None where the file has nothing."""
        for start, content in self.segments:
            if start + count <= address <= start + len(content):
                return content[address - start - count : address - start]
        return None

    def follows_call(self, address):
        """Whether a call that returns to this address stands in front of it; None where nobody knows."""
        before = self.bytes_before(address, CALL_LONGEST)
        if before is None:
            return None
        indirect = any(before[-n] == 0xFF and before[1 - n] >> 3 & 7 == 2 for n in range(2, CALL_LONGEST + 1))
        return before[-5] == 0xE8 or indirect

    def lines(self):
        """Each row of the file's line tables, with the file's full name."""
        rows = [match.groups() for match in map(ROW.match, _binutils("objdump", "--dwarf=decodedline", "-w", self.path).splitlines()) if match]
        rows = [(name, int(number), int(address, 16)) for name, number, address in rows if number not in ("-", "0")]
        files = self._files(sorted({address for _, _, address in rows}))
        known = defaultdict(set)
        for file in files.values():
            known[file.rpartition("/")[2]].add(file)
        for name, number, address in rows:
            name = name.rpartition("/")[2]
            here = files.get(address, "")
            if here.rpartition("/")[2] != name:
                here = min(known[name]) if known[name] else name
            yield Line(address, here, number)

    def _files(self, addresses):
        """The line tables themselves name files without their folders."""
        text = _binutils("addr2line", "-e", self.path, text="\n".join(map(hex, addresses)))
        places = map(PLACE.fullmatch, text.splitlines())
        return {address: mend_path(place[1]) for address, place in zip(addresses, places) if place and place[1] != "??"}


@functools.cache
def mend_path(path):
    """NASM gives a file's folder twice: work/guest/library/guest/library/start.asm."""
    path = os.path.normpath(path)
    parts = path.split("/")
    for i in range(1, len(parts)):
        folder = parts[i:-1]
        mended = "/".join(parts[: i - len(folder)] + parts[i:])
        if folder and parts[i - len(folder) : i] == folder and not os.path.exists(path) and os.path.exists(mended):
            return mended
    return path


def open_output(path, what):
    try:
        return open(path, "w", encoding="utf-8", errors="surrogateescape")
    except (OSError, ValueError) as error:
        raise UserError(f"cannot write {what} {path}: {getattr(error, 'strerror', error)}") from None
