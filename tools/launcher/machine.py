"""What QEMU and Bochs have in common: a private folder, a process that never outlives us, and
channels for the console (COM1) and the log (COM2). The session drives them without knowing which."""

import ctypes
import os
import shutil
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path

from .errors import ToolMissing

PR_SET_PDEATHSIG = 1
READ_SIZE = 65536


@dataclass(frozen=True)
class Ending:
    """How a run ended. `sentence` is for stderr; None when the status says enough."""

    reason: str
    status: int
    sentence: str = None


class Fifo:
    """A named pipe that the machine writes into and we read."""

    def __init__(self, path):
        os.mkfifo(path, 0o600)
        self.descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)

    def read(self):
        try:
            return os.read(self.descriptor, READ_SIZE)
        except BlockingIOError:
            return b""

    def close(self):
        os.close(self.descriptor)


class GrowingFile:
    """A plain file that the machine writes into. Unlike a pipe it is never full, so that the
    guest cannot feel how fast we read: runs repeat to the bit. It has to be polled."""

    descriptor = None

    def __init__(self, path):
        self.file = open(path, "w+b", buffering=0)

    def read(self):
        return self.file.read(READ_SIZE)

    def close(self):
        self.file.close()


class FifoInput:
    """A named pipe that we write into and the machine reads."""

    def __init__(self, path):
        os.mkfifo(path, 0o600)
        # Read-write, because opening for writing alone fails until the machine reads.
        self.descriptor = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)

    def write(self, data):
        try:
            return os.write(self.descriptor, data)
        except BlockingIOError:
            return 0

    def close(self):
        os.close(self.descriptor)


class Machine:
    """Life cycle: start(), then the session moves bytes until the process ends, then ending() and
    close(). The channels are None until start() has made them."""

    program = None

    def __init__(self, plan, options, folder):
        self.plan, self.options, self.folder = plan, options, Path(folder).resolve()
        self.process = None
        self.console = self.keyboard = self.log = self.events = None
        self.debug_console = bytearray()  # what a native guest wrote to port 0xE9
        self.guest_folder = self.folder / "guest"

    def start(self):
        raise NotImplementedError

    def take_events(self):
        """Reads the machine's own messages. Gives an Ending when they tell one, else None."""
        raise NotImplementedError

    def ending(self):
        """How the machine itself ended; to be asked when its process is gone."""
        raise NotImplementedError

    def take_debug_console(self):
        text = bytes(self.debug_console)
        self.debug_console.clear()
        return text

    def link_guest_files(self):
        """The guest's files under their short names; the machine runs in this folder."""
        self.guest_folder.mkdir()
        for name, path in self.plan.files().items():
            (self.guest_folder / name).symlink_to(path.resolve())

    def spawn(self, command, in_child=None):
        """Starts the machine in a session of its own, so that Ctrl-C reaches only us, and so that
        it is killed when we die, however we die."""
        parent = os.getpid()

        def prepare():
            if in_child:
                in_child()
            _die_with(parent)

        with open(self.folder / "stderr", "wb") as stderr:
            self.process = subprocess.Popen(
                command,
                cwd=self.guest_folder,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=stderr,
                start_new_session=True,
                preexec_fn=prepare,
            )

    def kill(self):
        if self.process and self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def close(self):
        self.kill()
        for channel in (self.console, self.keyboard, self.log, self.events):
            if channel:
                channel.close()

    def complaint(self):
        """The last line the machine wrote to stderr that is not a mere warning."""
        lines = (self.folder / "stderr").read_text(errors="replace").splitlines()
        lines = [line.strip() for line in lines if line.strip() and "warning:" not in line]
        return lines[-1] if lines else ""


def find_program(name):
    path = shutil.which(name)
    if path is None:
        raise ToolMissing(name)
    return path


def _die_with(parent):
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)
