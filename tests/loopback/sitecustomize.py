"""Imported by every Python process that a test starts, as Python starts: whoever asks for another machine is written
into a file, which fails the tests (conftest.py)."""

import os
import sys
import traceback


def _watch(event, arguments):
    if event == "socket.connect" and isinstance(arguments[1], tuple):
        host = arguments[1][0]
    elif event == "socket.getaddrinfo":
        host = arguments[0]
    else:
        return
    if not _is_here(host):
        with open(os.environ["XLT_TESTS_LEFT"], "a") as file:
            file.write(f"{event} {host}\n" + "".join(traceback.format_stack(limit=12)))


def _is_here(host):
    """Whether a host is this machine: its loopback, its own name, or every address that it has."""
    import ipaddress
    import socket

    host = host.decode() if isinstance(host, bytes) else host
    if host in (None, "", "localhost", "0.0.0.0", "::", socket.gethostname()):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


if "XLT_TESTS_LEFT" in os.environ:
    sys.addaudithook(_watch)
