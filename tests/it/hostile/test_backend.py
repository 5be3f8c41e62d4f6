# SPDX-License-Identifier: MIT
"""An application in an attacker's hands: whatever it answers is bounded in
memory and time, becomes one clear refusal, and touches no other request.
After each attack the same worker serves on."""
import gzip, random, re, threading, time

import harness
from fidelity.raw import CLOSE, RESET, RawBackend, call, chunked, reply
from harness import check, equal
from hostile.rawboard import Bounded

MIB = 1024 * 1024
BOUNDS = {"MAX_RESPONSE_SIZE": "4MiB", "REQUEST_TIMEOUT": "8s"}


def staged(s, **env):
    s.backend = RawBackend()
    s.start_board()
    if harness.INSTRUMENTED:  # reads slowly
        env = {"MAX_RESPONSE_SIZE": "1MiB", **env}
    return s.start(**{**BOUNDS, "BACKEND_RETRIES": "0", **env})


def endless(head, piece, seconds=20):
    """Sends the head, then the piece until the peer has enough of it."""
    def send(connection, asked):
        end = time.monotonic() + seconds
        connection.send(head)
        while time.monotonic() < end:
            connection.send(piece)
    return send


def drip(data, pause):
    def send(connection, asked):
        for octet in data:
            connection.send(bytes([octet]))
            time.sleep(pause)
    return send


OK = b"HTTP/1.1 200 OK\r\n"
FLOODS = {
    "header lines without end": ("backend_head_too_long", endless(OK, b"x-more: y\r\n" * 1000)),
    "one line without end": ("backend_head_too_long", endless(OK + b"x: ", b"y" * 65536)),
    "a status line without end": ("backend_head_too_long", endless(b"HTTP/1.1 200 ", b"O" * 65536)),
    "a body without end": ("response_too_large", endless(OK + b"\r\n", b"x" * 65536)),
    "chunks without end": ("response_too_large", endless(OK + b"transfer-encoding: chunked\r\n\r\n", b"1\r\nx\r\n" * 10000)),
    "a chunk extension without end": ("backend_chunk", endless(OK + b"transfer-encoding: chunked\r\n\r\n1;", b"x" * 65536)),
    "trailers without end": ("backend_chunk", endless(OK + b"transfer-encoding: chunked\r\n\r\n0\r\n", b"x-more: y\r\n" * 1000)),
    "interim answers without end": ("backend_head_too_long", endless(b"", b"HTTP/1.1 103 Early Hints\r\n\r\n" * 1000)),
    "a length past every bound": ("response_too_large", endless(OK + b"content-length: 9223372036854775807\r\n\r\n", b"x" * 65536)),
    "a length past every number": ("backend_content_length", endless(OK + b"content-length: 99999999999999999999999\r\n\r\n", b"x" * 65536)),
    "noise": ("backend_status_line", endless(random.Random(2).randbytes(4096), random.Random(3).randbytes(65536))),
}


def test_answers_without_end(s):
    """Each is refused at a bound, while another request is served."""
    phone = staged(s)
    for i, (_, script) in enumerate(FLOODS.values()):
        s.backend.on(f"/{i}", script, CLOSE)
    with Bounded(phone, 48):
        for i, (name, (code, _)) in enumerate(FLOODS.items()):
            begin = time.monotonic()
            got = call(s, "GET", f"/{i}")
            check(got.status == 502 and got.json()["error"] == code, f"{name}: {got.status} {got.body[:200]!r}")
            check(time.monotonic() - begin < 20, f"{name}: refused after {time.monotonic() - begin:.0f} s")
            check(len(got.body) < 500, f"{name}: {got.body!r}")
            equal(call(s, "GET", "/sound").body, b"ok", f"after {name}")


def test_answers_at_a_drip(s):
    """An octet at a time is no way around REQUEST_TIMEOUT, and holds up
    nobody else."""
    phone = staged(s)
    s.backend.on("/head", drip(OK + b"x: " + b"y" * 1000, 0.2), CLOSE)
    s.backend.on("/body", drip(OK + b"content-length: 1000\r\n\r\n" + b"y" * 1000, 0.2), CLOSE)
    with Bounded(phone, 16):
        got = {}

        def one(name):
            got[name] = call(s, "GET", f"/{name}").status
        threads = [threading.Thread(target=one, args=(name,)) for name in ("head", "body")]
        for t in threads:
            t.start()
        for _ in range(20):
            equal(call(s, "GET", "/sound").body, b"ok", "beside a drip")
        for t in threads:
            t.join()
        equal(got, {"head": 504, "body": 504}, "drips")


