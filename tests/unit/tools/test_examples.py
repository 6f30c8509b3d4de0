"""examples/: ordinary programs, so they run over the real loopback interface as well."""

from __future__ import annotations

import hashlib
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[3] / "examples"
LOCALHOST = "127.0.0.1"


def start(*argv: str | Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-W", "error", *map(str, argv)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def output(program: subprocess.Popen[str]) -> str:
    """What the program printed, once it has ended well."""
    out, err = program.communicate(timeout=60)
    assert (program.returncode, err) == (0, "")
    return out


@pytest.fixture
def free_port() -> str:
    with socket.create_server((LOCALHOST, 0)) as server:
        return str(server.getsockname()[1])


@pytest.fixture
def payload(tmp_path: Path) -> Path:
    path = tmp_path / "payload.bin"
    path.write_bytes(bytes(i * i & 0xFF for i in range(300_001)))
    return path


@pytest.mark.parametrize("sender", ["01_send_file.py", "04_sendfile.py"])
def test_a_file_arrives_whole(sender: str, payload: Path, free_port: str) -> None:
    receiving = start(EXAMPLES / "01_receive_file.py", LOCALHOST, free_port)
    sending = start(EXAMPLES / sender, payload, LOCALHOST, free_port)
    digest = hashlib.sha256(payload.read_bytes()).hexdigest()
    assert output(sending).startswith("sent     300001 bytes")
    assert output(receiving) == f"received 300001 bytes  sha256 {digest}\n"


def test_both_sides_of_the_file_transfer_print_one_digest(payload: Path, free_port: str) -> None:
    receiving = start(EXAMPLES / "01_receive_file.py", LOCALHOST, free_port)
    sending = start(EXAMPLES / "01_send_file.py", payload, LOCALHOST, free_port)
    assert output(sending).split()[1:] == output(receiving).split()[1:]


def test_datagrams_come_back() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind((LOCALHOST, 0))
        client = start(EXAMPLES / "02_udp_echo.py", LOCALHOST, str(server.getsockname()[1]))
        sizes = []
        for _ in range(5):
            data, sender = server.recvfrom(65535)
            server.sendto(data, sender)
            sizes.append(len(data))
    assert len(output(client).splitlines()) == 5
    assert sizes == [0, 1, 18, 512, 1472]


def test_three_streams_come_back_intact() -> None:
    with socket.create_server((LOCALHOST, 0)) as server:
        client = start(EXAMPLES / "03_threads_select.py", LOCALHOST, str(server.getsockname()[1]))
        echoes = [threading.Thread(target=echo, args=(server.accept()[0],)) for _ in range(3)]
        for thread in echoes:
            thread.start()
        assert output(client).endswith("3 of 3 streams came back intact\n")
        for thread in echoes:
            thread.join()


def test_all_memory_comes_back_from_a_zero_copy_send() -> None:
    with socket.create_server((LOCALHOST, 0)) as server:
        client = start(EXAMPLES / "05_zerocopy.py", LOCALHOST, str(server.getsockname()[1]))
        with server.accept()[0] as connection:
            received = 0
            while data := connection.recv(65536):
                received += len(data)
    *_, last = output(client).splitlines()
    assert last.startswith(f"{received} bytes in ")
    assert received == 200_000


def test_one_send_makes_many_datagrams() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind((LOCALHOST, 0))
        client = start(EXAMPLES / "06_udp_segment.py", LOCALHOST, str(server.getsockname()[1]))
        for _ in range(9):
            data, sender = server.recvfrom(65535)
            server.sendto(data, sender)
    assert output(client) == f"one send, datagrams of {'1200 ' * 8}400\n"


def test_four_connections_are_served_by_edges() -> None:
    with socket.create_server((LOCALHOST, 0)) as server:
        client = start(EXAMPLES / "07_epoll_edge.py", LOCALHOST, str(server.getsockname()[1]))
        echoes = [threading.Thread(target=echo, args=(server.accept()[0],)) for _ in range(4)]
        for thread in echoes:
            thread.start()
        assert output(client).startswith("4 of 4 connections came back intact after ")
        for thread in echoes:
            thread.join()


def test_a_port_where_nobody_listens_refuses(free_port: str) -> None:
    with socket.create_server((LOCALHOST, 0)) as server:
        listening = str(server.getsockname()[1])
        lines = output(start(EXAMPLES / "08_ports.py", LOCALHOST, listening, free_port))
    assert [line.split()[2] for line in lines.splitlines()] == ["open", "ConnectionRefusedError"]


def echo(connection: socket.socket) -> None:
    with connection:
        while data := connection.recv(65536):
            connection.sendall(data)
