"""Boots the hypervisor for a test: through the launcher, or from an ISO with a menu of its own."""
import subprocess
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
RINGFENCE = ROOT / "ringfence"
ELF = ROOT / "build" / "ringfence.elf"
HELLO = ROOT / "build" / "guest" / "hello.elf"
MINI_KERNEL = ROOT / "build" / "guest" / "mini_kernel.elf"

# What the two machines can be; the first of each is the launcher's default.
QEMU_MODELS = ["max", "qemu32", "pentium3"]
BOCHS_MODELS = ["corei7_skylake_x", "p4_willamette", "corei7_icelake_u"]
MODELS = [("qemu", m) for m in QEMU_MODELS] + [("bochs", m) for m in BOCHS_MODELS]


class Result:
    def __init__(self, status, console, log):
        self.status = status
        self.console = console.replace("\r\n", "\n")
        self.log = log

    @property
    def last(self):
        return self.log.splitlines()[-1] if self.log else ""


def boot(folder, options="", *arguments):
    """./ringfence boot, with nobody at the keyboard."""
    log = folder / "log"
    done = subprocess.run(
        [RINGFENCE, "boot", "--timeout", "60", "--log", log, "--boot", options, *map(str, arguments)],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=300)
    return Result(done.returncode, done.stdout.decode(errors="replace"),
                  log.read_text() if log.exists() else "")


def boot_menu(folder, menu, *files, memory="128M"):
    """An ISO whose grub.cfg is `menu`, on QEMU; the entry must say at-end=off. Files: PATH=FILE."""
    config, iso = folder / "grub.cfg", folder / "test.iso"
    config.write_text(menu)
    subprocess.run([ROOT / "tools" / "make-iso", "--config", config, "--output", iso,
                    f"/boot/ringfence.elf={ELF}", *files], check=True)
    console, log = folder / "console", folder / "log"
    subprocess.run(
        ["qemu-system-i386", "-display", "none", "-no-reboot", "-m", memory, "-cpu", "max",
         "-cdrom", iso, "-serial", f"file:{console}", "-serial", f"file:{log}"],
        check=True, timeout=300)
    return Result(0, console.read_text(), log.read_text())


def screen(folder, *arguments, until):
    """The text on the screen of a machine that was started with these arguments to QEMU, once the
    log has the words `until`; the machine is asked through QEMU's monitor."""
    log, memory = folder / "log", folder / "screen"
    machine = subprocess.Popen(
        ["qemu-system-i386", "-display", "none", "-no-reboot", "-kernel", ELF, "-serial", "null",
         "-serial", f"file:{log}", "-monitor", "stdio", *arguments],
        stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 120
        while not (log.exists() and until in log.read_text()):
            assert time.monotonic() < deadline, f"the log never said {until}"
            time.sleep(0.05)
        machine.communicate(f'pmemsave 0xb8000 4000 "{memory}"\nquit\n'.encode(), timeout=120)
    finally:
        machine.kill()
    cells = memory.read_bytes()[::2].decode("cp437")
    return [cells[i:i + 80].rstrip() for i in range(0, 2000, 80)]
