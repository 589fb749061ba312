"""Each static gate lets a sound tree pass and fails on one planted breach."""
import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FREESTANDING = "-std=gnu17 -m32 -ffreestanding -fno-pic -O2 -Wall -Wextra -Werror -I."
FLAGS = {f"CHECK_{part}_FLAGS": FREESTANDING for part in ("HYPERVISOR", "GUEST", "UNIT")}

HEADER = """/* What stands in this small header of a test, which promises one number
 * and must not know who asks for it. */
#ifndef {guard}
#define {guard}

int {name}(void);

#endif
"""
BODY = """#include "{path}.h"

int {name}(void)
{{
	return 1;
}}
"""
# On the ground floor, next to it, and above it; each is used by another file.
ROOMS = {"kernel/low": "low", "kernel/other": "other", "monitor/run/high": "high"}
USER = """#include "boot/top.h"

#include "kernel/low.h"
#include "kernel/other.h"
#include "monitor/run/high.h"

int top(void)
{
	return low() + other() + high();
}
"""


def write(tree, path, text):
    (tree / path).parent.mkdir(parents=True, exist_ok=True)
    (tree / path).write_text(text)


def compile_all(tree):
    for source in sorted(tree.glob("**/*.c")):
        path = source.relative_to(tree)
        target = tree / "build/hypervisor" / path.with_suffix(".o")
        target.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run(["gcc", *FREESTANDING.split(), "-c", path, "-o", target], cwd=tree,
                       check=True)


@pytest.fixture
def tree(tmp_path):
    for path, name in {**ROOMS, "boot/top": "top"}.items():
        guard = path.upper().replace("/", "_") + "_H"
        write(tmp_path, f"{path}.h", HEADER.format(guard=guard, name=name))
        write(tmp_path, f"{path}.c", BODY.format(path=path, name=name))
    write(tmp_path, "boot/top.c", USER)
    write(tmp_path, "linker.ld", "ENTRY(top)\n")
    write(tmp_path, "kernel/list.def", "/* Sorted by name. */\nROW(a, 1)\nROW(b, 2)\n")
    write(tmp_path, "tools/tell", "#!/usr/bin/env python3\nprint(1)\n")
    write(tmp_path, "tools/say", "#!/usr/bin/env bash\necho 1\n")
    for name in (".clang-format", ".clang-tidy", "tools/check/cppcheck.txt"):
        write(tmp_path, name, (ROOT / name).read_text())
    return tmp_path


def run_gate(name, tree):
    done = subprocess.run(["/usr/bin/python3", "-B", ROOT / f"tools/check/{name}.py",
                           "--root", tree], env={**os.environ, **FLAGS}, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True)
    return done.returncode, done.stdout


GATES = ("layers", "headers", "format", "shape", "unused", "analysis", "scripts", "tables")


@pytest.mark.parametrize("gate", GATES)
def test_sound_tree_passes_twice(tree, gate):
    compile_all(tree)
    for _ in range(2):
        status, said = run_gate(gate, tree)
        assert status == 0, said
        assert said.startswith(f"check: {gate} ok (") and said.count("\n") == 1


@pytest.mark.parametrize("gate", GATES)
def test_finding_no_files_fails(tree, gate):
    for folder in ("boot", "kernel", "monitor", "tools"):
        for found in (tree / folder).glob("**/*"):
            if found.is_file() and found.name != "cppcheck.txt":
                found.unlink()
    (tree / "linker.ld").unlink()
    if gate == "shape":
        shutil.rmtree(tree / "tools")
        (tree / ".clang-format").unlink()
        (tree / ".clang-tidy").unlink()
    status, said = run_gate(gate, tree)
    assert status == 1
    assert "found no files to check" in said or "holds no objects" in said


def plant(tree, path, old, new):
    text = (tree / path).read_text()
    assert old in text
    (tree / path).write_text(text.replace(old, new, 1))


LONG = "int low(void)\n{\n" + "\n" * 70 + "\treturn 1;\n}\n"
SHORT = "int low(void)\n{\n\treturn 1;\n}\n"
HEAD = '#include "kernel/low.h"\n'

