"""A network of its own for a program that insists on listening.

Bochs without a window still offers its screen on TCP port 5900, to every network this computer
is on. In a network namespace of its own nobody else can reach it."""

import ctypes
import fcntl
import os
import socket
import struct

CLONE_NEWUSER = 0x10000000
CLONE_NEWNET = 0x40000000
SIOCSIFFLAGS = 0x8914
IFF_UP = 1


def leave_network():
    """Moves this process into an empty network that has only a loopback device."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNET) != 0 and libc.unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "unshare")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sH22x", b"lo", IFF_UP))


def can_leave_network():
    """Tries it in a child, because some systems let a process leave but not raise its loopback."""
    child = os.fork()
    if child == 0:
        try:
            leave_network()
        except BaseException:  # whatever it is, this child must not run on as a second launcher
            os._exit(1)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    return status == 0
