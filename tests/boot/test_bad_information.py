"""Boot information that is wrong gets one sentence and status 2, never a reset or a hang."""
import struct

import pytest

from hand_loader import MULTIBOOT1, MULTIBOOT2, boot, multiboot1, multiboot2

END = (0, b"")
LINE = (1, b"at-end=off\0")


def memory_map(length=127 << 20):
    return 6, struct.pack("<IIQQII", 24, 0, 0x100000, length, 1, 0)


def check_refused(result, sentence):
    console, log = result
    assert sentence in console
    assert console.count("ringfence:") == 1
    lines = log.splitlines()
    assert any(line.startswith("ringfence: error ") and sentence in line for line in lines)
    assert lines[-1] == "ringfence: info vm0: ended reason=bad-input status=2"


def test_the_loader_by_hand_boots_what_is_right(tmp_path):
    console, log = boot(tmp_path, MULTIBOOT1, multiboot1())
    assert "Ringfence" in console
    assert 'loader="by hand"' in log
    assert log.endswith("ended reason=report-shown status=0\n")


def test_multiboot2_by_hand_boots_what_is_right(tmp_path):
    _, log = boot(tmp_path, MULTIBOOT2, multiboot2([LINE, memory_map(), END]))
    assert 'protocol="Multiboot 2"' in log
    assert log.endswith("ended reason=report-shown status=0\n")


@pytest.mark.parametrize("magic, pieces, sentence", [
    pytest.param(0x12345678, multiboot1(), "0x12345678 in EAX; expected 0x2badb002 (Multiboot 1) or 0x36d76289",
                 id="magic"),
    pytest.param(MULTIBOOT1, multiboot1(flags=1 << 2), "gave no memory map", id="no memory map"),
    pytest.param(MULTIBOOT1, multiboot1(map_length=47), "memory map at 0x51000 is truncated", id="truncated map"),
    pytest.param(MULTIBOOT1, multiboot1(modules=[(0x20000000, 0x20001000)]),
                 "0x20000000 to 0x20001000, which is not inside usable memory", id="module outside memory"),
    pytest.param(MULTIBOOT1, multiboot1(modules=[(0x2000000, 0x2002000), (0x2001000, 0x2003000)]),
                 "overlaps module 0", id="modules overlap"),
    pytest.param(MULTIBOOT1, multiboot1(modules=[(0x101000, 0x102000)]), "overlaps the hypervisor itself",
                 id="module over the hypervisor"),
    pytest.param(MULTIBOOT1, multiboot1(ranges=[(0x100000, 20 << 20, 1)]),
                 "this machine has 20 MB of usable memory, and Ringfence needs 32 MB", id="little memory"),
    pytest.param(MULTIBOOT2, multiboot2([LINE, END]), "gave no memory map", id="mb2 no memory map"),
    pytest.param(MULTIBOOT2, multiboot2([LINE, memory_map(), END], total=30), "is truncated", id="mb2 truncated"),
    pytest.param(MULTIBOOT2, multiboot2([(1, b"endless"), memory_map(), END]),
                 "command line (tag type 1, 15 bytes) is truncated", id="mb2 text without end"),
    pytest.param(MULTIBOOT1, multiboot1(command_line="at-end=off mod=report"),
                 'there is no boot option "mod"; did you mean log, mode', id="unknown option"),
    pytest.param(MULTIBOOT1, multiboot1(command_line="at-end=off modules=2"),
                 "this menu entry names 2 modules, but the boot loader handed over 0", id="missing module"),
])
def test_wrong_information_is_refused(tmp_path, magic, pieces, sentence):
    check_refused(boot(tmp_path, magic, pieces), sentence)


def test_information_outside_memory_is_refused(tmp_path):
    check_refused(boot(tmp_path, MULTIBOOT1, multiboot1(), address=0xFFFFFFF0), "at 0xfffffff0 is truncated")


