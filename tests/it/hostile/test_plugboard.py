# SPDX-License-Identifier: MIT
"""A Plugboard in an attacker's hands: whatever it sends is bounded, costs at
most the connection that it came on, and leaves a line that cannot be forged.
After each attack a sound request is answered by the same worker."""
import json, random, re, time

from fidelity.raw import RawBackend
from harness import check, equal, request, until
from hostile.rawboard import Bounded, RawBoard, frame, upgraded

MIB = 1024 * 1024
SIZES = {"MAX_REQUEST_SIZE": "4MiB"}  # small bounds show what is held


def staged(s, **env):
    s.backend = RawBackend()
    board = RawBoard()
    return board, board.start(s, **{**SIZES, **env})


def still_serves(board, name):
    """On this connection or, when the attack cost it, on the next. Names are
    never used twice: an answer is to this very request."""
    end = time.monotonic() + 30
    for attempt in range(1000):
        joins = len(board.joins)
        request_id = f"sound-{name.replace(' ', '-')}-{attempt}"
        try:
            board.request(request_id)
            until(lambda: board.answers(request_id) or len(board.joins) > joins, "an answer", 5)
            equal([a["status"] for a in board.answers(request_id)], [200], name)
            return
        except (OSError, AssertionError):
            check(time.monotonic() < end, f"{name}: no request is answered any more")
            time.sleep(0.05)


def deep(n):
    return b"[" * n + b"]" * n


def test_messages_that_are_none(s):
    """Each is dropped or ends its connection; none ends the worker."""
    board, phone = staged(s)
    texts = {
        "empty": b"",
        "no JSON": b"hello",
        "cut": b'["1",null,"telephone:demo","proxy_req",{"request_id":"x"',
        "an object": b"{}",
        "too short": b'["1",null,"telephone:demo"]',
        "too long": b'["1",null,"telephone:demo","proxy_req",{},{}]',
        "a lone surrogate": b'["1",null,"telephone:demo","proxy_req",{"request_id":"\\ud800"}]',
        "NUL": b'["1",null,"telephone:demo","proxy_req",{"request_id":"a\0b"}]',
        "numbers": b"[1,2,3,4,5]",
        "nulls": b"[null,null,null,null,null]",
        "a number without end": b"[" + b"9" * 100000 + b",1,1,1,1]",
        "deep": deep(500_000),
        "deep payload": b'["1",null,"telephone:demo","proxy_req",' + deep(500_000) + b"]",
        "deep in a member that is skipped": b'["1",null,"telephone:demo","proxy_req",{"x":' + deep(500_000) + b"}]",
        "an event as long as a message": json.dumps(["1", None, "telephone:demo", "e" * 1_000_000, {}]).encode(),
        "a reply to nothing": b'["1","999","telephone:demo","phx_reply",{"status":"ok","response":{}}]',
    }
    with Bounded(phone, 16):
        for name, text in texts.items():
            board.frame(0x81, text)
            still_serves(board, name)
    equal(len(board.joins), 1, "a message that is none costs no connection")


def test_frames_that_are_none(s):
    """RFC 6455 §5: what violates it ends the connection, at once; what only
    never ends is found by the heartbeat that it hides."""
    board, phone = staged(s, HEARTBEAT_INTERVAL="1s", HEARTBEAT_TIMEOUT="1s")
    frames = {
        "a reserved opcode": frame(0x83, b"x"),
        "a reserved control opcode": frame(0x8B, b"x"),
        "RSV1 without an extension": frame(0xC1, b"x"),
        "a long ping": frame(0x89, b"x" * 200),
        "a fragmented ping": frame(0x09, b"x"),
        "a continuation of nothing": frame(0x80, b"x"),
        "text within text": frame(0x01, b"[") + frame(0x81, b"]"),
        "2^63 octets": frame(0x81, b"x", length=1 << 63),
        "2^62 octets": frame(0x81, b"x" * 1000, length=1 << 62),
        "a close code that may not be sent": frame(0x88, b"\x03\xed"),
        "a close of one octet": frame(0x88, b"\x03"),
        "noise": random.Random(6).randbytes(4096),
    }
    with Bounded(phone, 16):
        for name, data in frames.items():
            try:
                board.write(data)
            except OSError:
                pass  # it hung up within the attack
            still_serves(board, name)


