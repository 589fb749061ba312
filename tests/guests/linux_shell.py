"""What people do in a shell, on Debian's Linux: natively, which is the reference, and as a guest. One
boot for each kernel, and its shell is asked one thing after the other. `make test-linux`."""

import re
import shutil
import subprocess
import time

import pytest
from linux_guest import Linux, alarming_lines, blank_disk, machine_or_skip

WAYS = [("686", "--native"), ("686", "--engine=translate"), ("686-pae", "--engine=translate")]
DISK_MB = 48
SECONDS = 900  # for all that is done in one boot
AN_HOUR_SECONDS = 1500
pytestmark = pytest.mark.timeout(SECONDS)

GREETING = "written before the machine was switched on\n"


def ext2_image(folder):
    """With a file in it, and clean."""
    tree = folder / "tree"
    tree.mkdir()
    (tree / "greeting").write_text(GREETING)
    image = blank_disk(folder, DISK_MB)
    if not shutil.which("mke2fs", path="/sbin:/usr/sbin:/bin:/usr/bin"):
        pytest.skip("mke2fs is not installed (Debian's package e2fsprogs)")
    command = [shutil.which("mke2fs", path="/sbin:/usr/sbin:/bin:/usr/bin"), "-q", "-t", "ext2", "-d", tree, image]
    subprocess.run(command, check=True)
    return image


@pytest.fixture(scope="module", params=WAYS, ids=lambda way: way[0] + way[1][1:])
def linux(request, tmp_path_factory):
    flavour, how = request.param
    machine_or_skip("qemu")
    folder = tmp_path_factory.mktemp("linux")
    booted = Linux(f"vmlinuz-{flavour}", f"initrd-{flavour}", SECONDS, how, "--disk", ext2_image(folder))
    booted.flavour, booted.is_native = flavour, how == "--native"
    yield booted
    booted.close()


def test_the_processor_is_described(linux):
    said = linux.ask("cat /proc/cpuinfo")
    assert re.search(r"^model name\s*: \S", said, re.MULTILINE)
    assert re.search(r"^flags\s*: fpu .*\bpae\b", said, re.MULTILINE)
    if not linux.is_native:
        assert "Ringfence virtual processor" in said and "hypervisor" in said


def test_interrupts_are_counted(linux):
    counts = [linux.ask("cat /proc/interrupts") for _ in range(2)]
    serial = [int(re.search(r"^ *4: +(\d+) .*ttyS0$", text, re.MULTILINE)[1]) for text in counts]
    assert 0 < serial[0] < serial[1]
    for line in ("ERR", "MIS", "SPU"):
        assert re.search(rf"^{line}: +0\b", counts[1], re.MULTILINE), counts[1]


def test_the_kernel_s_messages_can_be_read_again(linux):
    said = linux.ask("dmesg")
    assert re.search(rf"Linux version \S+-{linux.flavour} ", said) or "Run /init as init process" in linux.boot_log
    assert "Attached SCSI disk" in linux.ask("dmesg | cut -c16-")


def test_pipes(linux):
    assert linux.ask("seq 1000 | grep 7 | sort -r | tail -n 1") == "107"
    assert linux.ask("yes | head -n 5000 | wc -l") == "5000"


def test_background_jobs_and_kill(linux):
    assert "Running" in linux.ask("sleep 1000 & sleep 0.2; jobs")
    assert "Terminated" in linux.ask("kill %1; sleep 0.3; jobs") + linux.ask("jobs")
    assert linux.ask("sh -c 'kill -9 $$'; echo $?").endswith("137")
    said = linux.ask("(sleep 0.3; echo background) & wait; echo waited")
    assert 0 <= said.index("background") < said.index("waited")


def test_top_and_ps(linux):
    said = linux.ask("top -b -n1")
    assert re.match(r"Mem: \d+K used, \d+K free", said) and re.search(r"^ +1 +0 .* \{?(init|.*sh)", said, re.MULTILINE)
    assert "kthreadd" in linux.ask("ps")


