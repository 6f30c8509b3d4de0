"""Sockets of an unmodified program over the loopback device, judged by CPython and Linux."""

from __future__ import annotations

import pytest

PROGRAMS = {
    "TCP with timeouts, makefile and sendfile": """
        import hashlib, os, socket, tempfile, threading
        srv = socket.create_server(("127.0.0.1", 0)); port = srv.getsockname()[1]
        got=[]
        def serve():
            c, a = srv.accept()
            with c, c.makefile("rwb") as f:
                got.append(f.readline()); f.write(b"answer\\n"); f.flush()
                h=hashlib.sha256()
                while (d:=c.recv(65536)): h.update(d)
                got.append(h.hexdigest())
        t=threading.Thread(target=serve); t.start()
        with socket.create_connection(("localhost", port), timeout=5) as s:
            print(s.getpeername()==("127.0.0.1",port), s.gettimeout())
            s.sendall(b"question\\n"); print(s.recv(100))
            data=os.urandom(300000)
            with tempfile.TemporaryFile() as f:
                f.write(data); f.flush(); f.seek(0)
                print(s.sendfile(f))
        t.join(); srv.close(); print(got[0], got[1]==hashlib.sha256(data).hexdigest())
    """,
    "UDP, sendmsg, timeouts and a refused connection": """
        import socket
        s=socket.socket(); s.settimeout(1)
        try: s.connect(("127.0.0.1",1))
        except OSError as e: print(e)
        s.close()
        u=socket.socket(socket.AF_INET, socket.SOCK_DGRAM); u.bind(("127.0.0.1",0))
        u.settimeout(0.5)
        u.sendto(b"dgram", u.getsockname()); print(u.recvfrom(100)[0])
        u.sendmsg([b"a",b"b"],[],0,u.getsockname()); print(u.recvmsg(100)[0])
        try: u.recv(1)
        except TimeoutError as e: print(e)
        u.close()
    """,
    "socketserver with threads": """
        import socket, socketserver, threading
        class H(socketserver.StreamRequestHandler):
            def handle(self): self.wfile.write(self.rfile.readline().upper())
        with socketserver.ThreadingTCPServer(("127.0.0.1",0),H) as sv:
            threading.Thread(target=sv.serve_forever,daemon=True).start()
            with socket.create_connection(sv.server_address) as c:
                c.sendall(b"hi\\n"); print(c.recv(10))
            sv.shutdown()
    """,
    "asyncio streams": """
        import asyncio
        async def main():
            async def h(r,w):
                w.write(await r.readline()); await w.drain(); w.close()
            sv=await asyncio.start_server(h,"127.0.0.1",0)
            r,w=await asyncio.open_connection(*sv.sockets[0].getsockname())
            w.write(b"aio\\n"); print(await r.readline()); w.close()
            await asyncio.sleep(0.25); sv.close()
        asyncio.run(main())
    """,
}


@pytest.mark.parametrize("source", PROGRAMS.values(), ids=PROGRAMS.keys())
def test_a_network_program_prints_what_it_prints_under_linux(as_cpython, source):
    assert as_cpython(source).status == 0


def test_socket_errors_are_those_of_cpython(as_cpython):
    as_cpython("""
        import socket
        s = socket.socket()
        u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        for call in (lambda: s.connect("x"), lambda: s.connect(("127.0.0.1",)),
                     lambda: s.connect(("127.0.0.1", 70000)), lambda: s.bind(("", "x")),
                     lambda: s.send("text"), lambda: s.recv(-1), lambda: s.recv_into(b"ro"),
                     lambda: s.recv_into(bytearray(2), 3), lambda: s.settimeout(-1),
                     lambda: s.send(b"x"), s.getpeername, s.makefile("rb").read,
                     lambda: socket.socket(fileno=-5), lambda: socket.socket(fileno="a"),
                     lambda: socket.inet_aton("300.1.1.1"), lambda: socket.CMSG_LEN(-1),
                     lambda: s.getsockopt(1, 2, 5000), lambda: u.recv(1, socket.MSG_DONTWAIT),
                     lambda: (s.close(), s.recv(1))):
            try:
                print(call())
            except Exception as error:
                print(type(error).__name__, error)
        u.close()
    """)


def test_a_refused_connection_shows_the_program_s_own_frames_alone(as_cpython):
    result = as_cpython('import socket\nsocket.create_connection(("127.0.0.1", 1))')
    assert result.err.endswith("ConnectionRefusedError: [Errno 111] Connection refused\n")


def test_names_are_those_of_the_two_machines(output):
    assert output("""
        import socket
        print(socket.gethostbyname("localhost"), socket.gethostbyname("peer"), socket.gethostname())
        print(socket.getaddrinfo("host", 80, type=socket.SOCK_STREAM)[0][4], socket.if_nameindex())
        try:
            socket.getaddrinfo("example.org", 80)
        except socket.gaierror as error:
            print(error)
    """) == [
        "127.0.0.1 10.0.0.2 host",
        "('10.0.0.1', 80) [(1, 'lo')]",
        "[Errno -2] Name or service not known",
    ]
