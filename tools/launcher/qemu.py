"""QEMU as the machine underneath: its command line, and what its end means."""

import socket

from .errors import STATUS_BAD_INPUT, STATUS_STOPPED, UserError
from .iso import write_plan_iso
from .machine import Ending, Fifo, FifoInput, GrowingFile, Machine, find_program
from .options import one_line

DEFAULT_CPU = "max"
START_OF_TIME = "2026-01-01T00:00:00"

# Bare, so that a guest finds nothing that the virtual PC has not; the screen is for the hypervisor's text.
MACHINE = (
    "-no-user-config -nodefaults -machine pc,accel=tcg -display none -vga std -no-reboot "
    "-device isa-debug-exit,iobase=0xf4,iosize=4"
).split()
DETERMINISTIC = f"-icount shift=0,sleep=off -rtc base={START_OF_TIME},clock=vm -seed 1".split()


def double_commas(text):
    """QEMU splits the values of several options at single commas."""
    return text.replace(",", ",,")


class Qemu(Machine):
    program = "qemu-system-i386"

    def start(self):
        program = find_program(self.program)
        self.link_guest_files()
        command = [program, *MACHINE, "-cpu", self.options.cpu or DEFAULT_CPU, "-m", f"{self.options.memory}M"]
        # The only way to tell a triple fault from a reset that was asked for.
        command += ["-d", "cpu_reset", "-D", str(self._own_log())]
        command += self._channels() + self._what_to_boot() + self._disk()
        if self.options.deterministic:
            command += DETERMINISTIC
        if self.options.gdb is not None:
            _check_port(self.options.gdb)
            command += ["-S", "-gdb", f"tcp:127.0.0.1:{self.options.gdb}"]
        self.spawn(command)

    def _own_log(self):
        return self.folder / "machine.log"

    def _channels(self):
        output = GrowingFile if self.options.deterministic else Fifo
        self.keyboard = FifoInput(self.folder / "com1.in")
        self.console = output(self.folder / "com1.out")
        self.log = output(self.folder / "com2")
        self.events = output(self.folder / "port-e9")
        return [
            *("-chardev", "pipe,id=com1,path=../com1", "-serial", "chardev:com1"),
            *("-chardev", "file,id=com2,path=../com2", "-serial", "chardev:com2"),
            *("-chardev", "file,id=e9,path=../port-e9", "-device", "isa-debugcon,iobase=0xe9,chardev=e9"),
        ]

    def _what_to_boot(self):
        plan = self.plan
        through_iso = plan.iso or self.options.iso or plan.kind == "multiboot2"
        if through_iso:
            iso = plan.iso or write_plan_iso(plan, self.folder / "boot.iso")
            return ["-boot", "d", "-drive", f"file={double_commas(str(iso))},format=raw,media=cdrom,if=ide,index=2"]
        command = ["-kernel", plan.name]
        if plan.arguments:
            command += ["-append", plan.arguments]
        if plan.kind == "linux" and plan.modules:
            command += ["-initrd", plan.modules[0].name]
        elif plan.modules:
            command += ["-initrd", ",".join(double_commas(_module_text(module)) for module in plan.modules)]
        return command

    def _disk(self):
        if not self.plan.disk:
            return []
        file = double_commas(str(self.plan.disk.resolve()))
        return ["-drive", f"file={file},format=raw,if=ide,index=0,snapshot=on"]

    def take_events(self):
        self.debug_console += self.events.read()
        return None

    def ending(self):
        status = self.process.returncode
        log = self._own_log()
        trace = log.read_text(errors="replace") if log.exists() else ""
        complaint = one_line(self.complaint())
        if status == 0 and "Triple fault" in trace:
            return Ending("triple-fault", STATUS_STOPPED, "the processor gave up after a triple fault")
        if status == 0:
            return Ending("power-off", 0)
        # QEMU's own failures have status 1 as well, and come before it switches the machine on:
        # it resets the processor once while it builds the machine, and a second time then.
        if complaint and trace.count("CPU Reset") < 2:
            return Ending("machine", STATUS_BAD_INPUT, f"QEMU did not start: {complaint}")
        if status < 0:
            return Ending("machine-crash", STATUS_STOPPED, f"QEMU crashed: {complaint or f'signal {-status}'}")
        return Ending("debug-exit", status)


def _check_port(port):
    """QEMU would complain too, but only after we had told people to connect."""
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError as error:
        raise UserError(f"cannot offer gdb port {port}: {error.strerror}") from None


def _module_text(module):
    return f"{module.name} {module.arguments}".rstrip()
