"""--expect, --after and the log, whichever way the bytes come in pieces."""

import re

import pytest
from launcher_support import RINGFENCE

from launcher.iso import grub_configuration
from launcher.log import Log
from launcher.matcher import WINDOW, Script, Watch
from launcher.options import parse
from launcher.plan import Module, Plan, guest_name


def regex(text):
    return re.compile(text, re.MULTILINE)


def consumed(pattern, pieces):
    """How many bytes of the stream were taken when the pattern matched."""
    watch, total = Watch(regex(pattern)), 0
    for piece in pieces:
        used = watch.feed(piece)
        if used is not None:
            return total + used
        total += len(piece)
    return None


@pytest.mark.parametrize("size", [1, 2, 3, 7, 100])
@pytest.mark.parametrize(
    "pattern, end", [(b"login: ", 17), (b"^login", 15), (b"[0-9]+", 6), (b"l.*:", 16), (b"^ogin", None)]
)
def test_a_match_ends_at_the_same_byte(pattern, end, size):
    text = b"boot 1234\nlogin: and more\n"
    pieces = [text[i : i + size] for i in range(0, len(text), size)]
    assert consumed(pattern, pieces) == end


def test_old_text_is_forgotten_but_not_in_the_middle_of_a_line():
    watch = Watch(regex(rb"^needle"))
    for _ in range(WINDOW // 10):
        assert watch.feed(b"a long needle that is not at the start\n") is None
        assert len(watch.text) <= 2 * WINDOW + 100
    assert watch.feed(b"needle") == 6


def test_a_script_goes_on_behind_each_match():
    script = Script([regex(b"[$] "), regex(b"[$] "), regex(b"bye")], [b"one", b"two", b"three"])
    assert script.feed(b"welcome $") == b""
    assert script.feed(b" ") == b"one"
    assert script.feed(b"echo\n") == b""
    assert script.feed(b"$ bye and bye") == b"twothree"
    assert script.feed(b"$ bye") == b""


def log_of(tmp_path, text, size, watch=True):
    log = Log(tmp_path / "log", watch)
    for i in range(0, len(text), size):
        log.feed(text[i : i + size])
    log.close()
    assert (tmp_path / "log").read_bytes() == text
    return log


@pytest.mark.parametrize("size", [1, 5, 1000])
@pytest.mark.parametrize("newline", [b"\n", b"\r\n"])
def test_the_log_tells_the_end(tmp_path, size, newline):
    lines = [
        b"ringfence: info boot: starts",
        b"guest: ringfence: info vm0: ended reason=lie status=9",
        b"ringfence: info stats: traps=3 faults=4",
        b"ringfence: info vm0: ended reason=power-off status=11",
        b"",
    ]
    log = log_of(tmp_path, newline.join(lines), size)
    assert (log.ending.reason, log.ending.status) == ("power-off", 11)
    assert log.counters == {"traps": "3", "faults": "4"}


def test_an_unfinished_last_line_is_not_believed(tmp_path):
    assert log_of(tmp_path, b"ringfence: info vm0: ended reason=x status=1", 9).ending is None


def test_the_log_of_a_native_guest_is_its_own(tmp_path):
    assert log_of(tmp_path, b"ringfence: info vm0: ended reason=x status=1\n", 9, watch=False).ending is None


def test_escapes():
    options = parse(["run", "K", "--after", "a", "--send", r"x\r\n\t\x00\xfF\\n"])
    assert options.send == [b"x\r\n\t\x00\xff\\n"]


@pytest.mark.parametrize(
    "arguments, port", [(["--gdb", "K"], 1234), (["K", "--gdb"], 1234), (["K", "--gdb", "99"], 99), (["K"], None)]
)
def test_gdb_does_not_swallow_the_kernel(arguments, port):
    options = parse(["run", *arguments])
    assert (options.kernel, options.gdb) == ("K", port)


@pytest.mark.parametrize("text, megabytes", [("128M", 128), ("128", 128), ("1G", 1024), ("2048K", 2), ("64mb", 64)])
def test_memory(text, megabytes):
    assert parse(["run", "K", "--memory", text]).memory == megabytes


def test_names_pass_every_loader():
    assert guest_name("/a b/my, kernel's.elf") == "my__kernel_s.elf"
    assert guest_name("/b/k", {"k": 1, "2-k": 1}) == "3-k"


def test_grub_quotes_what_its_shell_would_read():
    plan = Plan(kernel=RINGFENCE, kind="multiboot2", name="k", arguments="a;b $c 'd'")
    plan.modules.append(Module(RINGFENCE, "m", "x=1"))
    text = grub_configuration(plan, "/guest/k")
    assert "multiboot2 /guest/k k 'a;b' '$c' ''\\''d'\\'''" in text
    assert "module2 /guest/m m 'x=1'" in text
