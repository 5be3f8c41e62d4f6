# SPDX-License-Identifier: MIT
"""WebSockets under pressure: sides that take little, a flood of connects, a
reload, and TLS to the application."""
import json, socket, threading, time

import harness
from harness import check, equal, until
from test_tunnel import certificate
from wskit import BINARY, TEXT, App, Refused, accept, connect, echo, tls_app


def rss_kib(pid):
    with open(f"/proc/{pid}/status") as f:
        return int(next(line for line in f if line.startswith("VmRSS")).split()[1])


def test_an_application_that_takes_nothing(s):
    """It loses that connection, and no other one notices."""
    def behave(link):
        if link.line.startswith("GET /stuck"):
            accept(link)
            time.sleep(60)
        else:
            echo(link)
    s.backend = App(behave)
    phone = s.start(WS_QUEUE_SIZE="64KiB")
    other, ws = connect(s, "/x"), connect(s, "/stuck")

    def flood():
        try:
            for _ in range(1000):
                ws.send(BINARY, bytes(60000))
        except OSError:
            pass  # closed meanwhile
    thread = threading.Thread(target=flood, daemon=True)
    thread.start()
    code, reason = ws.recv_close()
    equal(code, 1011)
    check("takes too little" in reason, reason)
    phone.wait_log(r"/stuck: the application takes too little [^;]*\(1011\)")
    ws.end()
    thread.join(30)
    other.send(TEXT, "still")
    equal(other.recv(), (TEXT, b"still"), "the other one")
    check(phone.has_log("joined") and not phone.has_log("joining again"), "the tunnel stays")


def test_a_plugboard_that_takes_little(s):
    """The application waits, not the memory; and HTTP goes on meanwhile."""
    count, size = 1500, 16384
    sent = []

    def behave(link):
        link.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65536)
        accept(link)
        for i in range(count):
            link.send(BINARY, i.to_bytes(4, "big") + bytes(size - 4))
            sent.append(i)
        link.recv()

    def http(link):
        if "upgrade" in {k.lower() for k, _ in link.fields}:
            return behave(link)
        link.sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
        link.end()
    s.start_board(read_rate=4000000)
    s.backend = App(http)
    phone = s.start()
    worker = phone.child("worker")
    before = rss_kib(worker)
    ws = connect(s, "/x", timeout=60)
    time.sleep(1)
    check(len(sent) < count, "the application has to wait")
    equal(s.call("GET", "/hello").body, b"ok", "HTTP in the same tunnel")
    worst = 0
    for i in range(count):
        op, data = ws.recv()
        equal((op, data[:4], len(data)), (BINARY, i.to_bytes(4, "big"), size), "in order and whole")
        if i % 50 == 0:
            worst = max(worst, rss_kib(worker) - before)
    check(harness.INSTRUMENTED or worst < 12 * 1024, f"the worker grew by {worst} KiB")
    check(not phone.has_log("ended:"), "the tunnel stays")


def test_memory_is_flat_under_connects(s):
    """Those that are refused leave nothing behind."""
    s.backend = App(echo)
    phone = s.start(WS_MAX_SESSIONS=4)
    worker = phone.child("worker")

    def flood(name, n):
        before = s.counter("ws_connected") + s.counter("ws_errors")
        for i in range(n):
            s.admin("push", event="ws_connect", body=json.dumps(
                {"connection_id": f"{name}-{i}", "path": "/x", "query_string": "", "headers": {}}).encode())
        until(lambda: s.counter("ws_connected") + s.counter("ws_errors") - before == n, "one answer for each")
    flood("warm", 300)
    before = rss_kib(worker)
    flood("more", 3000)
    grown = rss_kib(worker) - before
    check(harness.INSTRUMENTED or grown < 2048, f"{grown} KiB for 3000 connects")
    equal(len(s.backend.links), 4, "connections that the application saw")


def test_an_id_that_is_used_again(s):
    s.backend = App(echo)
    phone = s.start()
    for n in range(3):
        body = {"connection_id": "again", "path": "/x", "query_string": "", "headers": {}}
        s.admin("push", body=json.dumps(body).encode(), event="ws_connect")
        until(lambda: s.counter("ws_connected") == n + 1, "ws_connected")
        s.admin("push", body=b'{"connection_id":"again","code":1000,"reason":""}', event="ws_close")
        phone.wait_log(r"WebSocket again: /x: closed by the client \(1000\)", count=n + 1)
    equal(len(s.backend.links), 3, "one connection for each")


def test_a_reload(s):
    """The old worker's are closed with 1001, new ones come to the new one."""
    s.backend = App(echo)
    phone = s.start()
    ws = connect(s, "/x")
    phone.ctl("reload")
    equal(ws.recv_close()[0], 1001)
    phone.wait_log(r"info worker: joined ", count=2)
    ws = connect(s, "/x")
    ws.send(TEXT, "new")
    equal(ws.recv(), (TEXT, b"new"))


def test_wss_of_an_unknown_ca(s):
    s.backend = tls_app(*certificate(s.dir, "localhost"))
    phone = s.start(BACKEND_SCHEME="https", BACKEND_HOST="localhost")
    try:
        connect(s, "/x")
        raise AssertionError("it was upgraded")
    except Refused as e:
        check(b"TLS with the application failed" in e.body, e.body)
    phone.wait_log(r"TLS with the application failed: self.signed certificate")
    equal(len(s.backend.links), 0, "nothing was said to it")
