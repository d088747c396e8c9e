"""Messages between the pool and one worker.

A message is a whole packet of a local socket, so whoever takes one has all of it, and nobody else has it: the pool can take back what a
worker has not begun. A message that is too large for a packet lies in a file whose name is the packet. Invariant: messages keep their order.
Called by ``pool`` and ``worker``.
"""

from __future__ import annotations

import contextlib
import itertools
import mmap
import os
import socket
import sys
from typing import Any

__all__ = ["Channel", "ChannelClosedError", "open_pair"]

_KIND = socket.SOCK_SEQPACKET if sys.platform == "linux" else socket.SOCK_DGRAM
_PACKET = 64 << 10
"""Three of these fit into the buffer that a socket has by default."""
_WHOLE, _FILE = b"W", b"F"


class ChannelClosedError(Exception):
    """The other side is gone."""


def open_pair() -> tuple[socket.socket, socket.socket]:
    """Return the two ends of a new channel."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, _KIND)
    for end in (ours, theirs):
        end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 * _PACKET)
        end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 * _PACKET)
    return ours, theirs


class Channel:
    """One end of a channel; one thread sends and one receives at a time.

    Args:
        end: The socket.
        folder: Where messages lie that are too large for a packet.
    """

    def __init__(self, end: socket.socket, folder: str) -> None:
        self.end = end
        self._folder = folder
        self._serial = itertools.count()
        self._buffer = memoryview(bytearray(_PACKET + 1))

    def send(self, data: bytes, *, wait: bool = True) -> bool:
        """Send a message; without ``wait``, return False when it has no room now.

        Raises:
            ChannelClosedError: The other side is gone.
        """
        packet = _WHOLE + data if len(data) < _PACKET else _FILE + self._write_file(data)
        try:
            self.end.send(packet, 0 if wait else socket.MSG_DONTWAIT)
        except BlockingIOError:
            _remove_file(packet)
            return False
        except OSError as error:
            _remove_file(packet)
            raise ChannelClosedError from error
        return True

    def _write_file(self, data: bytes) -> bytes:
        path = f"{self._folder}/message-{os.getpid()}-{self.end.fileno()}-{next(self._serial)}"
        with open(path, "xb") as file:
            file.write(data)
        return os.fsencode(path)

    def receive(self, *, wait: bool = True) -> Any:
        """Return the next message, as a buffer that the next call overwrites; without ``wait``, None when there is none.

        Raises:
            ChannelClosedError: The other side is gone, and all that it sent has been read.
        """
        try:
            size = self.end.recv_into(self._buffer, 0, 0 if wait else socket.MSG_DONTWAIT)
        except BlockingIOError:
            return None
        except OSError as error:
            raise ChannelClosedError from error
        if not size:
            raise ChannelClosedError
        if self._buffer[:1] == _WHOLE:
            return self._buffer[1:size]
        return _read_file(os.fsdecode(bytes(self._buffer[1:size])))

    def close(self) -> None:
        """Let go of the socket."""
        self.end.close()


def _read_file(path: str) -> Any:
    """Map a message, so that arrays in it are not copied, and remove its name."""
    with open(path, "rb") as file:
        os.unlink(path)
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)


def _remove_file(packet: bytes) -> None:
    if packet[:1] == _FILE:
        with contextlib.suppress(OSError):
            os.unlink(packet[1:])