def test_a_message_without_end(s):
    """Fragments for ever, and one frame longer than any bound: not held."""
    board, phone = staged(s)
    with Bounded(phone, 16):
        head = b'["1",null,"telephone:demo","proxy_req",{"request_id":"endless","body":"'
        board.frame(0x01, head)
        for _ in range(64):
            board.frame(0x00, b"x" * MIB)
        board.frame(0x80, b'"}]')
        still_serves(board, "64 MiB in fragments")
        board.frame(0x81, head + b"x" * (64 * MIB) + b'"}]')
        still_serves(board, "64 MiB in one frame")


def test_very_small_fragments(s):
    """300,000 empty fragments, each of one octet, and pings between them."""
    board, phone = staged(s)
    with Bounded(phone, 16):
        text = board.text("proxy_req", {"request_id": "crumbs", "method": "GET", "path": "/", "query_string": "",
                                        "headers": {}, "body": ""})
        board.frame(0x01, b"")
        empty = frame(0x00) * 1000
        for _ in range(300):
            board.write(empty)
        board.write(b"".join(frame(0x00, text[i:i + 1]) + frame(0x89, b"p") for i in range(len(text))))
        board.frame(0x80, b"")
        equal(board.answer("crumbs")["status"], 200, "the message that they were")
        still_serves(board, "fragments")


def test_pings_without_end(s):
    """Answered or dropped, never queued without a bound."""
    board, phone = staged(s)
    with Bounded(phone, 16):
        pings = frame(0x89, b"x" * 125) * 1000
        for _ in range(200):
            board.write(pings)
        still_serves(board, "pings")


def test_heads_that_flood(s):
    """Counts and sizes of header fields have bounds; their request is refused
    and named, the others go on."""
    board, phone = staged(s)
    floods = {
        "many": {f"x-{i}": "v" for i in range(20_000)},
        "one long": {"x": "v" * (3 * MIB)},
        "a long name": {"n" * (3 * MIB): "v"},
        "line feeds": {"x": "a\r\nevil: yes"},
        "NUL": {"x": "a\0b"},
        "no token": {"a b": "v", "": "w"},
    }
    with Bounded(phone, 40):
        for name, headers in floods.items():
            request_id = name.replace(" ", "-")
            board.request(request_id, headers=headers)
            got = board.answer(request_id)
            check(got["status"] in (400, 413, 431), f"{name}: {got['status']}")
            check("evil" not in json.dumps(got) and len(got["body"]) < 500, f"{name}: {got['body']!r}")
            still_serves(board, name)
    check(not [r for r in s.backend.requests if b"evil" in r.raw], "a field that was split reached the application")


def test_one_id_many_requests(s):
    """Each is a request of its own; their number is what is bounded."""
    board, phone = staged(s, MAX_INFLIGHT="16")
    with Bounded(phone, 16):
        text = frame(0x81, board.text("proxy_req", {"request_id": "same", "method": "GET", "path": "/",
                                                    "query_string": "", "headers": {}, "body": ""}))
        board.write(text * 5000)
        until(lambda: len(board.answers("same")) >= 5000, "5,000 answers", 60)
        still_serves(board, "reuse")
    equal(len(board.answers("same")), 5000, "one answer a request")


def test_requests_without_end(s):
    """20,000 at an application that does not answer: refused or dropped at a
    bound, the memory flat, and served again when it answers."""
    s.backend = RawBackend()
    s.backend.on("/hang", lambda connection, asked: time.sleep(3), b"HTTP/1.1 204 No Content\r\n\r\n")
    board = RawBoard()
    phone = board.start(s, **SIZES, MAX_INFLIGHT="64", REQUEST_TIMEOUT="5s")
    with Bounded(phone, 32):
        hang = board.text("proxy_req", {"request_id": "flood", "method": "POST", "path": "/hang",
                                        "query_string": "", "headers": {}, "body": "x" * 100})
        batch = frame(0x81, hang) * 1000
        for _ in range(20):
            board.write(batch)
        still_serves(board, "flood")
        check(any("overloaded" in a["body"] for a in board.answers("flood")), "none was refused at once")


