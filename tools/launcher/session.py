"""One run: starts the machine, moves bytes between it and this terminal, decides when and how
it has ended, and leaves nothing behind."""

import os
import select
import signal
import sys
import tempfile
import time

from .errors import STATUS_BAD_INPUT, STATUS_PANIC, STATUS_SIGNAL, STATUS_TIMEOUT, UserError
from .log import Log
from .machine import Ending
from .matcher import Script, Watch
from .signals import Signals
from .terminal import Terminal

STDIN, STDOUT = 0, 1
POLL_SECONDS = 0.01  # for channels that are files, and for a machine that is about to end
LONGEST_WAIT_SECONDS = 1.0
ENOUGH_OUTPUT = 1 << 20  # when so much waits for stdout we stop reading, so that the machine waits too
ENOUGH_INPUT = 4096
READ_SIZE = 4096
WRITE_SIZE = 512  # what a pipe or terminal that is ready takes without blocking

# After an end was announced the machine may still have bytes in flight, and switches itself off.
QUIET_SECONDS = 0.2
LONGEST_GOODBYE_SECONDS = 3.0
# When everything is over, a reader that does not read is not waited for any longer.
LONGEST_FLUSH_SECONDS = 2.0


def run_session(machine_class, plan, options, listener=None):
    """Runs it to its end and returns the Ending. `listener` is given each line of the log."""
    with Signals() as signals:
        session = Session(machine_class, plan, options, signals, listener)
        try:
            session.run()
        except UserError:
            # Ctrl-C also ends the tools that we had started; that is no error of theirs.
            if not signals.caught:
                raise
            session.end_by_signal(signals.caught)
        if options.stats and not plan.native:
            session.print_counters()
        return session.ending


