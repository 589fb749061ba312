"""What `make linux` is made of: the ramdisk, the unpacked kernel, and the fetching of packages."""

import gzip
import lzma
import os
import shutil
import struct
import subprocess

import pytest
from launcher_support import ROOT


def run_tool(name, *arguments, **options):
    command = [ROOT / "tools" / name, *arguments]
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, **options)


def entries(archive):
    """Name, mode, device and content of each entry of a newc archive, and nothing left over but zeros."""
    found, at = {}, 0
    while True:
        assert archive[at : at + 6] == b"070701" and at % 4 == 0
        fields = [int(archive[at + 6 + 8 * i : at + 14 + 8 * i], 16) for i in range(13)]
        name = archive[at + 110 : at + 110 + fields[11] - 1].decode()
        at += 110 + fields[11] + -(110 + fields[11]) % 4
        if name == "TRAILER!!!":
            assert not archive[at:].strip(b"\0") and len(archive) % 512 == 0
            return found
        found[name] = (fields[1], tuple(fields[9:11]), archive[at : at + fields[6]])
        at += fields[6] + -fields[6] % 4


def test_ramdisk_holds_files_folders_and_two_devices(tmp_path):
    (tmp_path / "one").write_bytes(b"first")
    output = tmp_path / "initrd"
    result = run_tool("make-initramfs", output, f"/init={tmp_path}/one", f"/a/b/c={tmp_path}/one")
    assert result.returncode == 0, result.stdout
    found = entries(output.read_bytes())
    assert list(found) == ["a", "a/b", "dev", "a/b/c", "dev/console", "dev/null", "init"]
    assert found["init"] == found["a/b/c"] == (0o100755, (0, 0), b"first")
    assert found["a/b"] == (0o040755, (0, 0), b"")
    assert found["dev/console"] == (0o020600, (5, 1), b"")
    assert found["dev/null"] == (0o020600, (1, 3), b"")


def test_ramdisk_takes_folders_whole(tmp_path):
    folder = tmp_path / "modules" / "6.1"
    folder.mkdir(parents=True)
    (folder / "ext4.ko").write_bytes(b"module")
    output = tmp_path / "initrd"
    result = run_tool("make-initramfs", output, f"/lib/modules={tmp_path}/modules")
    assert result.returncode == 0, result.stdout
    assert entries(output.read_bytes())["lib/modules/6.1/ext4.ko"][2] == b"module"


@pytest.mark.parametrize(
    "arguments, words",
    [
        ([], "expected OUTPUT"),
        (["out", "init"], "init is not of the form /PLACE=FILE"),
        (["out", "init=x"], "init=x is not of the form"),
        (["out", "/=x"], "/=x is not of the form"),
        (["out", "/init=/nonexistent"], "cannot read /nonexistent: No such file"),
        (["/nonexistent/out", "/init=/dev/null"], "cannot write /nonexistent/out"),
    ],
)
def test_ramdisk_of_nonsense(tmp_path, arguments, words):
    result = run_tool("make-initramfs", *arguments, cwd=tmp_path)
    assert result.returncode == 2
    assert words in result.stdout and result.stdout.count("\n") == 1


VMLINUX = b"\x7fELF" + bytes(range(256)) * 16
PACKERS = {"xz": lzma.compress, "gzip": gzip.compress, "none": bytes}


def bzimage(payload, version=0x20F, claimed=None):
    image = bytearray(1024)
    image[0x1F1] = 1
    image[0x202:0x206] = b"HdrS"
    struct.pack_into("<H", image, 0x206, version)
    struct.pack_into("<II", image, 0x248, 64, claimed or len(payload))
    return bytes(image) + bytes(64) + payload


@pytest.mark.parametrize("packer", PACKERS)
def test_vmlinux_comes_out_as_it_went_in(tmp_path, packer):
    packed = PACKERS[packer](VMLINUX)
    if packer != "gzip":
        packed += struct.pack("<I", len(VMLINUX))
    (tmp_path / "bzimage").write_bytes(bzimage(packed))
    result = run_tool("extract-vmlinux", tmp_path / "bzimage", tmp_path / "vmlinux")
    assert result.returncode == 0, result.stdout
    assert (tmp_path / "vmlinux").read_bytes() == VMLINUX


@pytest.mark.parametrize(
    "image, words",
    [
        (b"", "is not a Linux bzImage"),
        (bytes(2000), "is not a Linux bzImage"),
        (bzimage(b"12345678", version=0x207), "version 2.7 of the boot protocol, expected at least 2.8"),
        (bzimage(b"12345678", claimed=9), "is truncated: its payload should end at byte"),
        (bzimage(b"12345678"), "packed in a way that this tool does not know (it begins with 31323334)"),
        (bzimage(lzma.compress(VMLINUX)[:40] + bytes(20)), "has a damaged payload"),
    ],
    ids=["empty", "zeros", "old", "truncated", "unknown", "damaged"],
)
def test_vmlinux_out_of_nonsense(tmp_path, image, words):
    (tmp_path / "bzimage").write_bytes(image)
    result = run_tool("extract-vmlinux", tmp_path / "bzimage", tmp_path / "vmlinux")
    assert result.returncode == 2
    assert words in result.stdout and result.stdout.count("\n") == 1, result.stdout
    assert not (tmp_path / "vmlinux").exists()


