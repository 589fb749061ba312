#!/usr/bin/env python3
"""Headers: each compiles alone, says on top what it is for, and each .c includes its own first."""
import re

from gate import Gate, Proofs

# A .c of these folders is a room of the house and has a header of the same name; a guest's own
# files and the tests are programs, which nobody includes.
ROOMS = ("boot/", "kernel/", "monitor/", "guest/library/")

PARAGRAPH = re.compile(r"/\*(.*?)\*/", re.DOTALL)
INCLUDE = re.compile(r'^\s*#\s*include\s*["<]([^">]+)', re.MULTILINE)
LEAST_WORDS = 8


def check_header(gate, path):
    text = gate.read(path)
    paragraph = PARAGRAPH.match(text)
    if not paragraph or len(paragraph[1].split()) < LEAST_WORDS:
        gate.breach(path, 1, "must begin with one paragraph: what this room is for, "
                    "what it promises, what it must not know")
    guard = re.sub(r"[^A-Z0-9]", "_", path.upper())
    if f"#ifndef {guard}\n#define {guard}\n" not in text and "\n#pragma once\n" not in text:
        gate.breach(path, 1, f"must have the include guard {guard}, or #pragma once")


def check_room(gate, path):
    header = path[:-2] + ".h"
    if not (gate.root / header).exists():
        gate.breach(path, 1, f"has no header {header}: a .c has one .h of the same name")
        return
    first = INCLUDE.search(gate.read(path))
    if not first or first[1] != header:
        gate.breach(path, 1, f'must include "{header}" before anything else, '
                    "which proves that it stands by itself")


def main():
    gate = Gate("headers", __doc__)
    proofs = Proofs(gate)
    jobs = []
    for path in gate.files(".h"):
        check_header(gate, path)
        # As the compiler sees a header that is the only thing included.
        command = ["gcc", *gate.flags_for(path), "-Wno-unused", "-fsyntax-only", "-include", path,
                   "-x", "c", "/dev/null"]
        jobs.append((path, command, proofs.preprocessed(path)))
    proofs.run_all(jobs)
    for path in gate.files(".c"):
        if path.startswith(ROOMS):
            check_room(gate, path)
    gate.finish()


if __name__ == "__main__":
    main()
