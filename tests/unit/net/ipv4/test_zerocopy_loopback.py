"""MSG_ZEROCOPY to a receiver on the same machine: it gets copies, and the news says so."""

from __future__ import annotations

from pyhost.mm.iov_iter import ITER_DEST, ITER_SOURCE, IovIter
from pyhost.mm.mmap import MmStruct
from pyhost.net.core.sock import MsgHdr
from pyhost.net.ipv4.tcp.tcp import tcp_prot
from pyhost.uapi.socket import MSG_ERRQUEUE, MSG_ZEROCOPY
from tests.unit.net.ipv4.tcp.tcp_apps import accept, connect, listener, recv
from tests.unit.net.support import seconds, two_hosts

LOCALHOST = 0x7F000001


def test_a_receiver_on_this_machine_reads_what_was_sent_and_not_what_is_there_now() -> None:
    pair = two_hosts()
    host = pair.a
    mm = MmStruct(host.kernel.mem)
    base = mm.mmap(4096)
    mm.write(base, b"before")
    page = next(mm.runs(base, 1, 1))[0]
    server = listener(host, 7)
    got: list[object] = []

    def client() -> None:
        sk = connect(host, LOCALHOST, 7)
        sk.sk_zerocopy = True
        it = IovIter.ubuf(ITER_SOURCE, mm, base, 6)
        assert tcp_prot.sendmsg(sk, MsgHdr(it, MSG_ZEROCOPY), 6) == 6
        mm.write(base, b"after!")
        host.kernel.sched.schedule_timeout(seconds(1))
        msg = MsgHdr(IovIter.kvec(ITER_DEST, host.kernel.mem, []))
        msg.controllen = 512
        assert tcp_prot.recvmsg(sk, msg, 0, MSG_ERRQUEUE) == 0
        got.append(msg.control[16 + 6])

    host.spawn(client)
    host.spawn(lambda: got.append(recv(accept(server), 100)))
    pair.run(until=seconds(3))
    assert got == [b"before", 1]
    assert page.refcount == 1
    assert host.kernel.user.locked_vm == 0
