"""tools/make-iso, and the menu that the project's own ISO starts with."""

import os
import subprocess
import sys

import pytest
from launcher_support import LIMIT, ROOT, assemble

MAKE_ISO = ROOT / "tools" / "make-iso"


def make_iso(*arguments, **options):
    return subprocess.run([sys.executable, "-B", MAKE_ISO, *map(str, arguments)], capture_output=True, **options)


@pytest.fixture
def menu(tmp_path):
    path = tmp_path / "grub.cfg"
    path.write_text("multiboot /k\nboot\n")
    return path


def refused(result, words):
    text = result.stderr.decode()
    assert result.returncode == 2 and text.startswith("make-iso: ") and text.count("\n") == 1
    assert words in text


def test_the_iso_boots(tmp_path, menu):
    kernel = assemble(tmp_path, "ending", "ENDING=debug_exit_5")
    output = tmp_path / "new folder" / "an.iso"
    result = make_iso("--config", menu, "--output", output, f"/k={kernel}")
    assert (result.returncode, result.stdout, result.stderr) == (0, b"", b"")
    assert output.stat().st_size < 2 << 20
    qemu = "qemu-system-i386 -display none -no-reboot -device isa-debug-exit,iobase=0xf4,iosize=4 -serial stdio -cdrom"
    told = subprocess.run([*qemu.split(), output], stdin=subprocess.DEVNULL, capture_output=True, timeout=float(LIMIT))
    assert told.returncode == 11 and b"hello from the test kernel" in told.stdout


def test_bad_input(tmp_path, menu):
    output = tmp_path / "an.iso"
    refused(make_iso("--config", menu, "--output", output, "nonsense"), "not of the form /PLACE=FILE")
    refused(make_iso("--config", menu, "--output", output, "/k=/nonexistent"), "cannot read /nonexistent")
    refused(make_iso("--config", "/nonexistent", "--output", output, f"/k={menu}"), "cannot read /nonexistent")
    refused(make_iso("--config", menu, "--output", "/dev/null/x.iso", f"/k={menu}"), "cannot write /dev/null/x.iso")
    refused(make_iso("--config", menu), "--output")
    assert not output.exists()


def test_missing_tools(tmp_path, menu):
    arguments = ["--config", menu, "--output", tmp_path / "an.iso", f"/k={menu}"]
    refused(make_iso(*arguments, env={"PATH": str(tmp_path)}), "grub-mkrescue is not installed")
    (tmp_path / "grub-mkrescue").symlink_to("/bin/true")
    refused(make_iso(*arguments, env={"PATH": str(tmp_path)}), "xorriso is not installed")


def test_a_broken_grub_is_told_in_one_sentence(tmp_path, menu):
    """grub-mkrescue ends with status 0 and writes no bootable image when its own parts are missing."""
    output = tmp_path / "an.iso"
    for script in ("exit 0", "echo 'grub-mkrescue: error: no such thing' >&2; exit 1", 'echo junk > "${10}"'):
        (tmp_path / "grub-mkrescue").write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / "grub-mkrescue").chmod(0o755)
        path = f"{tmp_path}:{os.environ['PATH']}"
        result = make_iso("--config", menu, "--output", output, f"/k={menu}", env=os.environ | {"PATH": path})
        refused(result, f"grub-mkrescue could not make {output}")
        assert not output.exists()


def test_the_menu_is_good_grub():
    """Every file that the menu names is one that mk/iso.mk puts there, and the first entry is the report."""
    text = (ROOT / "iso" / "grub.cfg").read_text()
    checked = subprocess.run(["grub-script-check"], input=text, capture_output=True, text=True)
    assert (checked.returncode, checked.stderr) == (0, "")
    named = {line.split()[1] for line in text.splitlines() if line.strip().startswith(("multiboot", "module"))}
    assert all(place == "/boot/ringfence.elf" or place.startswith("/guest/") for place in named)
    linux = text[text.index("if [ -f /guest/linux/vmlinux-686 ]") : text.index("\nfi\n")]
    assert {place for place in named if "/linux/" in place} == {"/guest/linux/vmlinux-686", "/guest/linux/initrd"}
    assert text.count("/guest/linux/") == linux.count("/guest/linux/"), "the entry for Linux is for those who fetched it"
    assert "timeout=3" in text and "default=0" in text and "serial --unit=0" in text
