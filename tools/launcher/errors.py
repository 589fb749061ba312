"""Failures that a user can mend, and the exit statuses of the contract."""

STATUS_BAD_INPUT = 2
STATUS_STOPPED = 70
STATUS_PANIC = 71
STATUS_TIMEOUT = 124
STATUS_SIGNAL = 128


class UserError(Exception):
    """The command line or an input file is wrong: one sentence says which and why."""


class ToolMissing(UserError):
    """A program that the run needs is not installed."""

    def __init__(self, program):
        super().__init__(f"{program} is not installed; `./ringfence doctor` says how to mend that")
