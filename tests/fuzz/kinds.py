"""What each descriptor of a process is good for, so that a random call can be one that fits."""

from __future__ import annotations

from collections.abc import Iterator

from pyhost.fs.eventpoll import eventpoll_fops
from pyhost.fs.file import FMODE_CAN_READ, File, FilesStruct
from pyhost.fs.pipe import pipefifo_fops
from pyhost.fs.ramfs import ramfs_file_operations
from pyhost.net.core.sock import TCP_ESTABLISHED, TCP_LISTEN
from pyhost.net.socket import socket_file_ops

__all__ = ["Kinds"]

SECOND_CHOICE = {
    "listener": "idle_listener", "readable": "connected", "full_pipe": "pipe", "regular": "any",
    "connected": "socket", "idle_listener": "socket", "pipe": "any", "epoll": "any",
    "socket": "any",
}  # fmt: skip
"""Where to look when there is none of a kind."""


def _kinds_of(file: File) -> Iterator[str]:
    if file.f_op is socket_file_ops:
        sk = file.private_data.sk
        yield "socket"
        if sk.sk_state == TCP_LISTEN:
            yield "listener" if sk.accept_queue else "idle_listener"
        elif sk.sk_state == TCP_ESTABLISHED:
            yield "connected"
        if sk.sk_receive_queue:
            yield "readable"
    elif file.f_op is pipefifo_fops:
        yield "pipe"
        if file.private_data.available and file.f_mode & FMODE_CAN_READ:
            yield "full_pipe"
    elif file.f_op is eventpoll_fops:
        yield "epoll"
    elif file.f_op is ramfs_file_operations:
        yield "regular"


class Kinds:
    """Lists of descriptors by kind; none is ever empty."""

    def __init__(self) -> None:
        self._by_kind: dict[str, list[int]] = {}

    def look(self, files: FilesStruct) -> None:
        """Sort the descriptors anew."""
        self._by_kind = {"any": sorted(files.fds)}
        for fd in self._by_kind["any"]:
            for kind in _kinds_of(files.fds[fd]):
                self._by_kind.setdefault(kind, []).append(fd)

    def __getitem__(self, kind: str) -> list[int]:
        while kind in SECOND_CHOICE and kind not in self._by_kind:
            kind = SECOND_CHOICE[kind]
        return self._by_kind.get(kind) or [0]
