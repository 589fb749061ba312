"""rf walk ADDRESS: the way of a linear address through the PAE tables that CR3 names."""
import gdb

from machine import CR0_PG, CR4_PAE, evaluate, read_physical64, read_registers

ADDRESS = 0x000FFFFFFFFFF000
PRESENT, WRITABLE, USER, LARGE = 1 << 0, 1 << 1, 1 << 2, 1 << 7
NX = 1 << 63
BITS = ((WRITABLE, "writable"), (USER, "user"), (1 << 3, "write-through"), (1 << 4, "uncached"),
        (1 << 5, "accessed"), (1 << 6, "dirty"), (1 << 8, "global"), (NX, "no-execute"))


def describe_bits(entry, is_leaf):
    if not entry & PRESENT:
        return "not present"
    words = ["present"]
    # In an entry that leads to another table, bits 6 and 8 mean nothing.
    words += [word for bit, word in BITS if entry & bit and (is_leaf or bit not in (1 << 6, 1 << 8))]
    return " ".join(words)


def walk(linear, cr3, read):
    """Yields (level, index, where, entry, is it the last level) from the top down."""
    index = linear >> 30
    where = (cr3 & 0xFFFFFFE0) + 8 * index
    entry = read(where)
    yield "PDPT", index, where, entry, False
    if not entry & PRESENT:
        return
    index = linear >> 21 & 511
    where = (entry & ADDRESS) + 8 * index
    entry = read(where)
    yield "PD", index, where, entry, bool(entry & LARGE)
    if not entry & PRESENT or entry & LARGE:
        return
    index = linear >> 12 & 511
    where = (entry & ADDRESS) + 8 * index
    yield "PT", index, where, read(where), True


def conclude(linear, steps):
    """What the whole way comes to: rights are those that every level below the PDPT grants."""
    level, _, _, last, _ = steps[-1]
    if not last & PRESENT:
        return f"nothing is mapped at {linear:08x}: its {level} entry is not present"
    offset_mask = 0x1FFFFF if level == "PD" else 0xFFF
    machine = (last & ADDRESS & ~offset_mask) | linear & offset_mask
    tables = [entry for name, _, _, entry, _ in steps if name != "PDPT"]
    rights = ["writable" if all(e & WRITABLE for e in tables) else "read-only",
              "user" if all(e & USER for e in tables) else "supervisor",
              "no-execute" if any(e & NX for e in tables) else "executable"]
    size = "2 MB" if level == "PD" else "4 KB"
    return f"machine address {machine:09x} in a {size} page: {', '.join(rights)}"


def show_walk(argument):
    """rf walk ADDRESS: each level's entry and its bits, and what they come to."""
    if not argument:
        raise gdb.GdbError("rf walk needs an address: rf walk 0xffc00000, rf walk &boot_info, "
                           "rf walk $esp")
    linear = evaluate(argument)
    registers = read_registers()
    if not registers["CR0"] & CR0_PG:
        print(f"paging is off: linear {linear:08x} is machine address {linear:08x}")
        return
    if not registers["CR4"] & CR4_PAE:
        raise gdb.GdbError("paging is on without PAE: these are not tables of Ringfence, "
                           "which uses PAE from its first C line on")
    print(f"linear {linear:08x} under cr3 {registers['CR3']:08x}")
    steps = list(walk(linear, registers["CR3"], read_physical64))
    for level, index, where, entry, is_leaf in steps:
        print(f"  {level:<4} [{index:3}] at {where:09x}: {entry:016x}  "
              f"{describe_bits(entry, is_leaf)}")
    print(conclude(linear, steps))
