"""Debian's Linux as a guest of the tests: where its files are, and its shell to type at."""

import io
import os
import re
import shutil
from pathlib import Path

import pexpect
import pytest
from conftest import RINGFENCE

ROOT = Path(RINGFENCE).parent
LINUX = ROOT / "build" / "linux"
FLAVOURS = ("686", "686-pae")
FIRST_PROMPT = "/ # "
PROMPT = "<ready>"

# What a log must not have, unless the same kernel says it natively, too.
ALARMING = re.compile(
    r"WARNING:|BUG:|Oops|lockup|rcu.*stall|[Uu]nexpected|Call Trace|Unable to handle|Kernel panic|segfault|nobody cared"
)


def linux_file(name):
    path = LINUX / name
    if not path.exists():
        pytest.skip(f"build/linux/{name} is not there; `make linux` fetches and makes it")
    return path


def machine_or_skip(on):
    program = {"qemu": "qemu-system-i386", "bochs": "bochs"}[on]
    if not shutil.which(program):
        pytest.skip(f"{program} is not installed")


class Linux:
    """A booted kernel with its shell on a terminal. `options` are those of ./ringfence run."""

    def __init__(self, kernel, initrd, seconds, *options, append="console=ttyS0"):
        words = ["run", linux_file(kernel), "--initrd", linux_file(initrd), "--append", append, "--timeout", seconds]
        command = [str(word) for word in (*words, *options)]
        self.terminal = pexpect.spawn(RINGFENCE, command, cwd=ROOT, timeout=seconds, encoding="latin1", echo=False)
        self.terminal.delaybeforesend = None
        self.terminal.logfile_read = self.said = io.StringIO()
        self.boot_log = self.until(FIRST_PROMPT)
        # In two pieces, so that the echo of the command is not taken for the prompt; wide, so that it is not wrapped.
        self.terminal.send("stty cols 1000; TERM=dumb; PS1='<rea''dy>'\r")
        self.until("\n" + PROMPT)

    def until(self, text, seconds=-1):
        """What was said before it."""
        try:
            self.terminal.expect_exact(text, timeout=seconds)
        except (pexpect.TIMEOUT, pexpect.EOF) as error:
            pytest.fail(f"no {text!r} ({type(error).__name__}) after:\n{self.terminal.before[-3000:]}")
        return self.terminal.before.replace("\r", "")

    def type(self, text):
        self.terminal.send(text)

    def ask(self, command, seconds=180):
        """What a command says, without its echo and the kernel's own messages."""
        self.terminal.send(command + "\r")
        said = self.until(PROMPT, seconds)
        lines = said.partition("\n")[2].splitlines()
        return "\n".join(line for line in lines if not re.match(r"\[ *\d+\.\d{6}\] ", line))

    def end(self, seconds=60):
        """The exit status, after the shell was left and the machine switched off."""
        self.terminal.send("exit\r")
        self.terminal.expect(pexpect.EOF, timeout=seconds)
        self.terminal.close()
        return self.terminal.exitstatus

    def close(self):
        self.terminal.close(force=True)


def kernel_lines(text):
    """What the kernel itself said, without the times, which differ from run to run."""
    return re.findall(r"^\[ *\d+\.\d{6}\] (.*)", text.replace("\r", ""), re.MULTILINE)


def alarming_lines(text):
    return {line for line in kernel_lines(text) if ALARMING.search(line)}


def blank_disk(folder, megabytes):
    """A disk image of zeros; its file takes no space."""
    path = folder / "disk.img"
    path.touch()
    os.truncate(path, megabytes << 20)
    return path
