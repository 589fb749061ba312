"""The terminal that the launcher was started from: raw while a run lasts, as it was afterwards."""

import os
import termios

CONTROL_C = 0x03
CONTROL_BRACKET = 0x1D  # the next key goes to the guest as it is


class Terminal:
    """Used as `with Terminal(0) as terminal`. Does nothing when the descriptor is no terminal of ours."""

    def __init__(self, descriptor):
        self.descriptor = descriptor
        self.saved = None
        self.literal = False

    def __enter__(self):
        if self._is_ours():
            self.saved = termios.tcgetattr(self.descriptor)
            self.enter_raw_mode()
        return self

    def __exit__(self, *_):
        if self.saved is not None:
            try:
                termios.tcsetattr(self.descriptor, termios.TCSADRAIN, self.saved)
            except termios.error:
                pass  # the window was closed: there is nothing left to restore

    @property
    def readable(self):
        """In the background, reading the terminal would stop us."""
        return self.saved is not None or not os.isatty(self.descriptor)

    def _is_ours(self):
        try:
            return os.isatty(self.descriptor) and os.tcgetpgrp(self.descriptor) == os.getpgrp()
        except OSError:
            return False

    def enter_raw_mode(self):
        mode = [list(part) if isinstance(part, list) else part for part in self.saved]
        mode[0] &= ~(termios.IGNBRK | termios.BRKINT | termios.PARMRK | termios.ISTRIP)
        mode[0] &= ~(termios.INLCR | termios.IGNCR | termios.ICRNL | termios.IXON)
        # Output processing stays on: many small kernels end their lines with a bare newline.
        mode[2] = mode[2] & ~(termios.CSIZE | termios.PARENB) | termios.CS8
        mode[3] &= ~(termios.ECHO | termios.ECHONL | termios.ICANON | termios.ISIG | termios.IEXTEN)
        mode[6][termios.VMIN], mode[6][termios.VTIME] = 1, 0
        termios.tcsetattr(self.descriptor, termios.TCSADRAIN, mode)

    def filter_keys(self, data):
        """What of the typed bytes goes to the guest, and whether Ctrl-C asked to end the run."""
        if self.saved is None:
            return data, False
        passed = bytearray()
        for byte in data:
            if self.literal:
                self.literal = False
            elif byte == CONTROL_BRACKET:
                self.literal = True
                continue
            elif byte == CONTROL_C:
                return bytes(passed), True
            passed.append(byte)
        return bytes(passed), False
