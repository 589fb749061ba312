#!/usr/bin/env python3
"""Static analysis: clang-tidy, cppcheck and gcc -fanalyzer; whatever they say is an error."""
import subprocess

from gate import Gate, Proofs

SUPPRESSIONS = "tools/check/cppcheck.txt"
CPPCHECK = ["cppcheck", "--quiet", "--std=c11", "--language=c", "--platform=unix32", "-I.",
            "--enable=warning,performance,portability", "--inline-suppr", "--error-exitcode=1",
            f"--suppressions-list={SUPPRESSIONS}",
            "--template={file}:{line}: {message} [{id}]"]

GCC = ["gcc", "-fanalyzer", "-fdiagnostics-path-format=none", "-S", "-o", "/dev/null"]

# clang takes from gcc's flags those that say what the text means, and knows not all of the others.
MEANING = ("-std=", "-m32", "-march=", "-I", "-D", "-ffreestanding")


def version_of(tool):
    return subprocess.run([tool, "--version"], stdout=subprocess.PIPE, text=True).stdout


def jobs_for(gate, proofs, path, common):
    flags = gate.flags_for(path)
    plain = [flag for flag in flags if flag.startswith(MEANING)]
    depends = (common, proofs.preprocessed(path))
    yield path, [*CPPCHECK, path], depends
    yield path, ["clang-tidy", "--quiet", "--warnings-as-errors=*", path, "--", *plain], depends
    yield path, [*GCC, *flags, path], depends


def main():
    gate = Gate("analysis", __doc__)
    proofs = Proofs(gate)
    common = [(gate.root / name).read_text() for name in (SUPPRESSIONS, ".clang-tidy")]
    common += [version_of(tool) for tool in ("clang-tidy", "cppcheck", "gcc")]
    jobs = []
    for path in gate.files(".c"):
        # A unit test is a program of its own kind, and the sanitizers watch it run.
        if not path.startswith("tests/"):
            jobs += jobs_for(gate, proofs, path, common)
    proofs.run_all(jobs)
    gate.finish()


if __name__ == "__main__":
    main()
