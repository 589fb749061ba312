"""What the launcher's tests share: assembling a test kernel, and starting ./ringfence.

Importing it makes tools/ known, so it is imported before anything of the launcher."""

import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
RINGFENCE = ROOT / "ringfence"
KERNELS = Path(__file__).resolve().parent / "kernels"
MACHINES = ("qemu", "bochs")
LIMIT = "200"  # seconds; only a broken launcher needs them

sys.path.insert(0, str(ROOT / "tools"))


def assemble(folder, name, *defines, elf=False, text=0x100000):
    """Builds kernels/NAME.asm, flat or as an ELF file, and gives its path. ld puts a page before its text."""
    output = folder / f"{name}.{'elf' if elf else 'bin'}"
    flat = folder / f"{name}.o" if elf else output
    source = KERNELS / f"{name}.asm"
    options = ["-w+all", "-Werror"] + [f"-D{define}" for define in defines]
    nasm = ["nasm", "-f", "elf32" if elf else "bin", "-i", f"{KERNELS}/", *options]
    subprocess.run([*nasm, str(source), "-o", str(flat)], check=True)
    if elf:
        link = ["ld", "-m", "elf_i386", "-Ttext", f"{text:#x}", "-e", "start", "-z", "noexecstack"]
        subprocess.run([*link, "-o", str(output), str(flat)], check=True)
    return output


def launch(*arguments, **options):
    """Runs ./ringfence to its end, with output as bytes."""
    options = {"stdin": subprocess.DEVNULL, "timeout": float(LIMIT) + 20} | options
    return subprocess.run([str(RINGFENCE), *map(str, arguments)], capture_output=True, **options)


def launch_native(kernel, *arguments, **options):
    return launch("run", kernel, "--native", "--timeout", LIMIT, *arguments, **options)


def one_sentence(result):
    """The one line on stderr of a run that refused to start."""
    assert result.returncode == 2, result
    assert result.stdout == b""
    text = result.stderr.decode()
    assert text.startswith("ringfence: ") and text.endswith("\n") and text.count("\n") == 1, text
    return text


def machines_in(folder):
    """The processes whose working folder lies in `folder`: the machines started with it as TMPDIR."""
    found = []
    for process in Path("/proc").iterdir():
        try:
            if process.name.isdigit() and os.readlink(process / "cwd").startswith(str(folder)):
                found.append(int(process.name))
        except OSError:
            continue  # it ended meanwhile, or is not ours
    return found


def wait_until(condition, seconds=100):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)
