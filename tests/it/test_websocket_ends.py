# SPDX-License-Identifier: MIT
"""How a WebSocket ends: at each side, by the tunnel, by the drain, by a
bound; and which codes go where."""
import concurrent.futures, json, os, signal, struct, time

from harness import Failure, check, equal, until
from wskit import BINARY, CLOSE, CONT, TEXT, App, Ended, Refused, accept, connect, field


class Recorder:
    """Echoes, and keeps the close frames of clients: (code, reason) each,
    None for an end without one."""

    def __init__(self):
        self.closes = []

    def __call__(self, link):
        accept(link)
        try:
            while True:
                op, data = link.recv()
                if op == CLOSE:
                    self.closes.append((struct.unpack(">H", data[:2])[0] if data else 1005, data[2:].decode()))
                    link.send(CLOSE, data)
                    link.end()
                    return
                link.send(op, data)
        except (Ended, OSError):
            self.closes.append(None)


def recorder(s, **more):
    behave = Recorder()
    s.backend = App(behave)
    return behave, s.start(**more)


def test_codes_of_the_client(s):
    behave, phone = recorder(s)
    for code, reason, want in ((1000, "done", (1000, "done")), (1001, "", (1001, "")), (1012, "r", (1012, "r")),
                               (1014, "", (1014, "")), (3000, "é" * 61, (3000, "é" * 61)), (4999, "x", (4999, "x"))):
        ws = connect(s, "/x")
        ws.close(code, reason)
        until(lambda: behave.closes, "the application is told")
        equal(behave.closes.pop(), want, code)
    ws = connect(s, "/x")
    ws.send(CLOSE)
    until(lambda: behave.closes, "the application is told")
    equal(behave.closes.pop(), (1000, ""), "a close without a code")
    ws = connect(s, "/x")
    ws.reset()
    until(lambda: behave.closes, "the application is told")
    equal(behave.closes.pop(), (1001, ""), "a client that vanished")
    phone.wait_log(r"closed by the client \(1001\)")


def test_codes_of_the_application(s):
    """As received, 1012 to 1014 too."""
    def behave(link):
        code, reason = link.line.split()[1][1:].split("/")
        accept(link)
        if code == "none":
            link.send(CLOSE)
        elif code == "one":
            link.send(CLOSE, b"\x03")
        elif code == "cut":
            link.end()
            return
        elif code == "reset":
            link.recv()
            link.reset()
            return
        else:
            link.close(int(code), reason)
        try:
            link.answer = link.recv_close()
        except Ended:
            link.answer = "no close"
    s.backend = App(behave)
    phone = s.start()
    for path, want, answer in (("/1000/ok", (1000, "ok"), 1000), ("/1012/", (1012, ""), 1012),
                               ("/1013/later", (1013, "later"), 1013), ("/1014/", (1014, ""), 1014),
                               ("/4321/" + "r" * 123, (4321, "r" * 123), 4321), ("/none/", (1000, ""), 1005),
                               ("/1005/x", (1002, None), 1002), ("/1006/x", (1002, None), 1002),
                               ("/999/x", (1002, None), 1002), ("/one/", (1002, None), 1002),
                               ("/cut/", (1011, ""), None)):
        ws = connect(s, path)
        code, reason = ws.recv_close()
        equal((code, reason if want[1] is not None else None), want, path)
        if answer:
            until(lambda: hasattr(s.backend.links[-1], "answer"), "the application is answered")
            equal(s.backend.links[-1].answer[0], answer, f"{path}: what the application is answered")
    ws = connect(s, "/reset/")
    ws.send(TEXT, "x")
    equal(ws.recv_close(), (1011, ""), "a reset")
    phone.wait_log(r"ended the connection without a close frame \(1006\)")
    equal([e for e in s.admin("log?since=0").splitlines() if '"bad_close"' in e], [], "codes that may not be sent")