def test_dd_sha256sum_and_gzip(linux):
    # The sum of 8 MB of zeros, which any other computer gives, too.
    zeros = "2daeb1f36095b44b318410b3f4e8b5d989dcc7bb023d1426c492dab0a3053e74"
    assert "128+0 records out" in linux.ask("dd if=/dev/zero of=/tmp/zeros bs=64k count=128")
    assert linux.ask("sha256sum </tmp/zeros") == f"{zeros}  -"
    assert linux.ask("gzip -c /tmp/zeros | gunzip -c | sha256sum") == f"{zeros}  -"
    assert linux.ask("seq 100000 >/tmp/a; gzip -c /tmp/a >/tmp/a.gz; gunzip -c /tmp/a.gz | cmp - /tmp/a && echo same") == "same"
    linux.ask("rm /tmp/zeros /tmp/a /tmp/a.gz")


def test_files_on_an_ext2_disk(linux):
    assert linux.ask("mount -t ext2 /dev/sda /mnt && cat /mnt/greeting") + "\n" == GREETING
    linux.ask("dd if=/dev/urandom of=/mnt/random bs=64k count=32 2>/dev/null; mkdir -p /mnt/a/b; seq 5000 >/mnt/a/b/numbers")
    written = linux.ask("cd /mnt; sha256sum random a/b/numbers greeting; cd /")
    assert len(written.splitlines()) == 3
    assert linux.ask("umount /mnt && grep -c /mnt /proc/mounts") == "0"
    assert linux.ask("mount -t ext2 -o ro /dev/sda /mnt && cd /mnt && sha256sum random a/b/numbers greeting; cd /") == written
    assert linux.ask("umount /mnt && echo done") == "done"


def test_the_date_is_the_computer_s(linux):
    before = int(time.time())
    assert before - 5 <= int(linux.ask("date +%s")) <= time.time() + 5


def test_ten_seconds_are_ten_seconds(linux):
    began = time.monotonic()
    up = [float(text) for text in re.findall(r"[\d.]+", linux.ask("U='cut -d\" \" -f1 /proc/uptime'; eval $U; sleep 10; eval $U"))]
    by_host, by_guest = time.monotonic() - began, up[1] - up[0]
    assert 10 <= by_guest < 11.5
    assert 10 <= by_host < 12.5
    assert abs(by_host - by_guest) < 2


@pytest.mark.timeout(AN_HOUR_SECONDS + 30)
def test_an_hour_is_an_hour_by_every_clock():
    """--deterministic: what is idle takes no time, and the TSC, the local APIC's ticks and the RTC are all asked."""
    machine_or_skip("qemu")
    linux = Linux("vmlinux-686", "initrd", AN_HOUR_SECONDS, "--deterministic", "--memory", "64M")
    asked = [linux.ask(f"sleep {n}; cut -d' ' -f1 /proc/uptime; cat /sys/class/rtc/rtc0/since_epoch; grep LOC: /proc/interrupts",
                       AN_HOUR_SECONDS).split()[:4] for n in (0, 3600)]
    up, clock, ticks = (float(after) - float(before) for before, after in zip(*([said[0], said[1], said[3]] for said in asked)))
    assert linux.end() == 0
    assert 3600 <= up < 3600.5
    assert abs(clock - up) <= 1
    assert abs(ticks / 250 - up) < 0.1


def test_ctrl_c_ends_what_runs(linux):
    linux.type("sleep 1000\r")
    linux.until("sleep 1000")
    time.sleep(1)
    linux.type("\x1d\x03")
    linux.until("<ready>", 15)
    assert linux.ask("echo $?") == "130"


def test_the_machine_is_switched_off_and_nothing_alarming_was_said(linux):
    assert linux.end() == 0
    assert not alarming_lines(linux.said.getvalue())
