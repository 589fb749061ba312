"""Descriptors in words: what the eight bytes of a GDT, LDT or IDT entry say. Knows no gdb."""
from collections import namedtuple

Segment = namedtuple("Segment", "base limit kind dpl present notes")
Gate = namedtuple("Gate", "kind selector offset dpl present")

SYSTEM_KINDS = {
    0x1: "16-bit TSS", 0x2: "LDT", 0x3: "16-bit TSS, busy", 0x4: "16-bit call gate",
    0x5: "task gate", 0x6: "16-bit interrupt gate", 0x7: "16-bit trap gate", 0x9: "TSS",
    0xB: "TSS, busy", 0xC: "call gate", 0xE: "interrupt gate", 0xF: "trap gate",
}
GATES = (0x4, 0x5, 0x6, 0x7, 0xC, 0xE, 0xF)

EXCEPTIONS = ("#DE", "#DB", "NMI", "#BP", "#OF", "#BR", "#UD", "#NM", "#DF", "", "#TS", "#NP",
              "#SS", "#GP", "#PF", "", "#MF", "#AC", "#MC", "#XM", "#VE", "#CP")


def exception_name(vector):
    return EXCEPTIONS[vector] if vector < len(EXCEPTIONS) else ""


def is_gate(raw):
    return not raw >> 44 & 1 and raw >> 40 & 0xF in GATES


def decode_segment(raw):
    kind = raw >> 40 & 0xF
    base = raw >> 16 & 0xFFFFFF | (raw >> 56 & 0xFF) << 24
    limit = raw & 0xFFFF | (raw >> 48 & 0xF) << 16
    if raw >> 55 & 1:
        limit = limit << 12 | 0xFFF
    notes = []
    if not raw >> 44 & 1:
        text = SYSTEM_KINDS.get(kind, f"reserved type {kind:x}")
    else:
        text = "code" if kind & 8 else "data"
        notes.append("32-bit" if raw >> 54 & 1 else "16-bit")
        if kind & 8:
            notes += ["readable"] if kind & 2 else ["execute-only"]
            notes += ["conforming"] if kind & 4 else []
        else:
            notes += ["writable"] if kind & 2 else ["read-only"]
            notes += ["expand-down"] if kind & 4 else []
        notes += ["accessed"] if kind & 1 else []
    return Segment(base, limit, text, raw >> 45 & 3, bool(raw >> 47 & 1), notes)


def decode_gate(raw):
    kind = raw >> 40 & 0x1F
    return Gate(SYSTEM_KINDS.get(kind, f"type {kind:x}, which is no gate"), raw >> 16 & 0xFFFF,
                raw & 0xFFFF | (raw >> 48 & 0xFFFF) << 16, raw >> 45 & 3, bool(raw >> 47 & 1))


def describe_segment(segment):
    notes = ", ".join(([] if segment.present else ["not present"]) + segment.notes)
    return (f"{segment.kind:<10} base {segment.base:08x}  limit {segment.limit:08x}  "
            f"dpl {segment.dpl}  {notes}").rstrip()


def describe_gate(gate, name):
    absent = "" if gate.present else "  not present"
    return (f"{gate.kind:<14}  {gate.selector:04x}:{gate.offset:08x}  dpl {gate.dpl}  "
            f"{name}{absent}").rstrip()
