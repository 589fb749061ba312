#!/usr/bin/env python3
"""Shape: short files and functions, no #ifdef forest, nothing left unfinished, no traces of one machine."""
import ast
import re

from gate import Gate

LINES_OF_A_FILE = 600
LINES_OF_A_FUNCTION = 60
CODE = (".c", ".h", ".asm", ".inc", ".py", ".sh", ".mk", ".ld")
C = (".c", ".h")

# Written in halves, so that this file passes its own gate.
UNFINISHED = re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X|HA" r"CK)\b")
OF_ONE_MACHINE = re.compile(r"(?<![\w.~$}-])/(work|root|home)/")
REGISTRY = re.compile(r"\b(deb|security|archive|snapshot|registry|pypi|ports)"
                      r"\.(debian|ubuntu|npmjs|org\b|python)", re.IGNORECASE)
CONDITIONAL = re.compile(r"^\s*#\s*if")
REASON = re.compile(r"(/\*|#) long because ")


def is_text(raw):
    return b"\0" not in raw


def check_lines(gate, path, lines):
    for number, line in enumerate(lines, 1):
        word = UNFINISHED.search(line)
        if word:
            gate.breach(path, number, f"says {word[0]}: finish it or take it out")
        if OF_ONE_MACHINE.search(line):
            gate.breach(path, number, "names a path of one machine: "
                        "use one that is relative to the project")
        if REGISTRY.search(line):
            gate.breach(path, number, "names the host of a package registry: leave that to apt")
        if line != line.rstrip():
            gate.breach(path, number, "has white space at the end of the line")


def check_function(gate, path, first, last, above, name):
    length = last - first + 1
    if length > LINES_OF_A_FUNCTION and not REASON.search(above):
        gate.breach(path, first, f"{name} has {length} lines: split it, or say "
                    '"long because ..." in a comment directly above')


def comment_above(lines, first):
    """The comment that ends on the line before line number `first`, as one line of text."""
    above = []
    for line in reversed(lines[:first - 1]):
        above.insert(0, line.strip())
        if "/*" in line or not line.strip() or "*/" not in above[-1] and len(above) == 1:
            break
    return " ".join(above)


def check_c_functions(gate, path, lines):
    """In our format a body is what stands between a lone { and a lone } in column 1."""
    start = None
    for number, line in enumerate(lines, 1):
        if line == "{":
            start = number
            while start > 1 and re.match(r"[\w\t ].*[^;}/]$", lines[start - 2]):
                start -= 1
        elif line == "}" and start:
            head = " ".join(lines[start - 1:number])
            name = re.search(r"(\w+)\(", head)
            check_function(gate, path, start, number, comment_above(lines, start),
                           f"{name[1]}()" if name else "a function")
            start = None


def check_python_functions(gate, path, text, lines):
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            above = lines[node.lineno - 2] if node.lineno > 1 else ""
            check_function(gate, path, node.lineno, node.end_lineno, above, f"{node.name}()")


def check_conditionals(gate, path, lines):
    """One guard in a header, nothing else: choose by table or at link time."""
    found = [n for n, line in enumerate(lines, 1) if CONDITIONAL.match(line)]
    is_guarded = path.endswith(".h") and "#pragma once" not in lines
    extra = found[1:] if is_guarded else found
    if extra and not gate.is_allowed(path):
        for number in extra:
            gate.breach(path, number, "chooses by the preprocessor: "
                        "choose by table or at link time")


def check_file(gate, path):
    raw = (gate.root / path).read_bytes()
    if not is_text(raw):
        return
    text = gate.read(path)
    lines = text.splitlines()
    check_lines(gate, path, lines)
    if text and not text.endswith("\n"):
        gate.breach(path, len(lines), "does not end with a line end")
    if path.endswith(CODE) and len(lines) > LINES_OF_A_FILE:
        gate.breach(path, 0, f"has {len(lines)} lines, past {LINES_OF_A_FILE}: it is two files")
    if path.endswith(C):
        check_c_functions(gate, path, lines)
        check_conditionals(gate, path, lines)
    elif path.endswith(".py") or text.startswith("#!/usr/bin/env python3"):
        check_python_functions(gate, path, text, lines)


def main():
    gate = Gate("shape", __doc__)
    for path in gate.files():
        check_file(gate, path)
    gate.finish()


if __name__ == "__main__":
    main()
