"""Boot option account=: every tick has a cause, and counters come at each line that the guest writes to port 0xE9."""

import re

import pytest
from conftest import guest_for

CAUSE = re.compile(r"account: cause name=(\S+) count=(\d+) ticks=(\d+)")
TOTAL = re.compile(r"account: total ticks=(\d+)")
TURNS = 40


def log_of(tmp_path, engine, guest, append, account):
    log = tmp_path / "log"
    options = ("--deterministic", "--log", str(log), "--boot", f"account={account}")
    status, text = guest_for(("qemu", "max", engine)).run(guest, append, *options)
    assert status in (0, 33), text
    return log.read_text()


@pytest.mark.parametrize("engine, least", [
    ("translate", {"in": TURNS, "page_true": 0, "translation": 1, "return": TURNS, "chips": 1}),
    ("trap", {"in": TURNS, "return": TURNS}),
    ("interpret", {"interpreted": 1}),
])  # fmt: skip
def test_the_causes_add_up_to_all_time(tmp_path, engine, least):
    log = log_of(tmp_path, engine, "nanobench", f"only=in times={TURNS}", "causes")
    causes = CAUSE.findall(log)
    assert sum(int(ticks) for _, _, ticks in causes) == int(TOTAL.findall(log)[-1])
    counts = {}
    for name, count, _ in causes:
        name = name.partition(":")[0]
        counts[name] = counts.get(name, 0) + int(count)
    assert {name for name in least if counts.get(name, 0) < least[name]} == set()


def test_counters_come_behind_each_line_of_the_guest(tmp_path):
    log = log_of(tmp_path, "translate", "hello", "", "counters")
    lines = log.splitlines()
    said = [number for number, line in enumerate(lines) if " guest: " in line]
    assert said
    assert all("account: counter name=" in lines[number + 1] for number in said)
    assert not CAUSE.search(log)


def test_a_key_asks_for_the_counters_so_far(tmp_path):
    """The guest gets what stands around them, and what is no key is said to be none."""
    log = tmp_path / "log"
    keys = ("--after", "mini> ", "--send", r"\x01xpri\x01cme 97\r", "--after", "are smaller", "--send", r"\x01\x01off\r")
    status, text = guest_for(("qemu", "max", "translate")).run("mini_kernel", "", "--log", str(log), "--boot", "console-keys=yes", *keys)
    assert status == 0 and "mini> prime 97" in text, text
    lines = log.read_text().splitlines()
    so_far = [number for number, line in enumerate(lines) if re.match(r"ringfence: info vm0: so far instructions=\d+", line)]
    assert len(so_far) == 1 and "stats: blocks_translated=" in "\n".join(lines[: so_far[0]])
    assert sum("there is no such key behind Ctrl-A" in line and "key=0x78" in line for line in lines) == 1
