"""The log that the hypervisor writes to COM2: kept in a file, and read for how the run ended."""

import re

from .errors import STATUS_BAD_INPUT, UserError
from .iso import CANNOT_LOAD
from .machine import Ending

ENDED = re.compile(r"ringfence: \w+ \S+: ended reason=(\S+)(?: .*)?\bstatus=(\d+)")
COUNTERS = re.compile(r"ringfence: \w+ stats: (.*)")


class Log:
    """Fed with bytes as they come. `ending` is set once the log has told it; `listener` is given each line."""

    def __init__(self, path, watch, listener=None):
        self.watch, self.listener = watch, listener
        self.counters = {}
        self.ending = None
        self.rest = b""  # of the last line, as far as it has come
        self.guest_rest = b""
        self.file = _create(path)

    def feed(self, data):
        self._keep(data)
        *lines, self.rest = (self.rest + data).split(b"\n")
        for line in lines:
            self._read(line.decode("utf-8", "replace").strip("\r"))

    def _read(self, line):
        if CANNOT_LOAD in line:  # GRUB may have put control characters before it
            name = line.partition(CANNOT_LOAD)[2].strip()
            self.ending = Ending("grub", STATUS_BAD_INPUT, f"GRUB cannot load {name}")
        if not self.watch:
            return  # COM2 is the guest's own: what it says there is not ours to believe
        if self.listener:
            self.listener(line)
        counters = COUNTERS.match(line)
        if counters:
            self.counters.update(word.split("=", 1) for word in counters[1].split() if "=" in word)
        ended = ENDED.match(line)
        if ended:
            self.ending = Ending(ended[1], int(ended[2]) & 0xFF)

    def add_guest_text(self, text):
        """What a native guest wrote to port 0xE9, as the hypervisor would have logged it."""
        *lines, self.guest_rest = (self.guest_rest + text).split(b"\n")
        for line in lines:
            self._keep(b"guest: " + line + b"\n")

    def add_end(self, ending):
        """The last line of a native run, in the words of the contract."""
        if self.guest_rest:
            self.add_guest_text(b"\n")
        self._keep(f"ringfence: info native: ended reason={ending.reason} status={ending.status}\n".encode())

    def _keep(self, data):
        if self.file:
            self.file.write(data)

    def close(self):
        if self.file:
            self.file.close()


def _create(path):
    if path is None:
        return None
    try:
        return open(path, "wb", buffering=0)
    except (OSError, ValueError) as error:
        raise UserError(f"cannot write --log {path}: {getattr(error, 'strerror', error)}") from None