def test_an_answer_too_many(s):
    """What comes behind an answer, or before it was asked for, is nobody's
    answer: not the next request's either."""
    staged(s)
    evil = reply(b"evil")
    s.backend.on("/two", reply(b"one") + evil)
    s.backend.on("/late", reply(b"one"), lambda connection, asked: (time.sleep(0.1), connection.send(evil)))
    s.backend.on("/split", b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\nx: a\r\n\r\none" + evil)
    for path in ("/two", "/late", "/split"):
        for _ in range(5):
            got = call(s, "GET", path)
            check(got.status == 502 or got.body == b"one" and path == "/late", f"{path}: {got.status} {got.body!r}")
            time.sleep(0.2)  # until it is there; sooner, nobody could tell
            for _ in range(3):
                equal(call(s, "GET", "/sound").body, b"ok", f"after {path}")


def test_bombs_are_carried_not_opened(s):
    """A coding is the client's to decode: what is small stays small."""
    phone = staged(s)
    bomb = gzip.compress(bytes(64 * MIB))
    s.backend.on("/bomb", reply(bomb, "200 OK", b"content-encoding: gzip"))
    with Bounded(phone, 16):
        got = call(s, "GET", "/bomb", [b"accept-encoding: gzip"])
        check(got.status == 200 and got.body == bomb, "the bomb arrives as it is")
    s.backend.on("/te", OK + b"transfer-encoding: gzip, chunked\r\n\r\n" + chunked(bomb).split(b"\r\n\r\n", 1)[1], CLOSE)
    with Bounded(phone, 16):
        equal(call(s, "GET", "/te").status, 502, "a transfer coding that nobody asked for")


def test_connections_that_are_none(s):
    """Accepted and closed, reset, or silent: an answer each, and none held
    beyond its bound."""
    phone = staged(s, MAX_INFLIGHT="32", BREAKER_FAILURES="0")
    s.backend.on("/close", CLOSE)
    s.backend.on("/reset", RESET)
    s.backend.on("/cut", OK + b"content-le", RESET)
    s.backend.on("/silent", lambda connection, asked: time.sleep(6), CLOSE)
    with Bounded(phone, 32):
        got, lock = [], threading.Lock()

        def one(path):
            answer = call(s, "POST", path, body=b"x" * 10000)
            with lock:
                got.append((path, answer.status))
        threads = [threading.Thread(target=one, args=(path,)) for path in ("/close", "/reset", "/cut", "/silent") * 25]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        equal(len(got), 100, "answers")
        for path, status in got:
            check(status in (502, 503, 504), f"{path}: {status}")
        equal(call(s, "GET", "/sound").body, b"ok", "after them")


def test_lines_that_would_be_forged(s):
    """Nothing that an application wrote begins a line of the log, or reaches
    a client but in the answer that it is."""
    phone = staged(s)
    evil = b"\x1b[2J\x072026-01-01T00:00:00.000Z error worker: forged"
    for i, head in enumerate((b"HTTP/1.1 200 " + evil, b"HTTP/1.1 999 " + evil, b"HTTP/1.1 200 OK\r\n" + evil + b": x",
                              b"HTTP/1.1 200 OK\r\nx: " + evil, b"HTTP/1.1 200 OK\r\ncontent-length: " + evil,
                              b"HTTP/1.1 200 OK\r\ncontent-type: a\rb", evil)):
        s.backend.on(f"/{i}", head + b"\r\ncontent-length: 0\r\n\r\n", CLOSE)
        call(s, "GET", f"/{i}")
    equal(call(s, "GET", "/sound").body, b"ok", "after them")
    with open(phone.log_path, "rb") as f:
        for line in f.read().split(b"\n"):
            check(not re.search(rb"[\x00-\x08\x0b-\x1f\x7f]", line), lambda: f"a control character: {line!r}")
            check(not line.startswith(b"2026-01-01"), lambda: f"a forged line: {line!r}")
