#!/usr/bin/env python3
"""Format: every C file looks as clang-format and .clang-format would have it. Tables are exempt."""
import subprocess

from gate import Gate, Proofs


def main():
    gate = Gate("format", __doc__, mends=True)
    rules = (gate.root / ".clang-format").read_text()
    sources = gate.files(".c", ".h")
    if gate.options.mend:
        subprocess.run(["clang-format", "-i", *sources], cwd=gate.root, check=True)
    jobs = [(path, ["clang-format", "--dry-run", "-Werror", path], (rules, gate.read(path)))
            for path in sources]
    Proofs(gate, "is not formatted: make format does it").run_all(jobs)
    gate.finish()


if __name__ == "__main__":
    main()
