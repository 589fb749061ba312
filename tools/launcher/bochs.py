"""Bochs as the machine underneath: its configuration, and what its messages mean.

Bochs has no debug-exit port and ends with the same status whatever happened. But it reports
accesses to ports that nothing answers, resets and panics, in order, in its log: we read that."""

import re
import select
import shutil
import socket
import time

from .errors import STATUS_BAD_INPUT, STATUS_STOPPED, UserError
from .isolation import can_leave_network, leave_network
from .iso import write_plan_iso
from .machine import READ_SIZE, Ending, Fifo, Machine, find_program
from .options import one_line

DEFAULT_CPU = "corei7_skylake_x"
START_OF_TIME = 1767225600  # 2026-01-01 00:00:00 UTC
INSTRUCTIONS_PER_SECOND = 50_000_000  # about what it does, so that polling a serial port is not absurdly slow
LARGEST_HOST_MEMORY = 2048  # MB that Bochs takes from this computer at most; the rest it swaps
CONNECT_SECONDS = 20

CONFIGURATION = """\
display_library: rfb, options="timeout=0"
romimage: file=$BXSHARE/BIOS-bochs-latest
vgaromimage: file=$BXSHARE/VGABIOS-lgpl-latest
cpu: model={cpu}, ips={ips}, reset_on_triple_fault=0
memory: guest={memory}, host={host_memory}
clock: sync=none, time0={time0}
ata0: enabled=1
{disks}
boot: cdrom
com1: enabled=1, mode=socket-client, dev=127.0.0.1:{port}
com2: enabled=1, mode=file, dev=../com2
log: ../events
panic: action=fatal
error: action=report
info: action=report
debug: action=ignore, unmapped=report
port_e9_hack: enabled=1
sound: waveoutdrv=dummy
"""

EVENT = re.compile(
    rb"^(?P<tick>\d+)(?:"
    rb"d\[UNMAP \] unmapped: \d+-bit write to (?P<port>00f4|00e9) = (?P<value>[0-9a-f]+)"
    rb"|i\[SYS   \] (?P<reset>bx_pc_system_c::Reset\()"
    rb"|p\[\S*\s*\] >>PANIC<< (?P<panic>.*)"
    rb"|.*(?P<off>ACPI control: soft power off)"
    rb")",
    re.MULTILINE,
)


class SocketConsole:
    """Bochs's COM1: one TCP connection for both directions."""

    def __init__(self, connection):
        connection.setblocking(False)
        self.connection = connection
        self.descriptor = connection.fileno()

    def read(self):
        try:
            return self.connection.recv(READ_SIZE)
        except (BlockingIOError, ConnectionError):
            return b""

    def write(self, data):
        try:
            return self.connection.send(data)
        except BlockingIOError:
            return 0
        except ConnectionError:
            return len(data)  # the machine is gone, and nobody will read it any more

    def close(self):
        self.connection.close()


class Bochs(Machine):
    program = "bochs"

    def start(self):
        program = find_program(self.program)
        self.guest_folder.mkdir()
        boot_iso = self.folder / "boot.iso"
        if self.plan.iso:
            boot_iso.symlink_to(self.plan.iso.resolve())
        else:
            write_plan_iso(self.plan, boot_iso)
        (self.folder / "debugger").write_text("c\nq\n")
        self.log = Fifo(self.folder / "com2")
        self.events = Fifo(self.folder / "events")
        self.unread_events = b""
        self.panic = ""
        ours, theirs = socket.socketpair()
        alone = can_leave_network()

        def in_child():
            # The port must be opened in the network where Bochs will look for it.
            if alone:
                leave_network()
            listener = socket.create_server(("127.0.0.1", 0))
            self._configure(listener.getsockname()[1])
            socket.send_fds(theirs, [b"x"], [listener.fileno()])

        with ours, theirs:
            self.spawn([program, "-q", "-f", "../bochsrc", "-rc", "../debugger"], in_child)
            _, descriptors, _, _ = socket.recv_fds(ours, 1, 1)
        with socket.socket(fileno=descriptors[0]) as listener:
            self._accept(listener)

    def _configure(self, port):
        text = CONFIGURATION.format(
            cpu=self.options.cpu or DEFAULT_CPU,
            ips=INSTRUCTIONS_PER_SECOND,
            memory=self.options.memory,
            host_memory=min(self.options.memory, LARGEST_HOST_MEMORY),
            time0=START_OF_TIME if self.options.deterministic else int(time.time()),
            port=port,
            disks="\n".join(self._disks()),
        )
        (self.folder / "bochsrc").write_text(text)

    def _disks(self):
        """The CD is where a kernel expects its first disk, unless there is one."""
        cdrom = 'type=cdrom, path="../boot.iso", status=inserted'
        if not self.plan.disk:
            return [f"ata0-master: {cdrom}"]
        shutil.copyfile(self.plan.disk, self.folder / "disk")
        return ['ata0-master: type=disk, path="../disk", mode=flat', f"ata0-slave: {cdrom}"]

    def _accept(self, listener):
        deadline = time.monotonic() + CONNECT_SECONDS
        while self.process.poll() is None and time.monotonic() < deadline:
            if select.select([listener], [], [], 0.02)[0]:
                self.console = self.keyboard = SocketConsole(listener.accept()[0])
                return
        if self.process.poll() is None:
            raise UserError(f"Bochs did not open its serial port within {CONNECT_SECONDS} seconds")

    def take_events(self):
        return self._read_events(self.events.read())

    def _read_events(self, text):
        """Judges what the log says, up to the last whole line."""
        text = self.unread_events + text
        whole = text.rfind(b"\n") + 1
        self.unread_events = text[whole:]
        for event in EVENT.finditer(text[:whole]):
            ending = self._judge(event)
            if ending:
                return ending
        return None

    def _judge(self, event):
        if event["port"] == b"00e9":
            self.debug_console.append(int(event["value"], 16) & 0xFF)
        elif event["port"] == b"00f4":
            return Ending("debug-exit", (int(event["value"], 16) << 1 | 1) & 0xFF)
        elif event["reset"] and int(event["tick"]):  # the one at tick 0 is the machine being switched on
            return Ending("reset", 0)
        elif event["off"]:
            return Ending("power-off", 0)
        elif event["panic"]:
            return self._judge_panic(event["panic"].decode("utf-8", "replace"), int(event["tick"]))
        return None

    def _judge_panic(self, text, tick):
        if "shutdown requested" in text:
            return Ending("power-off", 0)
        if "3rd" in text and "exception" in text:
            return Ending("triple-fault", STATUS_STOPPED, "the processor gave up after a triple fault")
        if tick == 0:
            return Ending("machine", STATUS_BAD_INPUT, f"Bochs did not start: {one_line(text)}")
        return Ending("machine-stop", STATUS_STOPPED, f"Bochs stopped: {one_line(text)}")

    def ending(self):
        while text := self.events.read():
            ending = self._read_events(text)
            if ending:
                return ending
        found = re.findall(r">>PANIC<< (.*)", (self.folder / "stderr").read_text(errors="replace"))
        if found:
            return self._judge_panic(found[-1], 0)
        if self.process.returncode < 0:
            return Ending("machine-crash", STATUS_STOPPED, f"Bochs crashed with signal {-self.process.returncode}")
        why = one_line(self.complaint()) or f"status {self.process.returncode}"
        return Ending("machine", STATUS_BAD_INPUT, f"Bochs did not start: {why}")
