#!/usr/bin/env python3
"""The floors of the house: a file may include or call only what stands on its own or a lower floor.

Proved twice: from the #include and %include lines, and from the symbols that the objects of the
hypervisor really use, so that an extern declaration does not get round it.
"""
import re
import subprocess

from gate import Gate

FLOORS = (
    (8, "boot/"),
    (7, "monitor/run/"),
    (6, "monitor/translator/"),
    (5, "monitor/instructions/"),
    (4, "monitor/cpu/"),
    (4, "monitor/loaders/"),
    (3, "monitor/memory/"),
    (3, "monitor/devices/"),
    (2, "monitor/state/"),
    (1, "kernel/"),
)

# What a compiler brings without a C library.
FREESTANDING = {"limits.h", "stdarg.h", "stdbool.h", "stddef.h", "stdint.h"}

INCLUDE = re.compile(r'^\s*[#%]\s*include\s*([<"])([^>"]+)[>"]')
HOUSE = ("boot/", "kernel/", "monitor/", "guest/")


def floor_of(path):
    for number, folder in FLOORS:
        if path.startswith(folder):
            return number
    return None


def includes(text):
    for number, line in enumerate(text.splitlines(), 1):
        found = INCLUDE.match(line)
        if found:
            yield number, found[1], found[2]


def check_include(gate, path, line, kind, target):
    if kind == "<":
        if target not in FREESTANDING:
            gate.breach(path, line, f"includes <{target}>, but there is no C library here: "
                        f"only {', '.join(sorted(FREESTANDING))} come with the compiler")
        return
    if path.startswith("guest/"):
        if not target.startswith("guest/"):
            gate.breach(path, line, f'includes "{target}", but guest/ may include only guest/')
        return
    own, other = floor_of(path), floor_of(target)
    if other is None:
        gate.breach(path, line, f'includes "{target}", which stands on no floor of the house')
    elif other > own:
        gate.breach(path, line, f'includes "{target}" of floor {other}, '
                    f"but stands on floor {own} and may include only floors 1 to {own}")


def check_includes(gate):
    for path in gate.files(".c", ".h", ".def", ".asm", ".inc"):
        if not path.startswith(HOUSE):
            continue
        text = gate.read(path)
        if not path.startswith("guest/") and floor_of(path) is None:
            gate.breach(path, 0, "stands on no floor of the house: see FLOORS in "
                        "tools/check/layers.py")
            continue
        for line, kind, target in includes(text):
            check_include(gate, path, line, kind, target)


def symbols_of(objects, folder):
    """{object's source without ending: (global symbols it defines, symbols it uses)}"""
    listing = subprocess.run(["nm", "-A", "-P", *objects], stdout=subprocess.PIPE, text=True,
                             check=True).stdout
    table = {}
    for line in listing.splitlines():
        place, name, kind = line.split()[:3]
        source = place.rstrip(":")[len(str(folder)) + 1:]
        source = re.sub(r"(\.c|\.asm)?\.o$", "", source)
        defined, used = table.setdefault(source, (set(), set()))
        if kind in "Uw":
            used.add(name)
        elif kind.isupper():
            defined.add(name)
    return table


def line_of(gate, source, symbol):
    """Where a source first names a symbol; an object does not tell."""
    for ending in (".c", ".asm"):
        if (gate.root / (source + ending)).exists():
            text = gate.read(source + ending)
            for number, line in enumerate(text.splitlines(), 1):
                if re.search(rf"\b{re.escape(symbol)}\b", line):
                    return source + ending, number
            return source + ending, 0
    return source, 0


def check_symbols(gate):
    folder = gate.build / "hypervisor"
    objects = sorted(str(p) for p in folder.rglob("*.o"))
    if not objects:
        gate.breach(gate.options.build + "/hypervisor", 0,
                    "holds no objects: build the hypervisor first (make)")
        return
    table = symbols_of(objects, folder)
    home = {}
    for source, (defined, _) in table.items():
        for name in defined:
            home[name] = min(home.get(name, source), source, key=lambda s: floor_of(s) or 0)
    for source, (_, used) in table.items():
        own = floor_of(source)
        for name in sorted(used):
            other = floor_of(home.get(name, ""))
            if own is not None and other is not None and other > own:
                path, line = line_of(gate, source, name)
                gate.breach(path, line, f"uses {name} of {home[name]} on floor {other}, "
                            f"but stands on floor {own} and may use only floors 1 to {own}")


def main():
    gate = Gate("layers", __doc__)
    check_includes(gate)
    check_symbols(gate)
    gate.finish()


if __name__ == "__main__":
    main()
