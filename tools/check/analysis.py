#!/usr/bin/env python3
"""Static analysis: clang-tidy, cppcheck and gcc -fanalyzer; whatever they say is an error."""
import subprocess

from gate import Gate, Proofs

SUPPRESSIONS = "tools/check/cppcheck.txt"
CPPCHECK = ["cppcheck", "--quiet", "--std=c11", "--language=c", "--platform=unix32", "-I.",
            "--enable=warning,performance,portability", "--inline-suppr", "--error-exitcode=1",
            f"--suppressions-list={SUPPRESSIONS}",
            "--template={file}:{line}: {message} [{id}]"]

# These mean something to gcc alone, and clang-tidy would refuse them.
FOR_GCC_ONLY = ("-MMD", "-MP", "-fanalyzer", "-mgeneral-regs-only", "-fno-sanitize-recover=all")


def version_of(tool):
    return subprocess.run([tool, "--version"], stdout=subprocess.PIPE, text=True).stdout


def jobs_for(gate, proofs, path, common):
    """A unit test is another kind of program: only the hypervisor and the guests are analysed."""
    flags = [f for f in gate.flags_for(path) if f not in FOR_GCC_ONLY]
    depends = (common, proofs.preprocessed(path))
    yield path, [*CPPCHECK, path], depends
    yield path, ["clang-tidy", "--quiet", "--warnings-as-errors=*", path, "--", *flags], depends
    yield path, ["gcc", *flags, "-fanalyzer", "-S", "-o", "/dev/null", path], depends


def main():
    gate = Gate("analysis", __doc__, compiles=True)
    proofs = Proofs(gate)
    common = [(gate.root / name).read_text() for name in (SUPPRESSIONS, ".clang-tidy")]
    common += [version_of(tool) for tool in ("clang-tidy", "cppcheck", "gcc")]
    jobs = []
    for path in gate.files(".c"):
        if not path.startswith("tests/"):
            jobs += jobs_for(gate, proofs, path, common)
    proofs.run_all(jobs)
    gate.finish()


if __name__ == "__main__":
    main()
