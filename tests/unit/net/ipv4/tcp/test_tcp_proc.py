"""/proc/net/tcp, by the columns that ss and netstat read."""

from __future__ import annotations

from pyhost.net.ipv4.tcp.tcp_proc import tcp4_seq_show
from pyhost.uapi.socket import AF_INET, IPPROTO_TCP, SOCK_STREAM, pack_sockaddr_in
from tests.unit.net.support import A_ADDR, two_hosts
from tests.unit.support import Program, run_in_process


def test_a_listener_and_what_it_has_not_accepted() -> None:
    kernel = two_hosts().a.kernel

    def script(program: Program) -> str:
        listener = program("socket", AF_INET, SOCK_STREAM, IPPROTO_TCP)
        address = program.store(pack_sockaddr_in(A_ADDR, 8080))
        assert program("bind", listener, address, 16) == 0
        assert program("listen", listener, 5) == 0
        client = program("socket", AF_INET, SOCK_STREAM, IPPROTO_TCP)
        assert program("connect", client, address, 16) == 0
        program.write(client, b"x" * 9)
        return tcp4_seq_show(kernel.net)

    header, listener, *others = run_in_process(kernel, script).splitlines()
    assert header.split()[:4] == ["sl", "local_address", "rem_address", "st"]
    assert all(len(line) == 149 for line in (header, listener, *others))
    local = f"{A_ADDR.to_bytes(4, 'big')[::-1].hex().upper()}:1F90"
    assert listener.split()[1:5] == [local, "00000000:0000", "0A", "00000000:00000001"]
    assert sorted(line.split()[3] for line in others) == ["01", "01"]
    server = next(line.split() for line in others if line.split()[1] == local)
    client = next(line.split() for line in others if line.split()[2] == local)
    assert server[1:3] == [client[2], client[1]]
    assert server[4] == "00000000:00000009"