def test_lines_that_would_be_forged(s):
    """What an outsider wrote stands in the log with its controls escaped."""
    board, phone = staged(s)
    evil = "x\n2026-01-01T00:00:00.000Z error worker: forged\x1b[2J\x07\u0085\u2028"
    board.request(evil)
    board.request("other", method=evil, path="/" + evil, headers={evil: evil})
    board.message(evil, {"request_id": evil})
    board.message("proxy_req", {"request_id": evil, "path": 5})
    board.message("phx_error", {"reason": evil})
    until(lambda: len(board.joins) > 1, "the rejoin")
    still_serves(board, "forgery")
    with open(phone.log_path, "rb") as f:
        log = f.read()
    for line in log.split(b"\n"):
        check(not re.match(rb"2026-01-01T.*forged", line), lambda: f"a forged line: {line!r}")
        check(not re.search(rb"[\x00-\x08\x0b-\x1f\x7f]", line), lambda: f"a control character: {line!r}")
        check(len(line) < 4096, f"a line of {len(line)} octets")


def test_metrics_do_not_multiply(s):
    """Nothing that an outsider chooses becomes a label."""
    from harness import free_port
    port = free_port()
    board, phone = staged(s, HEALTH_CHECK_PORT=str(port))

    def names():
        text = request(port, "GET", "/metrics").body.decode()
        return {line.rsplit(" ", 1)[0] for line in text.split("\n") if line and not line.startswith("#")}
    before = names()
    for i in range(300):
        board.request(f"m-{i}", method=f"METHOD{i}", path=f"/p{i}", headers={f"h{i}": "x"})
    until(lambda: len(board.answers()) >= 300, "300 answers")
    equal(names() - before, set(), "new time series")


def test_handshakes_that_are_none(s):
    """What is no 101 of RFC 6455 §4.1 is refused, whatever its length, and
    tried again; the worker stays."""
    s.backend = RawBackend()

    def headers_without_end(sock, asked):
        sock.sendall(b"HTTP/1.1 101 Switching Protocols\r\n")
        for _ in range(200):
            sock.sendall(b"x-more: " + b"y" * 100_000 + b"\r\n")

    def drip(sock, asked):
        for octet in upgraded(asked):
            sock.sendall(bytes([octet]))
            time.sleep(0.5)
    greetings = {
        "silence": lambda sock, asked: time.sleep(5),
        "drip": drip,
        "garbage": lambda sock, asked: sock.sendall(random.Random(1).randbytes(100_000)),
        "a wrong accept": lambda sock, asked: sock.sendall(upgraded(asked, b"bm90IHRoZSBrZXkgYXQgYWxsISE=")),
        "an extension nobody asked for": lambda sock, asked: sock.sendall(
            upgraded(asked, None, b"sec-websocket-extensions: permessage-deflate")),
        "200": lambda sock, asked: sock.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\n" + b"x" * MIB),
        "headers without end": headers_without_end,
    }
    board = RawBoard()
    phone = board.start(s, CONNECT_TIMEOUT="1s")
    with Bounded(phone, 16):
        for name, greet in greetings.items():
            joins, tried = len(board.joins), board.connections
            board.greet = greet
            board.cut()
            until(lambda: board.connections >= tried + 2, f"{name}: another attempt", 30)
            equal(len(board.joins), joins, f"{name}: joined all the same")
            board.greet = None
            until(lambda: len(board.joins) > joins, f"{name}: a join after it", 30)
            still_serves(board, name)


def test_replies_that_lie(s):
    """To a join and to a refresh: tokens that are none, long ones, another's."""
    board, phone = staged(s)
    for payload in ({"status": "ok", "response": {"token": "x" * MIB}}, {"status": "ok", "response": {"token": 5}},
                    {"status": "ok", "response": deep(3).decode()}, {"status": 7}, {"status": "ok"}, [], None, "text"):
        board.message("refresh_token_ack", payload)
        board.message("phx_reply", payload)
        board.message("heartbeat_ack", payload)
    still_serves(board, "replies")
    status = phone.status()
    check(status["token"]["state"] == "valid" if "token" in status else True, f"{status}")