# gate, file, what stands there, what it becomes, what the gate must say
BREACHES = [
    ("layers", "kernel/low.c", HEAD, HEAD + '#include "monitor/run/high.h"\n',
     'kernel/low.c:2: includes "monitor/run/high.h" of floor 7, but stands on floor 1'),
    ("layers", "kernel/low.c", SHORT, "int high(void);\n" + SHORT.replace("1", "high()"),
     "kernel/low.c:3: uses high of monitor/run/high on floor 7, but stands on floor 1"),
    ("layers", "kernel/low.c", HEAD, HEAD + "#include <stdio.h>\n", "kernel/low.c:2: includes <std"),
    ("layers", "kernel/low.c", HEAD, HEAD + '#include "tools/x.h"\n', "stands on no floor"),
    ("headers", "kernel/low.h", "int low(void);", "size_t low(void);", "unknown type name"),
    ("headers", "kernel/low.h", "/* What stands", "/* Low. */\n/* What stands", "one paragraph"),
    ("headers", "kernel/low.h", "#define KERNEL_LOW_H", "#define LOW", "guard KERNEL_LOW_H"),
    ("headers", "kernel/low.c", HEAD, '#include "kernel/other.h"\n' + HEAD, "before anything else"),
    ("format", "kernel/low.c", "\treturn", "    return", "kernel/low.c: is not formatted"),
    ("shape", "kernel/low.c", SHORT, LONG, "kernel/low.c:3: low() has 74 lines"),
    ("shape", "kernel/low.c", "\treturn 1;", "\treturn 1; /* TO" "DO */", "finish it"),
    ("shape", "kernel/low.c", "return 1;", "return 1; ", "white space at the end"),
    ("shape", "kernel/low.c", "1;", "1; /* /ho" "me/x */", "a path of one machine"),
    ("shape", "kernel/low.c", HEAD, HEAD + "#ifdef X\n#endif\n", "by the preprocessor"),
    ("shape", "kernel/low.c", HEAD, HEAD + "\n" * 600, "past 600: it is two files"),
    ("unused", "boot/top.c", " + other()", "", "other is used by no other file"),
    ("analysis", "kernel/low.c", SHORT, SHORT.replace("return 1", "int *p = 0;\n\treturn *p"),
     "kernel/low.c: gcc says"),
    ("analysis", "kernel/low.c", SHORT, SHORT.replace("return 1", "int *p = 0;\n\treturn *p"),
     "kernel/low.c: clang-tidy says"),
    ("analysis", "kernel/low.c", SHORT, SHORT.replace("return 1", "int *p = 0;\n\treturn *p"),
     "kernel/low.c: cppcheck says"),
    ("scripts", "tools/tell", "print(1)", "import os", "imported but unused"),
    ("scripts", "tools/tell", "print(1)", "print('\\d')", "SyntaxError"),
    ("scripts", "tools/say", "echo 1", "echo $1", "SC2086"),
    ("tables", "kernel/list.def", "ROW(b", "ROW(a", "a stands on line 2 already"),
    ("tables", "kernel/list.def", "ROW(a", "ROW(c", "b comes before c"),
]


@pytest.mark.parametrize("gate, path, old, new, sentence", BREACHES)
def test_planted_breach_fails(tree, gate, path, old, new, sentence):
    plant(tree, path, old, new)
    if gate in ("layers", "unused") and "tools/x.h" not in new and "<stdio" not in new:
        compile_all(tree)
    status, said = run_gate(gate, tree)
    assert status == 1, said
    assert sentence in said
    assert said.splitlines()[-1].startswith(f"check: {gate} failed:")


def test_reason_lets_a_long_function_stand(tree):
    plant(tree, "kernel/low.c", SHORT, "/* long because it is one table */\n" + LONG)
    assert run_gate("shape", tree)[0] == 0


def test_inputs_of_the_fuzzers_are_left_alone(tree):
    write(tree, "tests/fuzz/corpus/decoder/spaces", "90 \n")
    assert run_gate("shape", tree)[0] == 0


def test_allowance_that_nobody_needs_fails(tree):
    write(tree, "tools/check/allowed.txt", "unused  low  somebody will call it\n")
    compile_all(tree)
    status, said = run_gate("unused", tree)
    assert status == 1
    assert "tools/check/allowed.txt:1: low no longer needs this row" in said
