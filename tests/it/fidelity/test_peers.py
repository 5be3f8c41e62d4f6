# SPDX-License-Identifier: MIT
"""The recording peers themselves: what they say they saw is what came."""
import socket

from fidelity.raw import CLOSE, HOLD, RESET, RawBackend, Stream, answers, ask, call, chunked, push, reply, split_head
from harness import check, equal, until


def to(backend, data, end=True):
    with socket.create_connection(("127.0.0.1", backend.ports["http"]), timeout=20) as sock:
        sock.sendall(data)
        if end:
            sock.shutdown(socket.SHUT_WR)
        return Stream(sock).rest()


def test_a_backend_records_octets(s):
    backend = RawBackend()
    backend.on("/cut", b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhi", CLOSE)
    first = b"PoST /a/../%2f//?x[ HTTP/1.1\r\nHost:  a \r\nX:\xe9\r\nx: 2\r\ncontent-length: 3\r\n\r\na\0b"
    second = b"GET /cut HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n1;x=y\r\nc\r\n0\r\nT: t\r\n\r\n"
    got = to(backend, first + second, end=False)
    equal(got, reply(b"ok") + b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhi")
    one, two = backend.requests
    equal((one.raw, two.raw), (first, second), "as sent")
    equal((one.method, one.target, one.body), (b"PoST", b"/a/../%2f//?x[", b"a\0b"))
    equal((one.all("x"), one.one("HOST"), one.one("nothing")), ([b"\xe9", b"2"], b"a", None))
    equal((two.body, one.connection, two.connection, backend.connections), (b"abc", 1, 1, 1))
    equal((len(backend.of("/cut")), backend.last().target), (1, b"/cut"))
    backend.on("*", RESET)
    try:
        equal(to(backend, b"GET / HTTP/1.1\r\n\r\n", end=False), "a reset")
    except ConnectionResetError:
        pass
    backend.on("*", HOLD)
    equal(to(backend, b"GET / HTTP/1.1\r\n\r\n"), b"", "held until the peer went")
    equal(backend.connections, 3)
    backend.stop()


def test_a_client_sees_octets(s):
    s.backend = RawBackend(reply(b"\0\xff\r\n", "200 OK", "X-A:  b\xe9".encode("latin-1")))
    s.start()
    answer = call(s, "GET", "/x?y", ["X-B: 1"])
    equal((answer.status, answer.body, answer.one("x-a")), (200, b"\0\xff\r\n", "b\xe9".encode()))
    equal((s.backend.last().target, s.backend.last().one("x-b")), (b"/x?y", b"1"))
    equal(split_head(answer.raw)[2], answer.body, "the body's octets are the message's")
    s.backend.on("/chunks", chunked(b"one", b"\xfftwo"))
    equal(call(s, "POST", "/chunks", body=b"q").body, b"one\xfftwo")
    equal(s.backend.last().body, b"q")


def test_a_request_by_hand(s):
    s.backend = RawBackend(reply(b"\0\xff" + b"text"))
    s.start()
    res = ask(s, method="X-Y", path="/a?b", query_string="q", headers={"x-a": "\u00e9"}, body="b\0")
    equal((res.status, res.body), (200, b"\0\xfftext"))
    seen = s.backend.last()
    equal((seen.method, seen.target, seen.body), (b"X-Y", b"/a%3Fb?q", b"b\0"))
    equal(seen.one("x-a"), "\u00e9".encode())
    equal(ask(s, path=None).status, 400, "a member that is missing")
    request_id = push(s)
    until(lambda: answers(s, request_id), "its answer")
    check(len(answers(s, request_id)) == 1, "one request, one answer")
