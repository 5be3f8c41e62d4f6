# SPDX-License-Identifier: MIT
"""WebSockets of clients: from client to application and back, through
switchboard's upgrade."""
import base64, json, os, struct, time

from harness import check, equal, free_port, until
from wskit import BINARY, CLOSE, CONT, PING, PONG, TEXT, App, Refused, accept, connect, echo, field

TEXTS = ["", "a", "é€😀", "x" * 125, "y" * 126, "z" * 65535, "w" * 65536, "\0\x01\"\\"]


def refused(s, target, headers=None, **more):
    try:
        connect(s, target, headers, **more)
    except Refused as e:
        return e
    raise AssertionError("it was upgraded")


def test_echo(s):
    s.start()
    ws = connect(s, "/ws")
    for text in TEXTS:
        ws.send(TEXT, text)
        equal(ws.recv(), (TEXT, text.encode()), "text")
    for n in (0, 1, 2, 3, 1000, 70000, 1 << 20):
        data = os.urandom(n)
        ws.send(BINARY, data)
        op, got = ws.recv()
        equal(op, BINARY)
        check(got == data, f"{n} bytes differ")
    ws.close(4001, "bye é")
    equal(ws.recv_close()[0], 4001, "the echo of our close")


def test_fragments_become_messages(s):
    s.start()
    ws = connect(s, "/ws")
    ws.send(TEXT, "é".encode()[:1], fin=False)
    ws.send(PING, b"between")
    ws.send(CONT, "é".encode()[1:] + b"b", fin=False)
    ws.send(CONT, b"", fin=True)
    got = [ws.recv() for _ in range(2)]
    check((PONG, b"between") in got, got)
    while (TEXT, "éb".encode()) not in got:
        got.append(ws.recv())


def test_fragments_of_the_application(s):
    def behave(link):
        accept(link)
        for i in range(1000):
            link.send(TEXT if i == 0 else CONT, "é".encode()[i % 2:i % 2 + 1], fin=False)
        link.send(PING, b"amid")
        link.send(CONT, b"", fin=True)
        link.recv()
        link.recv()
    s.backend = App(behave)
    s.start()
    ws = connect(s, "/x")
    equal(ws.recv(), (PING, b"amid"), "the ping")
    equal(ws.recv(), (TEXT, "é".encode() * 500), "the message")


def test_pings_both_ways(s):
    seen = []

    def behave(link):
        accept(link)
        link.send(PING, b"from the application")
        while True:
            op, data = link.recv()
            seen.append((op, data))
            if op == PING:
                link.send(PONG, data)
            if op == CLOSE:
                link.send(CLOSE, data)
                return
    s.backend = App(behave)
    s.start()
    ws = connect(s, "/x")
    equal(ws.recv(), (PING, b"from the application"), "the client sees it")
    until(lambda: (PONG, b"from the application") in seen, "telephone answers it")
    ws.send(PONG, b"an answer of the client")
    ws.send(PING, b"to the application")
    until(lambda: (PONG, b"an answer of the client") in seen, "a pong is relayed")
    until(lambda: (PING, b"to the application") in seen, "a ping is relayed")
    equal([ws.recv(), ws.recv()], [(PONG, b"to the application")] * 2, "switchboard's pong and the application's")
    ws.close()
    equal(ws.recv_close(), (1000, ""))


def test_the_handshake(s):
    """One connection for a client, with the client's own fields."""
    s.backend = App(echo)
    s.start()
    ws = connect(s, "/a%2Fb/%C3%A9;x=1?q=%20a&b=[1]", {
        "Cookie": "a=1; b=2", "Authorization": "Bearer abc", "Origin": "https://example.com", "X-Request-Id": "r-17",
        "Sec-WebSocket-Extensions": "permessage-deflate"})
    ws.send(TEXT, "one")
    equal(ws.recv(), (TEXT, b"one"))
    equal(len(s.backend.links), 1, "connections that the application saw")
    link = s.backend.links[0]
    equal(link.line, "GET /a%2Fb/%C3%A9;x=1?q=%20a&b=[1] HTTP/1.1", "the request line")
    for name, want in (("cookie", "a=1; b=2"), ("authorization", "Bearer abc"), ("origin", "https://example.com"),
                       ("x-request-id", "r-17"), ("upgrade", "websocket"), ("connection", "Upgrade"),
                       ("sec-websocket-version", "13"), ("sec-websocket-extensions", None),
                       ("sec-websocket-protocol", None), ("pragma", None)):
        equal(field(link, name), want, name)
    for name in ("upgrade", "connection", "sec-websocket-version", "sec-websocket-key", "host"):
        equal(sum(k.lower() == name for k, _ in link.fields), 1, f"how often {name} is sent")
    check(len(base64.b64decode(field(link, "sec-websocket-key"))) == 16, "the key")
    equal(s.state()["counters"]["ws_checks"], 1)
    log = s.phones[0].log()
    check("q=" not in log and "Bearer" not in log, "a query or a secret stands in the log")


