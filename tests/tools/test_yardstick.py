"""The Linux rows of tools/bench: what is read from a log, what becomes of it, and the kernel image that is not packed."""

import struct
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

from measure import account, linux, main, report, runs  # noqa: E402

LOG = """\
ringfence: info guest: begin boot 0x0000000000000010\r
ringfence: info account: counter name=world_switches count=5\r
ringfence: info account: cause name=guest count=4 ticks=100\r
ringfence: info guest: end boot 1016\r
ringfence: info account: counter name=world_switches count=45\r
ringfence: info account: cause name=guest count=14 ticks=900\r
ringfence: info account: cause name=mov:626 count=3 ticks=60\r
ringfence: info account: cause name=mov:627 count=1 ticks=40\r
ringfence: info account: cause name=accounting count=0 ticks=999\r
ringfence: info guest: begin nothing\r
ringfence: info account: counter name=world_switches count=50\r
ringfence: info guest: end nothing 5\r
ringfence: info account: counter name=world_switches count=56\r
ringfence: info guest: begin dd\r
ringfence: info account: counter name=world_switches count=60\r
ringfence: info guest: end dd 70\r
ringfence: info account: counter name=world_switches count=86\r
"""


def test_rows_are_read_with_what_grew_meanwhile():
    rows = account.rows(LOG)
    assert {name: row.ticks for name, row in rows.items()} == {"boot": 1000, "nothing": 5, "dd": 70}
    assert rows["boot"].counters["world_switches"] == 40
    assert rows["boot"].causes == {"guest": 800, "mov:626": 60, "mov:627": 40, "accounting": 999}
    assert rows["boot"].counters["entries:mov:626"] == 3


def test_what_the_lines_cost_is_no_entry_of_a_row():
    rows = account.rows(LOG)
    assert [linux.entries(rows, name) for name in ("boot", "dd")] == [40, 20]


def test_instructions_of_one_name_are_one_cause():
    rows = account.rows(LOG)
    assert linux.named(rows["boot"].causes) == {"guest": 800, "mov": 100}


def test_natively_the_same_lines_have_no_prefix():
    assert account.rows("guest: begin dd\nguest: end dd 54\n")["dd"].ticks == 54


def test_a_run_that_lacks_a_row_is_a_failure(monkeypatch):
    monkeypatch.setattr(runs, "log_of", lambda *_: LOG)
    with pytest.raises(runs.Failure, match="without its row fork"):
        linux.measure(Path("nowhere"), runs.NATIVE)


def test_what_the_guest_says_of_a_failure_counts(tmp_path):
    log = tmp_path / "log"
    assert runs.explained(runs.Failure("status 35"), log) == "status 35"
    log.write_text("ringfence: info guest: begin fork\r\nringfence: info guest: failed true\r\n")
    assert runs.explained(runs.Failure("status 35"), log) == "in the guest, true failed"


def test_without_linux_its_rows_say_so_and_the_others_go_on(monkeypatch, tmp_path, capsys):
    text = "operation in ticks=1.00 times=1000 baseline=empty: a port\r\n"
    monkeypatch.setattr(runs, "run", lambda *_: (text, {"world_switches": 0}))
    monkeypatch.setattr(main, "check_built", lambda *files: None)
    assert main.main(["in", "linux", "--build", str(tmp_path), "--output", str(tmp_path)]) == 1
    assert "3 of 6 rows could not be measured" in capsys.readouterr().err
    written = (tmp_path / "report.md").read_text()
    assert "yardstick/linux is not there; `make linux` fetches Debian's Linux" in written
    assert "| in | a port | 1 | 1 (0) | 1 | 1 (0) |" in written


def test_the_split_has_natives_part_and_the_sum():
    results = {
        "linux": {"dd": {"native": {"ticks": 50e6}, "translate": {"ticks": 70e6, "entries": 100}}},
        "causes": {"dd": {"guest": {"ticks": 61e6, "count": 9}, "return": {"ticks": 9e6, "count": 9}}},
    }
    _, _, header, rows = report.causes_table(results)
    assert header == ["cause", "dd"]
    assert rows == [
        ["as many as natively", "50.0"], ["added by translation", "11.0"], ["return", "9.0"], ["all else", "0.0"],
        ["**sum**", "70.0"], ["measured without the account", "70.0"],
    ]  # fmt: skip
    assert report.linux_table(results["linux"], {})[3][0][1:6] == ["50.0", "70.0", "1.40x", "100", "1.40x"]


def test_causes_that_do_not_add_up_are_named():
    rows = {name: {"translate": {"ticks": 100, "entries": 0}} for name in ("boot", "fork", "dd")}
    causes = {"boot": {"guest": {"ticks": 80, "count": 1}, "return": {"ticks": 21, "count": 1}}, "fork": {"guest": {"ticks": 97, "count": 1}}}
    assert linux.unexplained(rows, causes) == {"fork": 0.97}
    assert linux.unexplained({}, causes) == {}


def test_linux_says_its_rows_natively():
    if not (ROOT / "build" / "yardstick" / "linux").exists():
        pytest.skip("build/yardstick is not there; `make linux yardstick` makes it")
    rows = linux.measure(Path("build/yardstick"), runs.NATIVE)
    assert list(rows) == list(linux.ROWS)
    assert 50000 * 200 < rows["getppid"]["ticks"] < 50000 * 1000


def make_uncompressed(folder, elf):
    packed = bytearray(0x400 * 2)
    packed[0x1F1] = 1
    packed[0x202:0x206] = b"HdrS"
    (folder / "bzimage").write_bytes(packed)
    (folder / "vmlinux").write_bytes(elf)
    (folder / "start").write_bytes(b"start")
    words = [folder / name for name in ("bzimage", "vmlinux", "start", "output")]
    return subprocess.run([ROOT / "tools" / "make-uncompressed", *words], capture_output=True, text=True, check=False)


def vmlinux(place):
    head = b"\x7fELF\x01\x01".ljust(28, b"\0") + struct.pack("<I", 52) + b"\0" * 10 + struct.pack("<HH", 32, 1) + b"\0" * 6
    return head + struct.pack("<8I", 1, 84, 0, place, 6, 6, 5, 4096) + b"kernel"


def test_an_image_that_is_not_packed_has_each_segment_in_its_place(tmp_path):
    done = make_uncompressed(tmp_path, vmlinux(0x101000))
    assert done.returncode == 0, done.stderr
    image = (tmp_path / "output").read_bytes()
    assert image[0x400:0x405] == b"start"
    assert image[0x400 + 0x1000 : 0x400 + 0x1006] == b"kernel"
    assert struct.unpack_from("<I", image, 0x1F4)[0] * 16 == len(image) - 0x400
    assert struct.unpack_from("<I", image, 0x214) == (0x100000,)


@pytest.mark.parametrize("elf, sentence", [
    (b"no kernel", "is not a 32-bit ELF file"),
    (vmlinux(0x1000), "has a segment at 0x1000 that cannot be loaded"),
])  # fmt: skip
def test_a_kernel_that_is_none_is_refused(tmp_path, elf, sentence):
    done = make_uncompressed(tmp_path, elf)
    assert (done.returncode, sentence in done.stderr, done.stderr.count("\n")) == (2, True, 1)
