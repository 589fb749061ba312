"""rf modules: what the boot loader brought, as struct boot_info has it."""
import gdb

from machine import CR0_PG, read_registers


def show_modules(argument):
    """rf modules: the boot modules, where they lie and their command lines."""
    if argument:
        raise gdb.GdbError(f"rf modules takes no argument, but got \"{argument}\"")
    if not read_registers()["CR0"] & CR0_PG:
        raise gdb.GdbError("boot_info cannot be read before paging is on: "
                           "run to start first (tbreak start, continue)")
    try:
        info = gdb.parse_and_eval("boot_info")
        if int(info["protocol"]) == 0:
            raise gdb.GdbError("boot_info is still empty: boot_info_read() has not run yet")
        count = int(info["module_count"])
        print(f"{info['protocol'].string()} by {info['loader'].string()}: {count} modules, "
              f"command line \"{info['command_line'].string()}\"")
        for index in range(count):
            module = info["modules"][index]
            start, end = int(module["start"]), int(module["end"])
            print(f"  {index}  {start:09x} to {end:09x}  {end - start:9} bytes  "
                  f"{module['name'].string()} \"{module['text'].string()}\"")
    except gdb.error as problem:
        raise gdb.GdbError(f"boot_info cannot be read: {problem}") from None