def test_subprotocols(s):
    offers = []

    def behave(link):
        offer = field(link, "sec-websocket-protocol")
        offers.append(offer)
        path = link.line.split()[1]
        accept(link, offer.split(", ")[1] if path == "/second" else "not-offered" if path == "/other" else None)
        link.recv()
    s.backend = App(behave)
    s.start()
    long = "base64url.bearer." + "A" * 3000
    ws = connect(s, "/second", {"Sec-WebSocket-Protocol": f"one, two, {long}"})
    equal(ws.fields.get("sec-websocket-protocol"), "two", "the chosen one")
    equal(offers[-1], f"one, two, {long}", "offered as sent")
    check("sec-websocket-protocol" not in connect(s, "/none", {"Sec-WebSocket-Protocol": "one"}).fields, "none chosen")
    e = refused(s, "/other", {"Sec-WebSocket-Protocol": "one"})
    check(b"subprotocol that was not offered" in e.body, e.body)


def test_the_application_speaks_first(s):
    def behave(link):
        accept(link)
        for i in range(100):
            link.send(TEXT, str(i))
        link.close(4000, "that was all")
        link.recv()
    s.backend = App(behave)
    s.start()
    ws = connect(s, "/x")
    equal([ws.recv()[1] for _ in range(100)], [str(i).encode() for i in range(100)], "in order, and before the close")
    equal(ws.recv_close(), (4000, "that was all"))


