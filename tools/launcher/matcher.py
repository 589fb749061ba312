"""Watches the console for --expect and --after, whichever way the bytes come in pieces."""

import bisect

WINDOW = 16384  # a match may not be longer than this


class Watch:
    """Finds one regular expression in a stream."""

    def __init__(self, regex):
        self.regex = regex
        self.text = b""

    def feed(self, data):
        """None, or how many bytes of `data` it took until the expression matched first."""
        before = len(self.text)
        self.text += data
        if not self.regex.search(self.text):
            self._forget()
            return None
        # The shortest prefix that matches: the same wherever the stream was cut in pieces.
        counts = range(len(data) + 1)
        return bisect.bisect_left(counts, True, key=lambda n: bool(self.regex.search(self.text[: before + n])))

    def _forget(self):
        """Drops old text, but only whole lines, so that ^ keeps its meaning."""
        if len(self.text) > 2 * WINDOW:
            cut = self.text.find(b"\n", len(self.text) - WINDOW)
            self.text = self.text[cut + 1 if cut >= 0 else len(self.text) - WINDOW :]


class Script:
    """The pairs of --after and --send, in order: each is looked for behind the one before."""

    def __init__(self, afters, texts):
        self.steps = list(zip(afters, texts))
        self.watch = Watch(self.steps[0][0]) if self.steps else None

    def feed(self, data):
        """What is to be typed now."""
        typed = b""
        while self.watch:
            used = self.watch.feed(data)
            if used is None:
                break
            typed += self.steps.pop(0)[1]
            self.watch = Watch(self.steps[0][0]) if self.steps else None
            data = data[used:]
        return typed
