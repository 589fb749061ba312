"""./ringfence coverage and profile: what they write of guests that are known by heart, and what they refuse."""

import io
import re
import signal
import subprocess
from collections import namedtuple

import pytest
from launcher_support import LIMIT, RINGFENCE, ROOT, assemble, launch, one_sentence

from launcher import coverage, profile, program  # noqa: E402

PRIME = ROOT / "build" / "guest" / "prime.elf"
MINI_KERNEL = ROOT / "build" / "guest" / "mini_kernel.elf"
IS_PRIME = "guest/prime/is_prime.c"


def report(command, kernel, output, *arguments):
    done = launch(command, kernel, "-o", output, "--timeout", LIMIT, *arguments)
    assert done.returncode == 0, done.stderr
    return done.stderr.decode(), output.read_text()


def lines_of(info, name):
    """The counts of one file in a tracefile: line -> times."""
    record, = (part for part in info.split("end_of_record") if f"/{name}\n" in part)
    return {int(line): int(times) for line, times in re.findall(r"^DA:(\d+),(\d+)$", record, re.MULTILINE)}


def source_line(name, text):
    lines = (ROOT / name).read_text().splitlines()
    return 1 + next(number for number, line in enumerate(lines) if text in line)


def test_the_way_for_a_prime_has_not_run(tmp_path):
    said, info = report("coverage", PRIME, tmp_path / "prime.info")
    assert re.search(r"ringfence: \d+ of \d+ lines in \d+ files have run; written to ", said)
    lines = lines_of(info, IS_PRIME)
    assert lines[source_line(IS_PRIME, "return 1")] == 0
    assert lines[source_line(IS_PRIME, "a % i")] == 5  # 3 to 7; 2 is a test of one bit
    assert "FNDA:1,is_prime\n" in info


def test_counts_repeat_and_are_exact(tmp_path):
    """An engine leaves and resumes blocks at other places each time, and counts the same."""
    counts = [report("coverage", PRIME, tmp_path / str(i))[1] for i in range(2)]
    assert [lines_of(info, IS_PRIME) for info in counts] == [lines_of(counts[0], IS_PRIME)] * 2
    # console_put is called once for each character, and waits for the port once or more.
    said = [re.search(r"FNDA:(\d+),console_put\n", info)[1] for info in counts]
    assert said[0] == said[1] == str(len("prime: 49 is not a prime\n"))


def test_code_of_ring_3_is_left_out(tmp_path):
    said, info = report("coverage", MINI_KERNEL, tmp_path / "info", "--append", "stress=1")
    assert ".program_text ran in ring 3, which is not counted" in said
    assert "programs/prime.c" not in info and "mini_kernel/tasks.c" in info
    assert lines_of(info, "guest/mini_kernel/panic.c").values() and not any(lines_of(info, "guest/mini_kernel/panic.c").values())


def test_a_kernel_without_source_lines_gets_a_table(tmp_path):
    kernel = assemble(tmp_path, "frames", "ROUNDS=1000", elf=True, text=0x101000)
    said, table = report("coverage", kernel, tmp_path / "table")
    assert "no source lines" in said
    functions = {name: times for times, name in re.findall(r"^function \w+ \d+ \d+ (\d+) (\w+)$", table, re.MULTILINE)}
    assert (functions["outer"], functions["inner"], functions["never"]) == ("1", "1", "0")
    assert "stack_end" not in functions
    assert re.search(r"^block \w+ \w+ 1000 inner$", table, re.MULTILINE)


def test_a_guest_that_does_not_end_is_ended(tmp_path):
    done = launch("coverage", MINI_KERNEL, "-o", tmp_path / "info", "--timeout", "2")
    assert done.returncode == 0 and b" lines in " in done.stderr


def start(command, output, *arguments):
    words = [RINGFENCE, command, MINI_KERNEL, "-o", output, "--memory", "32M", "--timeout", LIMIT, *arguments]
    return subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def interrupt(run):
    run.send_signal(signal.SIGINT)
    run.communicate(timeout=float(LIMIT))
    return run.returncode


