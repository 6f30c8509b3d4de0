"""Which function serves which system call. Linux: arch/x86/entry/syscalls/syscall_64.tbl."""

from __future__ import annotations

from collections.abc import Callable

from pyhost.fs.eventpoll import sys_epoll_create1, sys_epoll_ctl, sys_epoll_wait
from pyhost.fs.fcntl import sys_fcntl, sys_ioctl
from pyhost.fs.open import sys_close, sys_dup, sys_dup3, sys_fstat, sys_open
from pyhost.fs.pipe import sys_pipe2
from pyhost.fs.read_write import (
    sys_lseek,
    sys_pread64,
    sys_pwrite64,
    sys_read,
    sys_readv,
    sys_write,
    sys_writev,
)
from pyhost.fs.select import sys_poll
from pyhost.fs.sendfile import sys_sendfile, sys_splice
from pyhost.kernel.time_syscalls import sys_clock_gettime, sys_exit, sys_getpid, sys_nanosleep
from pyhost.net.socket_messages import sys_recvfrom, sys_recvmsg, sys_sendmsg, sys_sendto
from pyhost.net.socket_mmsg import sys_recvmmsg, sys_sendmmsg
from pyhost.net.socket_syscalls import (
    sys_accept4,
    sys_bind,
    sys_connect,
    sys_getpeername,
    sys_getsockname,
    sys_getsockopt,
    sys_listen,
    sys_setsockopt,
    sys_shutdown,
    sys_socket,
    sys_socketpair,
)

__all__ = ["SYSCALLS"]

SYSCALLS: dict[str, Callable[..., int]] = {
    "accept4": sys_accept4,
    "bind": sys_bind,
    "clock_gettime": sys_clock_gettime,
    "close": sys_close,
    "connect": sys_connect,
    "dup": sys_dup,
    "dup3": sys_dup3,
    "epoll_create1": sys_epoll_create1,
    "epoll_ctl": sys_epoll_ctl,
    "epoll_wait": sys_epoll_wait,
    "exit": sys_exit,
    "fcntl": sys_fcntl,
    "fstat": sys_fstat,
    "getpeername": sys_getpeername,
    "getpid": sys_getpid,
    "getsockname": sys_getsockname,
    "getsockopt": sys_getsockopt,
    "ioctl": sys_ioctl,
    "listen": sys_listen,
    "lseek": sys_lseek,
    "nanosleep": sys_nanosleep,
    "open": sys_open,
    "pipe2": sys_pipe2,
    "poll": sys_poll,
    "pread64": sys_pread64,
    "pwrite64": sys_pwrite64,
    "read": sys_read,
    "readv": sys_readv,
    "recvfrom": sys_recvfrom,
    "recvmmsg": sys_recvmmsg,
    "recvmsg": sys_recvmsg,
    "sendfile": sys_sendfile,
    "sendmmsg": sys_sendmmsg,
    "sendmsg": sys_sendmsg,
    "sendto": sys_sendto,
    "setsockopt": sys_setsockopt,
    "shutdown": sys_shutdown,
    "socket": sys_socket,
    "socketpair": sys_socketpair,
    "splice": sys_splice,
    "write": sys_write,
    "writev": sys_writev,
}
