"""A disk behind `--disk`: the same for a native kernel and for a guest, and never changed for good."""

import struct

import pytest
from conftest import DEPRIVILEGED, guest_for
from test_privileged import SKIP, SUCCESS

SECTORS = 512


@pytest.fixture
def disk(tmp_path):
    """Each word is its own number: so guest/devices/ide expects it."""
    path = tmp_path / "disk"
    path.write_bytes(struct.pack(f"<{SECTORS * 128}I", *range(SECTORS * 128)))
    return path


def test_disk_reads_and_writes(one_of_each, disk):
    before = disk.read_bytes()
    status, text = one_of_each.run("devices/ide", "", "--disk", disk)
    assert status == SUCCESS, text
    assert "its regions hold the sectors" in text
    assert disk.read_bytes() == before


def test_disk_without_pci_has_its_ports(disk):
    status, text = guest_for(DEPRIVILEGED[0]).run("devices/ide", "", "--disk", disk, "--boot", "pci=no")
    assert status == SUCCESS, text
    assert "this machine has no PCI bus" in text


def test_no_disk():
    status, text = guest_for(DEPRIVILEGED[0]).run("devices/ide")
    assert status == SKIP, text
    assert "this machine has no disk" in text


def test_log_says_that_changes_are_lost(disk, tmp_path):
    log = tmp_path / "log"
    guest_for(DEPRIVILEGED[0]).run("devices/ide", "", "--disk", disk, "--log", log)
    assert f'what is written to it is lost in the end file="disk" sectors={SECTORS}' in log.read_text()
    assert "what was written to the disk is lost now sectors-written=1" in log.read_text()


def test_disk_that_is_none_is_refused(tmp_path):
    path = tmp_path / "short"
    path.write_bytes(b"x" * 700)
    status, text = guest_for(DEPRIVILEGED[0]).run("devices/ide", "", "--disk", path)
    assert status == 2
    assert "short is not a disk image: it has 700 bytes, expected a multiple of 512" in text


@pytest.mark.parametrize("number, sentence", [(1, "disk=1 names no module"), (5, "disk=5 names no module")])
def test_number_that_is_no_module_is_refused(number, sentence):
    status, text = guest_for(DEPRIVILEGED[0]).run("hello", "", "--boot", f"disk={number}")
    assert status == 2
    assert sentence in text