class Session:
    def __init__(self, machine_class, plan, options, signals, listener):
        self.plan, self.options, self.signals = plan, options, signals
        self.listener = listener
        self.machine_class = machine_class
        self.log = None
        self.ending = None  # set once, by whatever comes first
        self.announced = None  # an Ending that the machine is still carrying out
        self.announced_at = self.heard_at = 0.0
        self.matched = False
        self.output = bytearray()  # from the guest, not yet on stdout
        self.input = bytearray()  # typed, not yet taken by the machine
        self.last_byte = b"\n"
        self.stdin_open = True
        self.expect = Watch(options.expect) if options.expect else None
        self.script = Script(options.after, options.send)
        self.deadline = None

    def run(self):
        self.log = Log(self.options.log, not self.plan.native, self.listener)
        try:
            with tempfile.TemporaryDirectory(prefix="ringfence-") as folder:
                self._run_in(folder)
            if self.plan.native:
                self.log.add_end(self.ending)
        finally:
            self.log.close()

    def print_counters(self):
        for name, value in self.log.counters.items() if self.log else ():
            sys.stderr.write(f"{name:<32} {value:>16}\n")

    def end_by_signal(self, number):
        self.ending = Ending(signal.Signals(number).name.lower(), STATUS_SIGNAL + number)

    def _run_in(self, folder):
        self.machine = self.machine_class(self.plan, self.options, folder)
        if self.options.timeout:
            self.deadline = time.monotonic() + self.options.timeout
        try:
            self.machine.start()
            if self.options.gdb is not None:
                sys.stderr.write(f"ringfence: waiting for gdb: target remote 127.0.0.1:{self.options.gdb}\n")
            with Terminal(STDIN) as self.terminal:
                self.stdin_open = self.terminal.readable
                while self.ending is None:
                    self._step()
                self.machine.kill()
                self._finish_output()
        finally:
            self.machine.close()

    def _step(self):
        gone = self.machine.process.poll() is not None
        drained = gone and len(self.output) < ENOUGH_OUTPUT
        ready = self._wait(0 if drained else self._patience())
        if self.signals.caught:
            self.end_by_signal(self.signals.caught)
            return
        self._type(ready)
        heard = self._listen()
        self._flush()
        if self.ending is None:
            self._judge(drained and not heard)

    def _patience(self):
        if self.announced or not self.machine.console or self.machine.console.descriptor is None:
            return POLL_SECONDS
        if self.deadline is None:
            return LONGEST_WAIT_SECONDS
        return max(0.0, min(LONGEST_WAIT_SECONDS, self.deadline - time.monotonic()))

    def _wait(self, seconds):
        """Until something can be done. The descriptors that are ready."""
        wanted = {self.signals.descriptor: select.POLLIN}
        if len(self.output) < ENOUGH_OUTPUT:
            for channel in (self.machine.console, self.machine.log, self.machine.events):
                if channel and channel.descriptor is not None:
                    wanted[channel.descriptor] = select.POLLIN
        if self.stdin_open and len(self.input) < ENOUGH_INPUT:
            wanted[STDIN] = select.POLLIN
        if self.output:
            wanted[STDOUT] = select.POLLOUT
        if self.input and self.machine.keyboard:
            keyboard = self.machine.keyboard.descriptor  # on Bochs also the console
            wanted[keyboard] = wanted.get(keyboard, 0) | select.POLLOUT
        poll = select.poll()
        for descriptor, events in wanted.items():
            poll.register(descriptor, events)
        ready = {descriptor for descriptor, _ in poll.poll(seconds * 1000)}
        if self.signals.descriptor in ready:
            self.signals.drain()
        return ready

    def _type(self, ready):
        if STDIN in ready:
            try:
                data = os.read(STDIN, READ_SIZE)
            except OSError:
                data = b""
            if not data:
                self.stdin_open = False
                if self.terminal.saved is not None:  # the window was closed
                    self.end_by_signal(signal.SIGHUP)
            keys, interrupted = self.terminal.filter_keys(data)
            self.input += keys
            if interrupted:
                self.end_by_signal(signal.SIGINT)
        if self.input and self.machine.keyboard:
            del self.input[: self.machine.keyboard.write(bytes(self.input))]

    def _listen(self):
        """Takes in what the machine has said. False when that was nothing."""
        if len(self.output) >= ENOUGH_OUTPUT:
            return True
        machine = self.machine
        console = machine.console.read() if machine.console else b""
        log = machine.log.read()
        if console or log:
            self.heard_at = time.monotonic()
        if log:
            self.log.feed(log)
        told = machine.take_events()
        if self.plan.native:
            self.log.add_guest_text(machine.take_debug_console())
        if console:
            self._hear(console)
        self._announce(self.log.ending or told)
        return bool(console or log)

    def _hear(self, data):
        self.input += self.script.feed(data)
        if self.expect and not self.matched:
            used = self.expect.feed(data)
            if used is not None:
                self.matched = True
                self.ending = Ending("expect", 0)
                data = data[:used]
        self.output += data

    def _announce(self, ending):
        if ending and not self.announced:
            self.announced, self.announced_at = ending, time.monotonic()

    def _judge(self, over):
        # The machine's own messages and the log come through two channels: that the machine is
        # off may be heard before the log's last line, which is the one that counts.
        announced = self.log.ending or self.announced
        now = time.monotonic()
        if over:
            self.ending = self._explain(announced or self.machine.ending())
        elif self.announced and (
            now - max(self.heard_at, self.announced_at) > QUIET_SECONDS
            or now - self.announced_at > LONGEST_GOODBYE_SECONDS
        ):
            self.ending = self._explain(announced)
        elif self.deadline is not None and now >= self.deadline:
            what = "--expect did not match" if self.expect else "no end"
            sentence = f"{what} within {self.options.timeout:g} seconds (--timeout)"
            self.ending = Ending("timeout", STATUS_TIMEOUT, sentence)

    def _explain(self, ending):
        """The machine's end as the contract wants it told."""
        if ending.status == STATUS_BAD_INPUT and ending.sentence:
            return ending
        if self.plan.must_log and ending is not self.log.ending:
            return Ending(
                ending.reason,
                STATUS_PANIC,
                f"the hypervisor ended without its last log line: {ending.sentence or ending.reason}",
            )
        if self.expect:
            why = ending.sentence or f"the run ended (reason {ending.reason}, status {ending.status})"
            return Ending(ending.reason, ending.status or 1, f"{why} before --expect matched")
        return ending

    def _flush(self, patience=0.0):
        """Writes to stdout what it takes without making us wait."""
        poll = select.poll()
        poll.register(STDOUT, select.POLLOUT)
        while self.output and poll.poll(patience * 1000):
            chunk = bytes(self.output[:WRITE_SIZE])
            try:
                written = os.write(STDOUT, chunk)
            except BlockingIOError:
                return
            except OSError:
                # Nobody reads any more, as in `... | head`: end, and say nothing.
                self.output.clear()
                self.end_by_signal(signal.SIGPIPE)
                return
            self.last_byte = chunk[written - 1 : written] or self.last_byte
            del self.output[:written]

    def _finish_output(self):
        deadline = time.monotonic() + LONGEST_FLUSH_SECONDS
        while self.output and time.monotonic() < deadline and self.ending.status != STATUS_SIGNAL + signal.SIGPIPE:
            self._flush(POLL_SECONDS)
        if os.isatty(STDOUT) and self.last_byte != b"\n" and not self.output:
            os.write(STDOUT, b"\n")