def test_faults_of_the_application(s):
    def behave(link):
        accept(link)
        frame = {"/mask": b"\x81\x80\0\0\0\0", "/rsv": b"\xc1\x00", "/opcode": b"\x83\x00", "/cont": b"\x80\x00",
                 "/utf8": b"\x81\x02\xc3\x28", "/utf8end": b"\x81\x01\xc3", "/ping": b"\x09\x00",
                 "/long": b"\x81\x7e\x00\x01a", "/huge": b"\x82\x7f\x7f\xff\xff\xff\xff\xff\xff\xff",
                 "/inside": b"\x01\x01a\x81\x01b"}[link.line.split()[1]]
        link.sock.sendall(frame)
        link.answer = link.recv_close()
    s.backend = App(behave)
    phone = s.start()
    for path, code in (("/mask", 1002), ("/rsv", 1002), ("/opcode", 1002), ("/cont", 1002), ("/utf8", 1007),
                       ("/utf8end", 1007), ("/ping", 1002), ("/long", 1002), ("/huge", 1009), ("/inside", 1002)):
        ws = connect(s, path)
        equal(ws.recv_close()[0], code, path)
        until(lambda: hasattr(s.backend.links[-1], "answer"), "the application is told")
        equal(s.backend.links[-1].answer[0], code, f"{path}: what the application is told")
    check(phone.has_log(r"/utf8: a text is not UTF-8 \(1007\)"), "the log names the fault")


def test_messages_that_are_too_long(s):
    behave, phone = recorder(s, WS_MAX_MESSAGE="10KiB")
    ws = connect(s, "/x")
    ws.send(BINARY, b"x" * 10240)
    equal(len(ws.recv()[1]), 10240, "as long as allowed")
    ws.send(BINARY, b"x" * 10241)
    equal(ws.recv_close()[0], 1009, "the client is told")
    until(lambda: behave.closes, "the application is told")
    equal(behave.closes.pop()[0], 1009)

    def long(link):
        accept(link)
        for i in range(100):
            link.send(BINARY if i == 0 else CONT, b"y" * 1000, fin=i == 99)
        link.recv()
    s.backend.behave = long
    equal(connect(s, "/x").recv_close()[0], 1009, "of the application")


def test_the_join_is_lost(s):
    behave, phone = recorder(s)
    clients = [connect(s, "/x") for _ in range(5)]
    s.fault("crash")
    until(lambda: len(behave.closes) == 5, "all are closed")
    equal({code for code, _ in behave.closes}, {1001})
    phone.wait_log(r"WebSocket \S+: /x: the tunnel was lost", count=5)
    for ws in clients:
        equal(ws.recv_close()[0], 1014, "switchboard tells its clients")
    phone.wait_log("joined ", count=2)
    ws = connect(s, "/x")
    ws.send(TEXT, "again")
    equal(ws.recv(), (TEXT, b"again"))


def test_the_socket_is_lost(s):
    behave, phone = recorder(s)
    connect(s, "/x")
    s.fault("rst")
    until(lambda: behave.closes, "the application is told")
    equal(behave.closes[0][0], 1001)
    phone.wait_log("joined ", count=2)
    connect(s, "/x").end()


def test_one_of_two_tunnels_is_lost(s):
    """Those of the other one do not notice."""
    behave, phone = recorder(s, TUNNELS=2)
    until(lambda: s.joined() == 2, "both tunnels")
    clients = [connect(s, "/x") for _ in range(6)]
    first = [x["id"] for x in s.state()["sockets"] if x.get("joined")][0]
    s.fault("rst", socket=first)
    until(lambda: len(behave.closes) == 3, "half of them")
    alive = 0
    for ws in clients:
        try:
            ws.send(TEXT, "x")
            alive += ws.recv() == (TEXT, b"x")
        except (Ended, OSError, Failure):
            pass
    equal(alive, 3)


def test_drain(s):
    """A drain does not wait for them, but for what they have queued."""
    behave, phone = recorder(s)
    ws = connect(s, "/x")
    ws.send(TEXT, "last")
    equal(ws.recv(), (TEXT, b"last"))
    begin = time.monotonic()
    phone.stop()
    check(time.monotonic() - begin < 15, "not for SHUTDOWN_TIMEOUT")
    equal(ws.recv_close(), (1001, "telephone leaves"), "the client")
    equal(behave.closes, [(1001, "telephone leaves")], "the application")
    check(phone.has_log(r"drained: closing 1 WebSockets"), "one line")


