"""rf gdt, rf idt, rf tss: the processor's tables as it would read them."""
import struct

import gdb

from descriptors import (decode_gate, decode_segment, describe_gate, describe_segment,
                         exception_name, is_gate)
from machine import evaluate, name_of, need_protected_mode, read_linear, read_registers

TSS_FORMAT = "<26I"
TSS_SIZE = 104
PAGE = 4096


def read_where_mapped(base, length, what):
    """Of a table of full size only some pages may be there; what lies on the others counts as null."""
    raw = read_linear(base, min(length, PAGE - base % PAGE), what)
    while len(raw) < length:
        size = min(PAGE, length - len(raw))
        try:
            raw += read_linear(base + len(raw), size, what)
        except gdb.GdbError:
            raw += bytes(size)
    return raw


def read_table(name):
    registers = read_registers()
    need_protected_mode(registers, name)
    base, limit = registers[name]
    raw = read_where_mapped(base, limit + 1 & ~7, f"the {name}")
    return base, limit, [entry for entry, in struct.iter_unpack("<Q", raw)]


def show_gdt(argument):
    """rf gdt: the segment descriptors that are not null."""
    if argument:
        raise gdb.GdbError(f"rf gdt takes no argument, but got \"{argument}\"")
    base, limit, entries = read_table("GDT")
    print(f"GDT at {base:08x}, limit {limit:04x}: {len(entries)} entries, "
          f"{sum(map(bool, entries))} in use")
    for index, raw in enumerate(entries):
        if not raw:
            continue
        if is_gate(raw):
            gate = decode_gate(raw)
            text = describe_gate(gate, name_of(gate.offset))
        else:
            text = describe_segment(decode_segment(raw))
        print(f"  {index * 8:04x}  {text}")


def show_idt(argument):
    """rf idt [VECTOR]: the gates, and the functions that they lead to."""
    base, limit, entries = read_table("IDT")
    chosen = range(len(entries))
    if argument:
        vector = evaluate(argument)
        if vector not in chosen:
            raise gdb.GdbError(f"there is no vector {vector}: the IDT has 0 to {len(entries) - 1}")
        chosen = [vector]
    print(f"IDT at {base:08x}, limit {limit:04x}: {len(entries)} gates, "
          f"{sum(raw >> 47 & 1 for raw in entries)} present")
    for vector in chosen:
        raw = entries[vector]
        if raw or argument:
            gate = decode_gate(raw)
            print(f"  {vector:02x} {exception_name(vector):<3}  "
                  f"{describe_gate(gate, name_of(gate.offset))}")


def find_tss(argument, registers):
    """(selector, base, limit) of the task register's TSS, or of the one that a selector names."""
    if not argument:
        return registers["TR"][:3]
    selector = evaluate(argument)
    _, _, entries = read_table("GDT")
    if selector // 8 >= len(entries):
        raise gdb.GdbError(f"selector {selector:04x} lies past the end of the GDT")
    segment = decode_segment(entries[selector // 8])
    if "TSS" not in segment.kind:
        raise gdb.GdbError(f"selector {selector:04x} names no TSS but: {segment.kind}")
    return selector, segment.base, segment.limit


def show_tss(argument):
    """rf tss [SELECTOR]: the task state segment in use, or the one that SELECTOR names."""
    registers = read_registers()
    need_protected_mode(registers, "TSS")
    selector, base, limit = find_tss(argument, registers)
    if not selector & ~7:
        raise gdb.GdbError("the task register is null: no TSS has been loaded yet")
    words = struct.unpack(TSS_FORMAT, read_linear(base, TSS_SIZE, "the TSS"))
    print(f"TSS {selector:04x} at {base:08x}, limit {limit:08x}, "
          f"back link {words[0] & 0xFFFF:04x}")
    for ring in range(3):
        print(f"  ring {ring} stack  {words[2 + 2 * ring] & 0xFFFF:04x}:"
              f"{words[1 + 2 * ring]:08x}")
    print(f"  cr3 {words[7]:08x}  eip {words[8]:08x} {name_of(words[8])}".rstrip())
    print(f"  eflags {words[9]:08x}  esp {words[14]:08x}  ebp {words[15]:08x}")
    names = ("es", "cs", "ss", "ds", "fs", "gs", "ldt")
    print("  " + "  ".join(f"{n} {words[18 + i] & 0xFFFF:04x}" for i, n in enumerate(names)))
    bitmap = words[25] >> 16
    where = "past the limit: none" if bitmap > limit else f"at offset {bitmap:04x}"
    print(f"  I/O permission bitmap {where}")
