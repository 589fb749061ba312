"""mini_kernel: what a newcomer sees of it, and that it loses nothing and forgets nothing under stress."""

import re

import pexpect
import pytest
from conftest import NATIVE, QEMU, guest_for

STRESS_20 = "stress: 20 rounds, checksum 0x01a1aa4d, 0 page frames lost"

# What each command must say, whatever the machine.
CONVERSATION = [
    ("help", r"switch the machine off"),
    ("prime 97", r"97 is a prime; 24 primes are smaller"),
    ("prime 100", r"100 is not a prime; 25 primes are smaller"),
    ("prime x", r"prime: give a number up to 50000"),
    ("nonsense", r"nonsense: not a command; help lists them"),
    # A slow processor may be preempted before the shell has come to wait for its child.
    ("ps", r"1 +0 (?:waiting|ready) +\d+ +\d+ first\s+2 +1 (?:waiting|ready) +\d+ +\d+ shell\s.*running.* ps\s"),
    ("mem", r"page frames +\d+ free of \d+"),
    ("crasx\x7fh", r"the kernel and the other tasks go on"),
    ("stress 3", r"stress: 3 rounds, checksum 0x[0-9a-f]{8}, 0 page frames lost"),
]


@pytest.fixture(scope="module")
def native():
    return guest_for(QEMU[0] + (NATIVE,))


def test_shell_answers(one_of_each):
    console = one_of_each.talk("mini_kernel")
    for line, answer in CONVERSATION:
        console.expect_exact("mini> ")
        console.send(line + "\r")
        console.expect(answer)
    console.expect_exact("mini> ")
    console.send("off\r")
    console.expect(pexpect.EOF)
    console.close()
    assert console.exitstatus == 0


def test_demo_shows_everything(guest):
    status, text = guest.run("mini_kernel", "demo")
    assert status == 0, text
    assert re.search(r"16 pages written for the first time: +16 of zeros, +0 copied, +0 kept", text)
    # A slow processor is preempted in between, and then the parent writes one more page of its own.
    assert re.search(r"4 pages written in a child of fork: +0 of zeros, +4 copied, +\d kept", text)
    assert re.search(r"16 pages written again in the parent: +0 of zeros, +0 copied, +1[67] kept", text)
    assert "all 3 have ended, the sum of their statuses is 6" in text
    assert int(re.search(r"switches, (\d+) preemptions", text).group(1)) >= 9
    assert len(re.findall(r"^  kernel: task \d+ \(crash\) is stopped at 0x0040", text, re.M)) == 6
    for report in ("read 0x00000000", "write 0xc0100000", "write 0x00400000", "#GP,", "#DE,", "#UD,"):
        assert report in text
    assert "nothing stopped it" not in text
    assert text.rstrip().endswith("mini> off")


def test_stress_has_the_same_result_everywhere(guest):
    status, text = guest.run("mini_kernel", "stress=20")
    assert status == 0, text
    assert text.rstrip().splitlines()[-1] == STRESS_20


@pytest.mark.parametrize("option", ["stress=1", "stress=1s"])
def test_stress_ends_by_itself(one_of_each, option):
    status, text = one_of_each.run("mini_kernel", option)
    assert status == 0, text
    assert re.search(r"stress: [1-9]\d* rounds, checksum 0x[0-9a-f]{8}, 0 page frames lost", text)


def test_stress_names_a_bad_argument(one_of_each):
    status, text = one_of_each.run("mini_kernel", "stress=x")
    assert status == 0, text
    assert "stress: give a number of rounds, or of seconds as in 10s" in text


@pytest.mark.parametrize("work", ["prime", "call", "fork", "pages", "switch", "stress"])
def test_work_is_measured(native, work):
    status, text = native.run("mini_kernel", f"bench={work}", "--deterministic")
    assert status == 0, text
    assert re.search(rf"^bench: {work} turns=[1-9]\d* ticks=[1-9]\d*$", text, re.MULTILINE), text


def test_bench_names_what_can_be_measured(native):
    _, text = native.run("mini_kernel", "bench=x")
    assert "bench: one of prime, call, fork, pages, switch and stress can be measured" in text