def test_a_key_writes_what_has_run_so_far(tmp_path):
    """The guest goes on, and is ended by a signal: so only the key can have had the file written."""
    output, shell = tmp_path / "info", "guest/mini_kernel/input.c"
    run = start("coverage", output, "--after", "mini> ", "--send", r"\x01c", "--after", "are smaller", "--send", r"\x01c")
    assert b" lines in " in run.stderr.readline()
    first = lines_of(output.read_text(), shell)
    run.stdin.write(b"prime 97\r")
    run.stdin.flush()
    assert b"; the run goes on\n" in run.stderr.readline()
    second = lines_of(output.read_text(), shell)
    assert interrupt(run) == 0
    assert second != first and all(second[line] >= times for line, times in first.items())
    assert lines_of(output.read_text(), shell) == second


def test_a_key_writes_the_samples_so_far(tmp_path):
    output = tmp_path / "folded"
    run = start("profile", output, "--after", "mini> ", "--send", r"\x01c")
    assert re.fullmatch(rb"ringfence: \d+ samples: .*; the run goes on\n", run.stderr.readline())
    assert re.search(r"^\S+ \d+$", output.read_text(), re.MULTILINE)
    assert interrupt(run) == 0


def test_samples_have_the_callers(tmp_path):
    kernel = assemble(tmp_path, "frames", elf=True, text=0x101000)
    said, folded = report("profile", kernel, tmp_path / "folded", "--rate", "500")
    stacks = {line.rpartition(" ")[0]: int(line.rpartition(" ")[2]) for line in folded.splitlines()}
    assert stacks["start;outer;inner"] > 0.5 * sum(stacks.values())
    assert re.search(r"ringfence: \d+ samples: \d+ % in inner", said)


def test_samples_say_which_ring(tmp_path):
    _, folded = report("profile", MINI_KERNEL, tmp_path / "folded", "--append", "bench=call", "--rate", "2000")
    assert "_[ring_3] " in folded and re.search(r"^(?!.*ring_3)\S+ \d+$", folded, re.MULTILINE)


BAD = [
    (["coverage"], "KERNEL"),
    (["coverage", "/etc/passwd"], "/etc/passwd is not a kernel"),
    (["coverage", PRIME, "--engine", "trap"], "--engine"),
    (["coverage", PRIME, "--native"], "--native"),
    (["coverage", PRIME, "--expect", "x"], "--expect would end the machine before the counts are written"),
    (["coverage", PRIME, "--timeout", "0.5"], "at least one second"),
    (["coverage", PRIME, "-o", "/nonexistent/info"], "cannot write --output /nonexistent/info"),
    (["profile", PRIME, "--rate", "0"], "number of samples between 1 and 10000"),
    (["profile", PRIME, "--rate", "often"], "number of samples"),
    (["profile", PRIME, "-o", "/"], "cannot write --output /"),
]


@pytest.mark.parametrize("arguments, words", BAD, ids=lambda value: " ".join(map(str, value)) if isinstance(value, list) else "")
def test_one_sentence(arguments, words):
    assert words in one_sentence(launch(*arguments))


def test_the_hypervisor_refuses_what_cannot_be_counted():
    done = launch("run", PRIME, "--engine", "trap", "--boot", "coverage=yes", "--timeout", LIMIT)
    assert done.returncode == 2 and b"coverage=yes needs engine=translate" in done.stdout
    done = launch("run", PRIME, "--boot", "profile=10001", "--timeout", LIMIT)
    assert done.returncode == 2 and b"up to 10000" in done.stdout


def test_a_run_too_short_for_a_sample_leaves_no_file(tmp_path):
    done = launch("profile", PRIME, "--rate", "1", "-o", tmp_path / "folded", "--timeout", LIMIT)
    assert done.returncode == 70 and b"there was no sample" in done.stderr
    assert not (tmp_path / "folded").exists()


