"""gdb's commands for Ringfence: `rf` lists them. make debug loads this file; so does
(gdb) source tools/gdb/ringfence.py
"""
import os
import sys

import gdb

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True

from modules import show_modules  # noqa: E402  the path is set just above
from paging import show_walk  # noqa: E402
from tables import show_gdt, show_idt, show_tss  # noqa: E402

COMMANDS = {
    "gdt": show_gdt,
    "idt": show_idt,
    "tss": show_tss,
    "walk": show_walk,
    "modules": show_modules,
}


class Help(gdb.Command):
    """Ringfence's own commands; rf alone lists them."""

    def __init__(self):
        super().__init__("rf", gdb.COMMAND_DATA, gdb.COMPLETE_NONE, prefix=True)

    def invoke(self, argument, from_tty):
        if argument:
            raise gdb.GdbError(f"there is no command rf {argument.split()[0]}: "
                               f"expected one of {', '.join(COMMANDS)}")
        for show in COMMANDS.values():
            print(show.__doc__)


class Command(gdb.Command):
    def __init__(self, name, show):
        self.show = show
        self.__doc__ = show.__doc__
        super().__init__(f"rf {name}", gdb.COMMAND_DATA, gdb.COMPLETE_EXPRESSION)

    def invoke(self, argument, from_tty):
        self.show(argument.strip())


Help()
for command_name, command_show in COMMANDS.items():
    Command(command_name, command_show)