def test_check_refusals(s):
    """Whatever is no WebSocket is said so at once, and without an address."""
    def behave(link):
        path = link.line.split()[1]
        if path == "/garbage":
            link.sock.sendall(b"SSH-2.0-what\r\n\r\n")
        elif path == "/wrong":
            accept(link, accept="dGhlIHNhbXBsZSBub25jZQ==")
        elif path == "/extension":
            accept(link, extra=["Sec-WebSocket-Extensions: permessage-deflate"])
        elif path == "/h2c":
            link.sock.sendall(b"HTTP/1.1 101 Switching\r\nUpgrade: h2c\r\nConnection: upgrade\r\n\r\n")
        elif path == "/flood":
            link.sock.sendall(b"HTTP/1.1 101 Switching\r\n" + b"x: y\r\n" * 20000)
        elif path == "/redirect":
            link.sock.sendall(b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n")
        elif path == "/early":
            link.sock.sendall(b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 404 Not Found\r\n\r\n")
        link.end()
    s.backend = App(behave)
    phone = s.start()
    for path, want in (("/garbage", "not HTTP"), ("/wrong", "wrong sec-websocket-accept"),
                       ("/extension", "extension"), ("/h2c", "upgrades to something else"), ("/flood", "too long"),
                       ("/redirect", "status 302"), ("/early", "status 404"), ("/cut", "during the handshake")):
        e = refused(s, path)
        equal(e.status, 502, path)
        check(want in e.body.decode(), f"{path}: {e.body}")
        check(b"127.0.0.1" not in e.body, f"an address: {e.body}")
    equal(len(s.backend.links), 8, "nothing was followed or tried twice")
    phone.wait_log(r"WebSocket check \S+: /redirect: the application did not accept")
    check(phone.has_log(r"WebSocket check \S+: /early"), "each has its line")


def test_an_application_that_hangs(s):
    s.backend = App(lambda link: time.sleep(60))
    s.start(WS_CONNECT_TIMEOUT="500ms")
    begin = time.monotonic()
    e = refused(s, "/x")
    check(b"did not answer within WS_CONNECT_TIMEOUT" in e.body, e.body)
    check(0.4 < time.monotonic() - begin < 4, "at WS_CONNECT_TIMEOUT, and before Plugboard gives up")


def test_an_application_that_is_not_there(s):
    s.start(BACKEND_PORT=free_port())
    e = refused(s, "/x")
    check(b"cannot be reached" in e.body and b"127.0.0.1" not in e.body, e.body)


def test_an_application_that_comes_back(s):
    """The address that was found is used again, and looked for again."""
    s.start()
    connect(s, "/ws").end()
    s.backend.stop()
    refused(s, "/ws")
    refused(s, "/ws")
    s.start_backend()
    s.phones[0].finish()
    phone = s.spawn(s.env())
    phone.wait_joined()
    connect(s, "/ws").end()


def push(s, event, **payload):
    s.admin("push", body=json.dumps(payload).encode(), event=event)


def test_connect_without_a_check(s):
    """Frames that come before ws_connected keep their order."""
    got = []

    def behave(link):
        time.sleep(0.5)
        accept(link)
        while True:
            got.append(link.recv())
    s.backend = App(behave)
    phone = s.start()
    push(s, "ws_connect", connection_id="c-1", path="/x", query_string="", headers={})
    for i in range(50):
        push(s, "ws_frame", connection_id="c-1", opcode="text", data=base64.b64encode(str(i).encode()).decode())
    until(lambda: s.counter("ws_connected") == 1, "ws_connected")
    until(lambda: len(got) == 50, "all frames")
    equal(got, [(TEXT, str(i).encode()) for i in range(50)], "in order")
    push(s, "ws_close", connection_id="c-1", code=1005, reason="")
    until(lambda: len(got) == 51, "the close")
    equal(got[50], (CLOSE, struct.pack(">H", 1000)), "1005 may not stand on the wire")
    phone.wait_log(r"WebSocket c-1: /x: closed by the client \(1000\) after .*; 50 messages \(90 bytes\)")


def test_malformed_events(s):
    phone = s.start()
    push(s, "ws_check", nothing=1)
    phone.wait_log(r"a ws_check that cannot be answered: no check_id")
    push(s, "ws_connect", connection_id="c-0", path="/a b", query_string="", headers={})
    phone.wait_log(r"WebSocket c-0: refused: the path holds a character")
    push(s, "ws_connect", connection_id="c-0b", path="/ws", headers={"x": "a\r\nb: c"})
    until(lambda: s.counter("ws_errors") == 2, "two errors")
    for i, (more, want) in enumerate((
            ({"opcode": "text", "data": "####"}, "are not base64"), ({"opcode": "text", "data": "YQ"}, "are not base64"),
            ({"opcode": "text"}, "unknown opcode"), ({"opcode": "close", "data": ""}, "unknown opcode"),
            ({"opcode": "ping", "data": base64.b64encode(b"x" * 126).decode()}, "longer than 125 bytes"))):
        push(s, "ws_connect", connection_id=f"m-{i}", path="/ws", query_string="", headers={})
        until(lambda: s.counter("ws_connected") == i + 1, "ws_connected")
        push(s, "ws_frame", connection_id=f"m-{i}", **more)
        phone.wait_log(rf"WebSocket m-{i}: /ws: [^;]*{want}")
    equal(s.counter("ws_errors"), 7, "each ended with ws_error")
    push(s, "ws_frame", connection_id="m-0", opcode="text", data="YQ==")
    push(s, "ws_close", connection_id="m-0", code=1000, reason="")
    push(s, "ws_close", connection_id="unknown", code=1000, reason="")
    ws = connect(s, "/ws")
    ws.send(TEXT, "still")
    equal(ws.recv(), (TEXT, b"still"), "unknown ids are ignored")
    check(not phone.has_log("joining again"), "plugboard was sent what it does not take")


def test_a_second_connect_of_one_id(s):
    s.backend = App(echo)
    phone = s.start()
    for _ in range(2):
        push(s, "ws_connect", connection_id="twice", path="/x", query_string="", headers={})
    phone.wait_log(r"WebSocket twice: refused: a second ws_connect of this id was ignored")
    until(lambda: s.counter("ws_connected") == 1, "the first goes on")
    equal((len(s.backend.links), s.counter("ws_errors")), (1, 0))


def test_a_check_that_nobody_wants(s):
    """No session leaks: the connection is closed after a while."""
    s.backend = App(echo)
    phone = s.start()
    push(s, "ws_check", check_id="k-1", path="/x", query_string="", headers={})
    phone.wait_log(r"WebSocket check k-1: /x: no ws_connect followed", seconds=30)
    until(lambda: getattr(s.backend.links[0], "closed", None) is not None, "it is closed")
    equal(s.backend.links[0].closed[:2], struct.pack(">H", 1001))
