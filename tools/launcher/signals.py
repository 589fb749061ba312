"""Signals as something to wait for: the first one that asks us to end is remembered, and every
one makes a descriptor readable. Nothing is interrupted in the middle."""

import os
import signal

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Signals:
    def __init__(self):
        self.caught = None
        self.saved = {}

    def __enter__(self):
        self.descriptor, self._writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._saved_wakeup = signal.set_wakeup_fd(self._writer, warn_on_full_buffer=False)
        for number in ENDING:
            if signal.getsignal(number) != signal.SIG_IGN:  # nohup means it
                self.saved[number] = signal.signal(number, self._catch)
        # The end of the machine wakes us as well.
        self.saved[signal.SIGCHLD] = signal.signal(signal.SIGCHLD, lambda *_: None)
        return self

    def __exit__(self, *_):
        for number, handler in self.saved.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._saved_wakeup)
        os.close(self.descriptor)
        os.close(self._writer)

    def _catch(self, number, _frame):
        self.caught = self.caught or number

    def drain(self):
        try:
            os.read(self.descriptor, 4096)
        except BlockingIOError:
            pass