class Slow(Recorder):
    """The same, and slower: a close is never answered, a plain request after three seconds."""

    def __call__(self, link):
        if field(link, "upgrade"):
            accept(link)
            while True:
                op, data = link.recv()
                if op == CLOSE:
                    self.closes.append(struct.unpack(">H", data[:2])[0])
                else:
                    link.send(op, data)
        time.sleep(3)
        link.sock.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")


def slowly(s, **more):
    """(application, telephone, client of an open WebSocket)"""
    behave = Slow()
    s.backend = App(behave)
    phone = s.start(**more)
    ws = connect(s, "/x")
    ws.send(TEXT, "x")
    equal(ws.recv(), (TEXT, b"x"))
    return behave, phone, ws


def test_a_request_that_comes_while_a_drain_closes_them(s):
    """It is answered, although it takes longer than they do."""
    behave, phone, ws = slowly(s)
    phone.signal(signal.SIGTERM)
    phone.wait_log("drained: closing 1 WebSockets")
    equal(ws.recv_close()[0], 1001)
    equal(s.call("GET", "/slow").status, 200)
    phone.wait_exit(0)
    equal(behave.closes, [1001])
    check(phone.has_log("drained: 1 requests finished, none abandoned"), "it says how many")


def test_a_drain_at_its_timeout_closes_them(s):
    """Requests that do not end keep nobody: neither their WebSockets from a close, nor the telephone."""
    behave, phone, ws = slowly(s, SHUTDOWN_TIMEOUT="500ms")
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        slow = pool.submit(s.call, "GET", "/slow")
        until(lambda: s.state()["in_flight"] == 1, "it is begun")
        phone.signal(signal.SIGTERM)
        equal(ws.recv_close()[0], 1001)
        phone.wait_exit(0)
        equal(slow.result().status, 502)
    equal(behave.closes, [1001])
    check(phone.has_log("drained: 0 requests finished, 1 abandoned at the end of SHUTDOWN_TIMEOUT"), "it says how many")
    check(not phone.has_log("is killed"), "by itself")


def test_idle(s):
    behave, phone = recorder(s, WS_IDLE_TIMEOUT="1s")
    ws = connect(s, "/x")
    for _ in range(4):
        time.sleep(0.5)
        ws.send(TEXT, b"")
        ws.recv()
    check(not behave.closes, "it is in use")
    equal(ws.recv_close()[0], 1001)
    until(lambda: behave.closes, "the application is told")
    equal(behave.closes[0][0], 1001)
    phone.wait_log(r"no message for longer than WS_IDLE_TIMEOUT \(1001\)")


def test_too_many(s):
    behave, phone = recorder(s, WS_MAX_SESSIONS=3)
    clients = [connect(s, "/x") for _ in range(3)]
    for _ in range(20):
        try:
            connect(s, "/x")
            raise Failure("a fourth one")
        except Refused as e:
            check(b"WS_MAX_SESSIONS" in e.body, e.body)
    equal(len(s.backend.links), 3, "the application does not see them")
    check(len(phone.log().split("WS_MAX_SESSIONS")) < 10, "a flood is not a flood of lines")
    clients.pop().close()
    until(lambda: behave.closes, "room again")
    until(lambda: s.state() and phone.has_log("closed by the client"), "room again")
    connect(s, "/x").end()


def test_a_flood_of_connects(s):
    """Neither descriptors nor memory: all but WS_MAX_SESSIONS are refused."""
    behave, phone = recorder(s, WS_MAX_SESSIONS=10)
    worker = phone.child("worker")
    body = {"path": "/x", "query_string": "", "headers": {}}
    for i in range(600):
        s.admin("push", body=json.dumps({"connection_id": f"f-{i}", **body}).encode(), event="ws_connect")
    until(lambda: s.counter("ws_connected") == 10 and s.counter("ws_errors") == 590, "10 are open, 590 refused")
    check(len(os.listdir(f"/proc/{worker}/fd")) < 60, "descriptors")
    equal(len(s.backend.links), 10)
