"""Ports of local services: a free one where none was asked for, a clear message where one is taken."""

from __future__ import annotations

import socket

import psutil

from infra.errors import InfraError

HOST = "127.0.0.1"


def free_port() -> int:
    """A port of the loopback interface that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def is_free(port: int) -> bool:
    """Whether a service could listen on this port of the loopback interface now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a port in TIME_WAIT is free
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def claim(service: str, asked: int | None, *, usual: int | None = None, option: str = "another port") -> int:
    """The port for a service: the asked one, which must be free; else the usual one if free; else a free one.

    Raises `InfraError` when the asked port is taken, naming who has it where that can be known.
    """
    if asked:
        if not is_free(asked):
            raise InfraError(
                f"port {asked} for {service} is taken{_holder(asked)};"
                f" end that, choose another with {option}, or leave it out for a free one"
            )
        return asked
    if usual and is_free(usual):
        return usual
    return free_port()


def _holder(port: int) -> str:
    try:
        for connection in psutil.net_connections("tcp"):
            if connection.status == psutil.CONN_LISTEN and connection.laddr[1:] == (port,) and connection.pid:
                return f" by {psutil.Process(connection.pid).name()} (process {connection.pid})"
    except psutil.Error:
        pass
    return ""
