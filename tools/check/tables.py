#!/usr/bin/env python3
"""Tables: the rows of a .def list are unique by their name, and sorted where their file says so.

A list whose top comment says "Sorted by name." must be; one row a line: MACRO(name, ...).
"""
import re

from gate import Gate

ROW = re.compile(r"^(\w+)\(\s*([^,)]+)")

# One row for each encoding: several rows may have the same first word.
NOT_BY_FIRST_WORD = {"opcodes.def", "compare_zydis_differences.def"}


def rows_of(text):
    for number, line in enumerate(text.splitlines(), 1):
        row = ROW.match(line)
        if row:
            yield number, row[1], row[2].strip().strip('"')


def check_table(gate, path):
    text = gate.read(path)
    seen, before = {}, {}
    is_sorted = "Sorted by name" in text
    for line, macro, name in rows_of(text):
        if (macro, name) in seen:
            gate.breach(path, line, f"{name} stands on line {seen[macro, name]} already")
        elif is_sorted and name < before.get(macro, ""):
            gate.breach(path, line, f"{name} comes before {before[macro]}: "
                        "this list says that it is sorted by name")
        seen[macro, name] = line
        before[macro] = name
    if not seen:
        gate.breach(path, 0, "has no rows: expected MACRO(name, ...)")


def main():
    gate = Gate("tables", __doc__)
    for path in gate.files(".def"):
        if path.rsplit("/", 1)[-1] not in NOT_BY_FIRST_WORD:
            check_table(gate, path)
    gate.finish()


if __name__ == "__main__":
    main()
