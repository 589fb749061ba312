"""./ringfence doctor: what is installed, what is missing, which command mends it."""

import shutil
import subprocess
import sys
from pathlib import Path

from .iso import GRUB_FOLDER
from .options import one_line

MEND = "tools/setup"
DEBIAN_PYTHON = "/usr/bin/python3"

# What is looked for, the Debian package it comes in, and what it is for.
PROGRAMS = (
    ("qemu-system-i386", "qemu-system-x86", "runs everything"),
    ("bochs", "bochs", "the second machine, strict as silicon"),
    ("grub-mkrescue", "grub-common", "makes the ISO"),
    ("xorriso", "xorriso", "makes the ISO"),
    ("gcc", "gcc", "builds"),
    ("ld", "binutils", "builds"),
    ("make", "make", "builds"),
    ("nasm", "nasm", "builds"),
    ("gdb", "gdb", "make debug"),
    ("clang-format", "clang-format", "make check"),
    ("clang-tidy", "clang-tidy", "make check"),
    ("cppcheck", "cppcheck", "make check"),
)
FILES = (
    (GRUB_FOLDER / "modinfo.sh", "grub-pc-bin", "GRUB for PCs, in the ISO"),
    (Path("/usr/include/Zydis/Zydis.h"), "libzydis-dev", "make test: the other decoder"),
)
PYTHON_MODULES = (
    ("pytest", "python3-pytest", "make test"),
    ("xdist", "python3-pytest-xdist", "make test"),
    ("pytest_timeout", "python3-pytest-timeout", "make test"),
    ("pexpect", "python3-pexpect", "make test"),
)


def run_doctor():
    missing = []
    for name, package, purpose, found in _examine():
        print(f"{'ok     ' if found else 'MISSING'}  {name:<18} {purpose:<38} {found or f'package {package}'}")
        if not found:
            missing.append(package)
    if not missing:
        print("\nEverything is installed.")
        return 0
    print(f"\n{len(missing)} missing: {MEND} installs them on Debian and Ubuntu")
    print(f"(or: apt-get install {' '.join(dict.fromkeys(missing))})")
    return 1


def _examine():
    """Name, package, purpose, and a word about what was found; empty when nothing was."""
    for name, package, purpose in PROGRAMS:
        yield name, package, purpose, _version(name) if shutil.which(name) else ""
    for path, package, purpose in FILES:
        yield path.name, package, purpose, "there" if path.exists() else ""
    for name, package, purpose in PYTHON_MODULES:
        yield name, package, purpose, "there" if _has_module(name) else ""


def _has_module(name):
    # Debian's packages belong to Debian's Python, whichever one runs us.
    python = DEBIAN_PYTHON if Path(DEBIAN_PYTHON).exists() else sys.executable
    command = [python, "-c", f"import importlib.util, sys; sys.exit(importlib.util.find_spec({name!r}) is None)"]
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True).returncode == 0


def _version(program):
    if program == "bochs":  # it has no --version, and starts a machine when it does not understand
        return "there"
    result = subprocess.run([program, "--version"], stdin=subprocess.DEVNULL, capture_output=True, text=True)
    lines = [line for line in result.stdout.splitlines() if any(character.isdigit() for character in line)]
    return one_line(lines[0])[:60] if lines else "there"
