"""What all gates share: finding the sources, naming a breach, remembering what was proved.

A gate reads files under --root, prints one sentence for each breach, and ends in one line:
"check: NAME ok (N files)", or how many breaches there are and status 1. A gate that found
nothing to look at has failed: it would otherwise stay silent for ever.
"""
import argparse
import hashlib
import os
import shlex
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
ALLOWED = "tools/check/allowed.txt"
BYTES = ("tests/fuzz/corpus", "tests/cases/known")


def is_left_out(folder):
    """Build products, what git or Python keep for themselves, and inputs of the fuzzers are nobody's source.

    The last are bytes that often look like text; what stands in them must stay as it is.
    """
    return folder.parts[0] == "build" or str(folder) in BYTES or folder.name == "__pycache__" or (
        folder.name.startswith(".") and folder.name != ".ci")


class Gate:
    def __init__(self, name, description, mends=False):
        self.name = name
        self.breaches = []
        self.seen = set()
        self.needed = set()
        parser = argparse.ArgumentParser(description=description)
        parser.add_argument("--root", type=Path, default=PROJECT, help="the tree to look at")
        parser.add_argument("--build", default="build", help="where the build products are")
        if mends:
            parser.add_argument("--mend", action="store_true", help="mend the files first")
        self.options = parser.parse_args()
        self.root = self.options.root.resolve()
        self.build = self.root / self.options.build
        self.allowances = self._read_allowances()

    def _read_allowances(self):
        """The rows of allowed.txt for this gate as {subject: line}; every row must be needed."""
        path = self.root / ALLOWED
        rows = {}
        if not path.exists():
            return rows
        for number, line in enumerate(path.read_text().splitlines(), 1):
            if not line.strip() or line.startswith("#"):
                continue
            words = line.split(None, 2)
            if len(words) < 3:
                self.breach(ALLOWED, number, "a row is: gate, subject, reason")
            elif words[0] == self.name:
                rows[words[1]] = number
        return rows

    def files(self, *endings):
        """The sources whose names end so, as sorted paths relative to the root."""
        found = []
        for folder, folders, names in os.walk(self.root):
            relative = Path(folder).relative_to(self.root)
            folders[:] = [f for f in folders if not is_left_out(relative / f)]
            found += [str(relative / n) for n in names
                      if n != ".git" and (not endings or n.endswith(endings))]
        return sorted(found)

    def read(self, relative):
        self.seen.add(relative)
        return (self.root / relative).read_text(encoding="utf-8", errors="replace")

    def breach(self, path, line, sentence):
        self.breaches.append((str(path), line, sentence))

    def is_allowed(self, subject):
        """Whether allowed.txt lets this breach stand."""
        self.needed.add(subject)
        return subject in self.allowances

    def flags_for(self, path):
        """The compiler's flags for a file: mk/check.mk puts each part's into the environment."""
        part = {"guest": "GUEST", "tests": "UNIT", "tools": "UNIT"}.get(
            Path(path).parts[0], "HYPERVISOR")
        name = f"CHECK_{part}_FLAGS"
        if name not in os.environ:
            sys.exit(f"check: {self.name} failed: {name} is not set; call it as "
                     f"`make check-{self.name}`")
        return [flag for flag in shlex.split(os.environ[name]) if flag not in ("-MMD", "-MP")]

    def finish(self):
        for subject in self.allowances.keys() - self.needed:
            self.breach(ALLOWED, self.allowances[subject],
                        f"{subject} no longer needs this row: take it out")
        for path, line, sentence in sorted(self.breaches):
            print(f"{path}:{line}: {sentence}" if line else f"{path}: {sentence}")
        if self.breaches:
            print(f"check: {self.name} failed: {len(self.breaches)} breaches")
            sys.exit(1)
        if not self.seen:
            print(f"check: {self.name} failed: found no files to check under {self.root}")
            sys.exit(1)
        print(f"check: {self.name} ok ({len(self.seen)} files)")


class Proofs:
    """Runs tools over many files, and not again over what has not changed since.

    A proof is an empty file named by a digest of all that the answer depends on.
    """

    def __init__(self, gate, sentence="{tool} says:\n{said}"):
        self.gate = gate
        self.sentence = sentence
        self.folder = gate.build / "check" / gate.name
        self.folder.mkdir(parents=True, exist_ok=True)

    def digest(self, command, extra):
        return self.folder / hashlib.sha256(repr((command, extra)).encode()).hexdigest()

    def run_all(self, jobs):
        """jobs: (path, command, what else the answer depends on); a breach for each complaint."""
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            for path, complaint in pool.map(self._run, jobs):
                self.gate.seen.add(path)
                if complaint and not self.gate.is_allowed(path):
                    self.gate.breach(path, 0, complaint)

    def _run(self, job):
        path, command, extra = job
        proof = self.digest(command, extra)
        if proof.exists():
            return path, None
        done = subprocess.run(command, cwd=self.gate.root, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, text=True)
        if done.returncode:
            return path, self.sentence.format(tool=command[0], said=done.stdout.strip())
        proof.touch()
        return path, None

    def preprocessed(self, path):
        """The file with all that it includes, comments and all: what a compiler's answer hangs on."""
        command = ["gcc", *self.gate.flags_for(path), "-E", "-C", path]
        done = subprocess.run(command, cwd=self.gate.root, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, text=True,
                              errors="replace")
        return done.stdout