MODULES = ("ext4 jbd2 mbcache crc16 crc32c_generic ata_piix libata sd_mod scsi_mod scsi_common "
           "t10-pi crc-t10dif crct10dif_common crc64-rocksoft crc64")


class Apt:
    """An apt of our own: `kernels` says whether its sources know them, `gives` what a download brings."""

    def __init__(self, folder, kernels=True, gives="touch", modules=MODULES):
        self.bin = folder / "bin"
        self.bin.mkdir()
        for name in ("bash", "sed", "head", "find", "mkdir", "rm", "mv", "grep", "cat", "touch"):
            (self.bin / name).symlink_to(shutil.which(name))
        self.command("apt-get", f'case "$*" in *update*) echo "W: no network" ; exit 100 ;; *download*) {gives} ;; esac')
        known = 'echo "  Depends: ${@: -1}" | sed s/image-/image-6.1.0-50-/' if kernels else "exit 100"
        self.command("apt-cache", known)
        self.command("dpkg-deb", 'mkdir -p "$3/bin" "$3/boot"; touch "$3/bin/busybox"; cd "$3/boot"; touch vmlinuz-6.1 memtest86+ia32.bin invaders.exec\n'
                     'mkdir -p ../lib/modules/6.1/kernel; cd ../lib/modules/6.1/kernel; '
                     f'for module in {modules}; do touch $module.ko; done')

    def command(self, name, body):
        path = self.bin / name
        path.write_text(f"#!{shutil.which('bash')}\n{body}\n")
        path.chmod(0o755)

    def fetch(self, *arguments):
        command = ["bash", ROOT / "tools/fetch-linux", *arguments]
        return subprocess.run(
            command, env={"PATH": str(self.bin)}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
        )


# What `apt-get download NAME...` leaves: one archive for each.
ARCHIVES = 'for word; do case $word in linux-*|busybox*|memtest*|grub-*) touch "${word}_1_i386.deb" ;; esac; done'


def test_fetch_leaves_the_kernels_and_busybox_alone(tmp_path):
    result = Apt(tmp_path, gives=ARCHIVES).fetch(tmp_path / "linux")
    assert result.returncode == 0, result.stdout
    folder = tmp_path / "linux"
    assert sorted(os.listdir(folder)) == [
        "busybox", "invaders", "memtest", "modules-686", "modules-686-pae", "vmlinuz-686", "vmlinuz-686-pae"]
    assert sorted(os.listdir(folder / "modules-686" / "6.1")) == sorted(f"{name}.ko" for name in MODULES.split())


def test_fetch_for_the_peers_leaves_one_kernel_and_its_kvm(tmp_path):
    gives = 'for word; do case $word in linux-*) touch "${word}_1_amd64.deb" ;; esac; done'
    result = Apt(tmp_path, gives=gives, modules="irqbypass kvm ccp kvm-amd").fetch("--peers", tmp_path / "peers")
    assert result.returncode == 0, result.stdout
    assert sorted(os.listdir(tmp_path / "peers")) == ["modules-amd64", "vmlinuz-amd64"]
    assert sorted(os.listdir(tmp_path / "peers" / "modules-amd64" / "6.1")) == ["ccp.ko", "irqbypass.ko", "kvm-amd.ko", "kvm.ko"]


def test_fetch_for_the_peers_says_when_no_source_has_the_kernel(tmp_path):
    result = Apt(tmp_path, kernels=False).fetch("--peers", tmp_path / "peers")
    assert result.returncode == 1
    assert "have no package linux-image-amd64 for amd64: is the network up" in result.stdout


def test_fetch_says_which_module_is_missing(tmp_path):
    result = Apt(tmp_path, gives=ARCHIVES, modules=MODULES.replace("ext4", "")).fetch(tmp_path / "linux")
    assert result.returncode == 1
    assert "has no */lib/modules/*/ext4.ko" in result.stdout


def test_fetch_says_when_no_source_has_the_kernels(tmp_path):
    result = Apt(tmp_path, kernels=False).fetch(tmp_path / "linux")
    assert result.returncode == 1
    assert "W: no network" in result.stdout
    assert "have no package linux-image-686 for i386: is the network up" in result.stdout


def test_fetch_says_when_a_download_fails(tmp_path):
    result = Apt(tmp_path, gives="exit 100").fetch(tmp_path / "linux")
    assert result.returncode == 1
    assert "could not download busybox-static memtest86+ grub-invaders linux-image-6.1.0-50-686" in result.stdout


def test_fetch_says_which_program_is_missing(tmp_path):
    apt = Apt(tmp_path)
    (apt.bin / "dpkg-deb").unlink()
    result = apt.fetch(tmp_path / "linux")
    assert result.returncode == 1
    assert "this system has no dpkg-deb" in result.stdout


def test_fetch_wants_a_folder(tmp_path):
    assert Apt(tmp_path).fetch().returncode == 2
