#!/usr/bin/env python3
"""Unused: what a file of the hypervisor exports must be used by another file, or by a test of it.

Proved from the symbols of the objects. A name also counts as used when the linker script, an
assembly offset, a test or one of our tools names it.
"""
import re

from gate import Gate
from layers import line_of, symbols_of

# The compiler may call these in any file without being asked.
CALLED_BY_COMPILER = {"memcpy", "memmove", "memset", "memcmp"}


def words_of(gate):
    """Every word in what reaches the hypervisor's symbols from outside its objects."""
    words = set()
    for path in gate.files(".ld", ".c", ".h", ".py"):
        if path.endswith(".ld") or path.startswith(("tests/", "tools/")):
            words.update(re.findall(r"\w+", gate.read(path)))
    return words


def main():
    gate = Gate("unused", __doc__)
    folder = gate.build / "hypervisor"
    objects = sorted(str(p) for p in folder.rglob("*.o"))
    if not objects:
        gate.breach(gate.options.build + "/hypervisor", 0,
                    "holds no objects: build the hypervisor first (make)")
        gate.finish()
    table = symbols_of(objects, folder)
    outside = words_of(gate) | CALLED_BY_COMPILER
    for source, (defined, _) in table.items():
        used = set().union(*(uses for other, (_, uses) in table.items() if other != source))
        for name in sorted(defined - used - outside):
            path, line = line_of(gate, source, name)
            if not gate.is_allowed(name):
                gate.breach(path, line, f"{name} is used by no other file: "
                            "make it static or take it out")
    gate.finish()


if __name__ == "__main__":
    main()