def counts_of(*ranges):
    counts = coverage.Counts()
    for start, end, times in ranges:
        counts.read(f"ringfence: info coverage: range from=0x{start:08x} to=0x{end:08x} times={times}")
    counts.read(f"ringfence: info coverage: end ranges={len(ranges)} lost=0")
    counts.finish()
    assert counts.is_complete
    return counts


def test_what_was_not_done_is_taken_back():
    counts = counts_of((0x100, 0x110, 7), (0x108, 0x110, -2), (0x120, 0x121, 1))
    assert [counts.at(at) for at in (0xFF, 0x100, 0x107, 0x108, 0x10F, 0x110, 0x120)] == [0, 7, 7, 5, 5, 0, 1]
    assert counts.pieces() == [(0x100, 0x108, 7), (0x108, 0x110, 5), (0x120, 0x121, 1)]
    assert counts.bytes_run(0x104, 0x10) == 12


def test_the_last_whole_report_counts():
    counts = counts_of((0x100, 0x110, 7))
    counts.read("ringfence: info coverage: range from=0x00000100 to=0x00000110 times=9")
    counts.read("ringfence: info coverage: end ranges=1 lost=0")
    counts.read("ringfence: info coverage: range from=0x00000100 to=0x00000110 times=11")
    counts.finish()
    assert counts.is_complete and counts.at(0x100) == 9


def test_a_cut_log_is_not_complete():
    counts = coverage.Counts()
    counts.read("ringfence: info coverage: range from=0x00000100 to=0x00000110 times=7")
    assert not counts.is_complete
    counts.read("ringfence: info coverage: end ranges=2 lost=0")
    assert not counts.is_complete


class Names:
    """A program with a function every 256 bytes, and calls in front of addresses that end in 5."""

    def name(self, address):
        return f"f{address >> 8:x}"

    def follows_call(self, address):
        return None if address > 0xF000 else address & 0xF == 5


def test_what_no_call_returns_to_ends_a_chain():
    samples = profile.Samples(Names())
    for stack in ("00000101,00000205,0000f300,00000404,00000505", "00000101,00000205,0000f300"):
        samples.read(f"ringfence: info profile: sample ring=0 halted=0 stack={stack}")
    samples.read("ringfence: info profile: sample ring=3 halted=0 stack=00000101")
    samples.read("ringfence: info profile: sample ring=0 halted=1 stack=00000101")
    file = io.StringIO()
    samples.write(file)
    assert file.getvalue() == "f1;[halted] 1\nf1_[ring_3] 1\nff2;f2;f1 2\n"


def test_the_same_line_in_two_functions_is_added_and_in_one_is_not():
    Function = namedtuple("Function", "name")
    Line = namedtuple("Line", "address file number")

    class TwoFunctions:
        sections = ()

        def lines(self):
            return [Line(0x100, "a.c", 1), Line(0x108, "a.c", 1), Line(0x200, "a.c", 1)]

        def function_at(self, address):
            return Function("first" if address < 0x200 else "second")

    counts = counts_of((0x100, 0x104, 3), (0x108, 0x10C, 5), (0x200, 0x204, 2))
    assert coverage.line_counts(TwoFunctions(), counts, []) == {"a.c": {1: 7}}


def test_a_file_that_is_no_elf_has_no_names(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"no ELF file")
    empty = program.Program(path)
    assert empty.name(0x100) == "0x00000100" and empty.functions == [] and list(empty.lines()) == []


def test_a_folder_that_nasm_doubles_is_mended(tmp_path):
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "x.asm").touch()
    assert program.mend_path(f"{tmp_path}/a/b//a/b/x.asm") == f"{tmp_path}/a/b/x.asm"
    assert program.mend_path("/nonexistent/a/a/x") == "/nonexistent/a/a/x"
