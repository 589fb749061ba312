"""Two guests from Debian that need no system: memtest86+, which comes by Linux's boot protocol and tests
a PC's memory, and grub-invaders, a game with VGA text and a polled keyboard. `make test-linux`."""

import re
from pathlib import Path

import pexpect
import pytest
from conftest import NATIVE, RINGFENCE
from linux_guest import machine_or_skip

ROOT = Path(RINGFENCE).parent
LINUX = ROOT / "build" / "linux"
COLUMNS, LINES = 80, 25

# Neither is written for ring 1, which `trap` lets it see.
ENGINES = ("interpret", "translate")


def start(program, *options, on="qemu"):
    path = LINUX / program
    if not path.exists():
        pytest.skip(f"build/linux/{program} is not there; `make linux` fetches it")
    machine_or_skip(on)
    words = ["run", str(path), "--on", on, "--memory", "16M", "--timeout", "240", *options]
    return pexpect.spawn(RINGFENCE, words, timeout=230, encoding="latin1", dimensions=(LINES + 5, COLUMNS + 20))


class Screen:
    """What a terminal would show of a program that writes with cursor positions."""

    TOKEN = re.compile(r"\x1b\[(\d+);(\d+)H|\x1b\[[?0-9;]*[A-Za-z]|([^\x1b])")

    def __init__(self):
        self.lines = [[" "] * COLUMNS for _ in range(LINES)]
        self.line = self.column = 0

    def feed(self, text):
        for row, column, character in self.TOKEN.findall(text):
            if row:
                self.line, self.column = int(row) - 1, int(column) - 1
            elif character and character not in "\r\n":
                if self.line < LINES and self.column < COLUMNS:
                    self.lines[self.line][self.column] = character
                self.column += 1

    def __str__(self):
        return "\n".join("".join(line).rstrip() for line in self.lines)


def watch(terminal, screen, condition, seconds):
    """Until the screen is as wanted; False when it is not in time."""
    for _ in range(seconds * 5):
        if condition(screen):
            return True
        try:
            screen.feed(terminal.read_nonblocking(4096, timeout=0.2))
        except pexpect.TIMEOUT:
            pass
    return condition(screen)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("on, way", [("qemu", NATIVE), ("qemu", "interpret"), ("qemu", "translate"), ("bochs", "translate")])
def test_memtest_starts_testing_and_finds_no_error(on, way):
    how = ["--native"] if way == NATIVE else ["--engine", way]
    terminal = start("memtest", *how, "--append", "console=ttyS0", on=on)
    screen = Screen()
    # Of whichever test: what is on the screen for a moment only may not be seen.
    assert watch(terminal, screen, lambda seen: re.search(r"[5-9]\d% #", str(seen)), 200), str(screen)
    assert "Testing: " in str(screen) and re.search(r"Errors: 0\b", str(screen)), str(screen)
    terminal.close()


def ship(screen):
    """The column of the ship, which is at the bottom."""
    for line in reversed(str(screen).splitlines()):
        if "/ \\" in line:
            return line.index("/ \\")
    return None


@pytest.mark.timeout(120)
@pytest.mark.parametrize("engine", ENGINES)
def test_invaders_can_be_played(engine):
    terminal = start("invaders", "--engine", engine, "--boot", "vga=serial keyboard=console")
    screen = Screen()
    assert watch(terminal, screen, lambda seen: "-*-" in str(seen) and ship(seen) is not None, 40), str(screen)
    before = ship(screen)
    for _ in range(10):
        terminal.send("\x1b[C")
        watch(terminal, screen, lambda _: False, 1)
        if ship(screen) > before + 3:
            break
    assert ship(screen) > before + 3, str(screen)
    terminal.close()
