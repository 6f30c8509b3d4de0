"""struct stat and file types.

Linux: include/uapi/linux/stat.h, arch/x86/include/uapi/asm/stat.h.
"""

from __future__ import annotations

from struct import Struct

S_IFMT = 0o170000
S_IFSOCK = 0o140000
S_IFREG = 0o100000
S_IFDIR = 0o040000
S_IFCHR = 0o020000
S_IFIFO = 0o010000

STAT = Struct("<QQQIII4xQqqqqqqqqq24x")
"""st_dev ino nlink mode uid gid rdev size blksize blocks atime atime_ns mtime mtime_ns ctime
ctime_ns.
"""

IOVEC = Struct("<QQ")
"""struct iovec: base, length."""

TIMESPEC = Struct("<qq")
"""struct timespec: seconds, nanoseconds."""

LOFF_T = Struct("<q")
"""loff_t."""
