"""tools/bench-peers: what it runs, what it reads from that, and what it says when something is missing or hangs."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

from measure import linux, outer, peers, publish, report, runs  # noqa: E402

TEXT = """\
guest: begin boot 0x0000000000000010
account: counter name=exits count=5
guest: end boot 1016
account: counter name=exits count=45
guest: begin nothing
account: counter name=exits count=50
guest: end nothing 5
account: counter name=exits count=56
guest: begin dd
account: counter name=exits count=60
guest: end dd 70
account: counter name=exits count=86
guest: ended 33
account: counter name=exits count=0
"""
WITHOUT_KVM = "".join(line + "\n" for line in TEXT.splitlines() if line.startswith("guest"))
NATIVE = {row: {"ticks": 100} for row in linux.ROWS}


def whole(name, ticks, **more):
    return {"date": "today", "machine": "one", "kernel": "6", "linux": {row: {"native": {"ticks": 100}, name: {"ticks": ticks, **more}} for row in linux.ROWS}}


def test_each_peer_is_told_who_executes_and_all_else_is_the_same():
    lines = {name: peers.outer_line(name) for name in peers.PEERS}
    assert "NPT=1 OPTIONS=" in lines["kvm-nested"] and "NPT=0 OPTIONS=" in lines["kvm-shadow"]
    assert lines["kvm-nested"].replace("NPT=1", "NPT=0") == lines["kvm-shadow"]
    assert "accel=kvm" in lines["kvm-shadow"] and "NPT= " in lines["tcg"]
    alike = lines["kvm-nested"].replace("NPT=1", "NPT=").replace("accel=kvm", "accel=tcg").replace(" -global kvm-apic.vapic=off", "")
    assert alike == lines["tcg"]
    assert all(len(line) < 2048 for line in lines.values())  # more than a kernel takes


def test_rows_have_exits_without_those_of_the_lines():
    assert peers.found_in(TEXT) == {"boot": {"ticks": 1000, "exits": 40}, "dd": {"ticks": 70, "exits": 20}}
    assert peers.found_in(WITHOUT_KVM) == {"boot": {"ticks": 1000}, "dd": {"ticks": 70}}


@pytest.mark.parametrize("text, ending, sentence", [
    ("guest: failed svm\n", None, "the processor of this QEMU has no SVM (AMD-V), which KVM needs"),
    ("guest: failed npt\n", None, "the SVM of this QEMU has not the kind of paging that is to be measured"),
    ("guest: begin fork\nguest: failed true\n", None, "in the guest, true failed"),
    ("guest: begin fork\n", "no end within 9 seconds", "no end within 9 seconds"),
    ("guest: ended 1\n", None, "the QEMU inside ended with status 1: qemu: no bios"),
    ("", None, "the Linux ended before its time: qemu: no bios"),
])  # fmt: skip
def test_what_fails_has_a_sentence(text, ending, sentence):
    assert peers.why_not(text, ending, "boots\r\nqemu: no bios\r\n") == sentence


def machine(tmp_path, body):
    """A machine of our own, which is given the names of its files as QEMU is."""
    program = tmp_path / "machine"
    program.write_text(f"#!{sys.executable}\nimport os, sys, time\nevents = open(sys.argv[4].partition('path=')[2], 'w', buffering=1)\n"
                       f"console = open(sys.argv[2].partition('file:')[2], 'w', buffering=1)\n{body}\n")  # fmt: skip
    program.chmod(0o755)
    return [str(program)]


def test_a_machine_is_followed_to_its_end(tmp_path):
    seen = []
    words = machine(tmp_path, "print('guest: a', file=events); time.sleep(1.5); print('guest: b', file=events); print('hello', file=console)")
    assert outer.run(words, tmp_path, seen.append, 60) == ("guest: a\nguest: b\n", None, "hello\n")
    assert seen == ["guest: a", "guest: a\nguest: b"]


def test_a_machine_that_hangs_is_stopped(tmp_path):
    words = machine(tmp_path, "print(os.getpid(), file=events); time.sleep(100)")
    text, ending, _ = outer.run(words, tmp_path, lambda _: None, 2)
    assert ending == "no end within 2 seconds"
    assert not Path(f"/proc/{int(text)}").exists()


def test_a_machine_that_breaks_says_how(tmp_path):
    words = machine(tmp_path, "sys.exit('qemu: fatal: invalid tss type')")
    assert outer.run(words, tmp_path, lambda _: None, 60)[1] == "the machine itself stopped: qemu: fatal: invalid tss type"


@pytest.fixture
def bench(monkeypatch, tmp_path):
    """bench-peers without a machine: what each peer says is in `said`, by a word of its command line."""

    def run(words, _folder, progress, _timeout):
        said = next(text for word, text in bench.said.items() if any(word in one for one in words))
        progress(said)
        return said, None if "ended" in said else "no end within 7 seconds", "last words"

    def main(*arguments):
        status = peers.main([*arguments, "--output", str(tmp_path)])
        path = tmp_path / "peers.json"
        return status, json.loads(path.read_text()) if path.exists() else None

    bench = main
    bench.said = {}
    monkeypatch.setattr(outer, "run", run)
    monkeypatch.setattr(peers, "check_built", lambda *_: None)
    monkeypatch.setattr(linux, "measure", lambda *_: NATIVE)
    return bench


ALL = "".join(f"guest: begin {row} 0\nguest: end {row} 250\n" for row in linux.ROWS) + "guest: ended 33\n"


def test_a_peer_that_hangs_is_named_and_the_others_go_on(bench, capsys):
    bench.said = {"NPT=1": TEXT.partition("guest: ended")[0], "accel=kvm": ALL, "accel=tcg": ALL}
    status, found = bench()
    assert status == 1
    reasons = [(one["way"], one["row"], one["why"]) for one in found["failures"]]
    assert reasons[0] == ("kvm-nested", "fork", "no end within 7 seconds")
    assert [row for _, row, _ in reasons] == ["fork", "sha256", "pingpong", "getppid"]
    assert found["peers"]["kvm-nested"]["linux"]["dd"]["kvm-nested"] == {"ticks": 70, "exits": 20}
    assert found["peers"]["tcg"]["linux"]["fork"] == {"native": {"ticks": 100}, "tcg": {"ticks": 250}}
    said = capsys.readouterr()
    assert "bench-peers: tcg fork: 250, 2.50x, after 0 s" in said.out
    assert "bench-peers: kvm-nested fork: failed: no end within 7 seconds" in said.out
    assert "4 rows could not be measured" in said.err


def test_one_peer_alone_leaves_the_others_as_they_were(bench):
    bench.said = {"accel=kvm": ALL, "accel=tcg": ALL}
    assert bench("tcg")[0] == 0
    status, found = bench("kvm-shadow")
    assert (status, list(found["peers"])) == (0, ["tcg", "kvm-shadow"])


@pytest.mark.parametrize("arguments, sentence", [
    (["nobody"], "bench-peers: nobody is no peer; there are kvm-nested, kvm-shadow, tcg\n"),
    (["--build", "nowhere"], "bench-peers: nowhere/peers/linux is not there; `make bench-peers` makes it\n"),
])  # fmt: skip
def test_a_wrong_word_is_named(arguments, sentence):
    done = subprocess.run([ROOT / "tools" / "bench-peers", *arguments], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (2, sentence)


def test_what_has_not_been_measured_here_stays_as_recorded(monkeypatch, tmp_path):
    monkeypatch.setattr(peers, "RECORD", tmp_path / "record.json")
    assert peers.known(tmp_path) == {}
    peers.write_record({"kvm-shadow": whole("kvm-shadow", 300), "tcg": whole("tcg", 900)})
    broken = whole("tcg", 800)
    del broken["linux"]["sha256"]
    measured = {"kvm-shadow": whole("kvm-shadow", 200), "tcg": broken}
    (tmp_path / "peers.json").write_text(json.dumps({"peers": measured}))
    assert peers.known(tmp_path) == {"tcg": whole("tcg", 900), "kvm-shadow": whole("kvm-shadow", 200)}
    (tmp_path / "peers.json").write_text("{")
    with pytest.raises(peers.Refusal, match="`make bench-peers bench-publish` writes it anew"):
        peers.known(tmp_path)


def test_publishing_renews_the_record(monkeypatch, tmp_path):
    docs, record = tmp_path / "docs", tmp_path / "record.json"
    docs.mkdir()
    (docs / "benchmarks.md").write_text(f"{publish.BEGIN}\n{publish.END}\n")
    monkeypatch.setattr(publish, "DOCS", docs)
    monkeypatch.setattr(peers, "RECORD", record)
    empty = {"operations": {}, "workloads": {}, "causes": {}, "marks": [], "failures": [], "tree": "a", "machine": "b", "growth": {}}
    (tmp_path / "results.json").write_text(json.dumps(empty | {"linux": {"dd": {"native": {"ticks": 50}}}}))
    (tmp_path / "peers.json").write_text(json.dumps({"peers": {"tcg": whole("tcg", 900)}}))
    publish.publish(tmp_path)
    assert json.loads(record.read_text())["peers"] == {"tcg": whole("tcg", 900)}
    assert "| dd, blocks of 4 KB | 9.00x |" in (docs / "benchmarks.md").read_text().replace("| 0.0 |", "|")


def test_tables_have_what_is_known_of_each_peer():
    others = {"tcg": whole("tcg", 900), "kvm-shadow": whole("kvm-shadow", 300, exits=2)}
    _, _, header, rows = report.linux_table({"dd": {"native": {"ticks": 50}}}, others)
    assert list(zip(header, rows[0]))[-3:] == [("QEMU TCG inside Linux", "9.00x"), ("KVM, npt=0", "33.00x"), ("KVM, nested", "?")]
    heading, sentence, header, rows = report.peers_table(others)
    assert heading == "The peers" and sentence.endswith("by `make bench-peers`: on today, one, Linux 6.")
    assert header == ["work", "QEMU TCG inside Linux, M", "ratio", "KVM, npt=0, M", "ratio", "exits", "weighted"]
    others["tcg"]["date"] = "yesterday"
    assert report.peers_table(others)[1].endswith(": `tcg` on yesterday, one, Linux 6; `kvm-shadow` on today, one, Linux 6.")
    assert rows[2] == ["dd, blocks of 4 KB", "0.0", "9.00x", "0.0", "3.00x", "2", "33.00x"]


def test_the_record_of_the_tree_has_all_peers_and_rows():
    recorded = peers.read(peers.RECORD)
    assert set(recorded) == set(peers.PEERS)
    assert all(peers.is_whole(peer) for peer in recorded.values())


def test_a_qemu_that_was_taken_runs_where_it_is(tmp_path):
    done = subprocess.run([ROOT / "tools" / "take-qemu", tmp_path / "qemu"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    lib = tmp_path / "qemu" / "lib"
    said = subprocess.run([lib / "loader", "--library-path", lib, lib.parent / "qemu", "--version"], capture_output=True, text=True, check=False)
    assert said.stdout.startswith("QEMU emulator version"), said.stderr
    assert (tmp_path / "qemu" / "roms" / "bios-256k.bin").exists()


def test_without_qemu_there_is_nothing_to_take(tmp_path):
    words = ["/usr/bin/python3", ROOT / "tools" / "take-qemu", tmp_path / "qemu"]
    done = subprocess.run(words, env={**os.environ, "PATH": str(tmp_path)}, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "take-qemu: there is no qemu-system-i386; `tools/setup run` installs it\n")


@pytest.mark.timeout(600)
def test_a_processor_without_svm_is_named():
    if not all((ROOT / "build" / "peers" / name).exists() for name in ("linux", "initrd")):
        pytest.skip("build/peers is not there; `make bench-peers` makes it")
    rows, failures = peers.measure(Path("build/peers"), "kvm-nested", NATIVE, 500, cpu="max,-svm")
    assert (rows, failures[0]["why"]) == ({}, peers.MISSING["svm"])
    assert runs.ROOT == ROOT
