"""What the rf commands ask of the machine under gdb: control registers, table registers, memory.

gdb's protocol knows neither GDTR nor physical memory, so QEMU's monitor is asked for both.
"""
import re

import gdb

CR0_PE = 1 << 0
CR0_PG = 1 << 31
CR4_PAE = 1 << 5


def ask_monitor(command):
    try:
        return gdb.execute(f"monitor {command}", to_string=True)
    except gdb.error as problem:
        raise gdb.GdbError(f"QEMU's monitor does not answer `{command}`: {problem}; "
                           "connect with `target remote` first (make debug does)") from None


def parse_registers(text):
    """{name: value}; a table register is (base, limit), a segment (selector, base, limit, flags)."""
    registers = {}
    for name, value in re.findall(r"\b(CR[0234]|EFER)=([0-9a-f]+)", text):
        registers[name] = int(value, 16)
    for name, base, limit in re.findall(r"\b([GI]DT)= +([0-9a-f]+) ([0-9a-f]+)", text):
        registers[name] = int(base, 16), int(limit, 16)
    for name, *words in re.findall(r"\b([C-GS]S|TR|LDT) *=([0-9a-f]+) ([0-9a-f]+) ([0-9a-f]+) "
                                   r"([0-9a-f]+)", text):
        registers[name] = tuple(int(word, 16) for word in words)
    return registers


def read_registers():
    text = ask_monitor("info registers")
    registers = parse_registers(text)
    missing = {"CR0", "CR3", "CR4", "GDT", "IDT", "TR"} - registers.keys()
    if missing:
        raise gdb.GdbError(f"QEMU's `info registers` does not show {', '.join(sorted(missing))}: "
                           "expected the registers of a 32-bit processor")
    return registers


def need_protected_mode(registers, what):
    if not registers["CR0"] & CR0_PE:
        raise gdb.GdbError(f"the processor is still in real mode, where there is no {what}: "
                           "run to boot_entry first (tbreak boot_entry, continue)")


def read_linear(address, length, what):
    try:
        return bytes(gdb.selected_inferior().read_memory(address, length))
    except gdb.MemoryError:
        raise gdb.GdbError(f"cannot read {what} at {address:08x}: nothing is mapped there "
                           f"(rf walk 0x{address:x} shows why)") from None


def read_physical64(address):
    text = ask_monitor(f"xp /1gx 0x{address:x}")
    found = re.search(r":\s*0x([0-9a-f]{16})", text)
    if not found:
        raise gdb.GdbError(f"cannot read physical memory at {address:x}: "
                           f"QEMU says \"{text.strip()}\"")
    return int(found[1], 16)


def name_of(address):
    """The symbol at or before a code address, as <name+offset>, or nothing."""
    text = gdb.execute(f"info symbol 0x{address:x}", to_string=True)
    found = re.match(r"(\S+)(?: \+ (\d+))? in section", text)
    if not found:
        return ""
    return f"<{found[1]}+{found[2]}>" if found[2] else f"<{found[1]}>"


def evaluate(expression):
    try:
        return int(gdb.parse_and_eval(expression).cast(gdb.lookup_type("unsigned int")))
    except gdb.error as problem:
        raise gdb.GdbError(f"\"{expression}\" is no address: {problem}") from None
