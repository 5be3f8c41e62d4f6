# SPDX-License-Identifier: MIT
"""Answers of the application that are not HTTP/1, or whose end nobody can
know: each is a 502 with a code of its own, and never a body that looks whole
(RFC 9112 §4, §5, §6, §7)."""
import time

from fidelity.raw import CLOSE, HOLD, RESET, RawBackend, Sleep, ask, call, chunked, reply
from harness import check, equal, until

OK = b"HTTP/1.1 200 OK\r\n"


def refused(s, cases):
    """Each case: name, code of the error, answer of the application."""
    s.backend = s.backend or RawBackend()
    if not s.phones:
        s.start()
    for number, (name, code, answer) in enumerate(cases):
        s.backend.on(f"/{number}", answer, CLOSE)
        got = call(s, "GET", f"/{number}")
        equal((got.status, got.json()["error"]), (502, code), name)
        equal(got.one("content-type"), b"application/json", name)
    s.backend.on("/good", reply(b"good"))
    equal(call(s, "GET", "/good").body, b"good", "and it still serves")


def test_status_lines(s):
    body = b"Content-Length: 5\r\n\r\nhello"
    refused(s, [
        ("HTTP/0.9", "backend_status_line", b"hello there\r\n\r\n"),
        ("nothing of the kind", "backend_status_line", b"ICY 200 OK\r\n" + body),
        ("white space first", "backend_status_line", b" HTTP/1.1 200 OK\r\n" + body),
        ("two digits", "backend_status_line", b"HTTP/1.1 20 OK\r\n" + body),
        ("four digits", "backend_status_line", b"HTTP/1.1 2000 OK\r\n" + body),
        ("no digits", "backend_status_line", b"HTTP/1.1 abc OK\r\n" + body),
        ("no space behind the digits", "backend_status_line", b"HTTP/1.1 200OK\r\n" + body),
        ("two spaces", "backend_status_line", b"HTTP/1.1  200 OK\r\n" + body),
        ("another version", "backend_status_line", b"HTTP/2 200 OK\r\n" + body),
        ("another version", "backend_status_line", b"HTTP/1.2 200 OK\r\n" + body),
        ("a CR in the reason", "backend_status_line", b"HTTP/1.1 200 O\rK\r\n" + body),
        ("a NUL in the reason", "backend_status_line", b"HTTP/1.1 200 O\0K\r\n" + body),
        ("status 0", "backend_status_line", b"HTTP/1.1 000 OK\r\n" + body),
        ("101 that nobody asked for", "backend_switched",
         b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"),
    ])


def test_fields(s):
    body = b"Content-Length: 5\r\n\r\nhello"
    refused(s, [
        ("NUL", "backend_field", OK + b"X: a\0b\r\n" + body),
        ("CR", "backend_field", OK + b"X: a\rb\r\n" + body),
        ("CR in the name", "backend_field", OK + b"X\rY: a\r\n" + body),
        ("no colon", "backend_field", OK + b"Xabc\r\n" + body),
        ("no name", "backend_field", OK + b": a\r\n" + body),
        ("space before the colon", "backend_field", OK + b"Content-Length : 5\r\n\r\nhello"),
        ("folded", "backend_field", OK + b"X: a\r\n b\r\n" + body),
        ("a second status line", "backend_field", OK + b"X: 1\r\nHTTP/1.1 404 No\r\n" + body),
        ("too long", "backend_head_too_long", OK + b"X: " + b"a" * 400000 + b"\r\n" + body),
        ("ends in the head", "backend_head_cut", OK + b"X: 1\r\n"),
        ("ends in a line", "backend_head_cut", OK + b"X: 1"),
        ("ends in the head, a length known", "backend_head_cut", OK + b"Content-Length: 0\r\n"),
        ("nothing", "backend_cut", b""),
    ])


def test_a_first_line_that_looks_folded(s):
    """There is no field that it could belong to, whatever the answer before it had."""
    s.backend = RawBackend()
    s.start()
    pid = s.phones[0].child("worker")
    for number in range(8):
        s.backend.on("*", reply(b"ok", b"200 OK", *(f"x-{i}: " + "v" * (i * 7 % 90) for i in range(20))))
        equal(call(s, "GET", "/").status, 200, "one with fields")
        s.backend.on("*", OK + (b" x: y", b"\tx: " + b"y" * 300)[number % 2] + b"\r\nContent-Length: 5\r\n\r\nhello")
        got = call(s, "GET", "/")
        equal((got.status, got.json()["error"]), (502, "backend_field"), f"answer {number}")
    equal(s.phones[0].child("worker"), pid, "the worker lives")


def test_content_length(s):
    def with_length(*values):
        return OK + b"".join(b"Content-Length:%s\r\n" % v for v in values) + b"\r\nhello"

    refused(s, [
        ("twice, equal", "backend_content_length", with_length(b" 5", b" 5")),
        ("twice, different", "backend_content_length", with_length(b" 5", b" 4")),
        ("a list", "backend_content_length", with_length(b" 5, 5")),
        ("with a sign", "backend_content_length", with_length(b" +5")),
        ("negative", "backend_content_length", with_length(b" -5")),
        ("with something behind it", "backend_content_length", with_length(b" 5x")),
        ("hexadecimal", "backend_content_length", with_length(b" 0x5")),
        ("beyond 2^64", "backend_content_length", with_length(b" 99999999999999999999")),
        ("empty", "backend_content_length", with_length(b"")),
        ("on the next line", "backend_content_length", with_length(b"\r\n 5")),
        ("fewer bytes", "backend_short", with_length(b" 6")),
        ("more bytes", "backend_excess", with_length(b" 4")),
        ("bytes, and length 0", "backend_excess", with_length(b" 0")),
        ("204 and bytes", "backend_excess", b"HTTP/1.1 204 No\r\n\r\nhello"),
        ("304 and bytes", "backend_excess", b"HTTP/1.1 304 No\r\nContent-Length: 5\r\n\r\nhello"),
    ])


def test_transfer_coding(s):
    chunks = b"5\r\nhello\r\n0\r\n\r\n"

    def coded(coding, body=chunks, more=b"", version=b"1.1"):
        return b"HTTP/%s 200 OK\r\n%sTransfer-Encoding: %s\r\n\r\n%s" % (version, more, coding, body)

    refused(s, [
        ("both, length first", "backend_ambiguous_length", coded(b"chunked", more=b"Content-Length: 5\r\n")),
        ("both, coding first", "backend_ambiguous_length",
         OK + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n" + chunks),
        ("gzip", "backend_transfer_coding", coded(b"gzip, chunked")),
        ("unknown", "backend_transfer_coding", coded(b"xchunked")),
        ("identity", "backend_transfer_coding", coded(b"identity", b"hello")),
        ("chunked twice", "backend_transfer_coding", coded(b"chunked, chunked")),
        ("chunked on two lines", "backend_transfer_coding", coded(b"chunked", more=b"Transfer-Encoding: chunked\r\n")),
        ("not the last", "backend_transfer_coding", coded(b"chunked, gzip")),
        ("by HTTP/1.0", "backend_transfer_coding", coded(b"chunked", version=b"1.0")),
    ])


def test_chunks(s):
    def chunked_as(body):
        return OK + b"Transfer-Encoding: chunked\r\n\r\n" + body

    refused(s, [
        ("no last chunk", "backend_no_last_chunk", chunked_as(b"5\r\nhello\r\n")),
        ("no end of the trailers", "backend_no_last_chunk", chunked_as(b"5\r\nhello\r\n0\r\n")),
        ("cut in a chunk", "backend_no_last_chunk", chunked_as(b"5\r\nhel")),
        ("cut in a size", "backend_no_last_chunk", chunked_as(b"5\r\nhello\r\n0")),
        ("nothing at all", "backend_no_last_chunk", chunked_as(b"")),
        ("0x", "backend_chunk", chunked_as(b"0x5\r\nhello\r\n0\r\n\r\n")),
        ("a sign", "backend_chunk", chunked_as(b"+5\r\nhello\r\n0\r\n\r\n")),
        ("negative", "backend_chunk", chunked_as(b"-5\r\nhello\r\n0\r\n\r\n")),
        ("space first", "backend_chunk", chunked_as(b" 5\r\nhello\r\n0\r\n\r\n")),
        ("no size", "backend_chunk", chunked_as(b"\r\nhello\r\n0\r\n\r\n")),
        ("a word behind it", "backend_chunk", chunked_as(b"5 hello\r\nhello\r\n0\r\n\r\n")),
        ("beyond 2^64", "backend_chunk", chunked_as(b"10000000000000005\r\nhello\r\n0\r\n\r\n")),
        ("longer than its size", "backend_chunk", chunked_as(b"4\r\nhello\r\n0\r\n\r\n")),
        ("shorter than its size", "backend_chunk", chunked_as(b"6\r\nhello\r\n0\r\n\r\n")),
        ("LF alone", "backend_chunk", chunked_as(b"5\nhello\n0\n\n")),
        ("an endless extension", "backend_chunk", chunked_as(b"5;" + b"x" * 10000 + b"\r\nhello\r\n0\r\n\r\n")),
        ("a long trailer", "backend_chunk", chunked_as(b"5\r\nhello\r\n0\r\nx: " + b"y" * 4000 + b"\r\n\r\n")),
        ("a very long trailer", "backend_chunk", chunked_as(b"5\r\nhello\r\n0\r\nx: " + b"y" * 200000 + b"\r\n\r\n")),
        ("many trailers", "backend_chunk", chunked_as(b"5\r\nhello\r\n0\r\n" + b"x: y\r\n" * 20000 + b"\r\n")),
        ("bytes behind it", "backend_excess", chunked_as(b"5\r\nhello\r\n0\r\n\r\nHTTP/1.1 200 OK\r\n\r\n")),
    ])


def test_what_is_fine(s):
    """Unusual, and allowed."""
    s.backend = RawBackend()
    s.start()
    for number, (name, answer) in enumerate([
            ("close-delimited HTTP/1.0", b"HTTP/1.0 200 OK\r\n\r\nhello"),
            ("close-delimited HTTP/1.1", OK + b"\r\nhello"),
            ("no reason", b"HTTP/1.1 200\r\nContent-Length: 5\r\n\r\nhello"),
            ("LF alone", b"HTTP/1.1 200 OK\nContent-Length: 5\n\nhello"),
            ("white space around a length", OK + b"Content-Length: \t 5 \t\r\n\r\nhello"),
            ("leading zeros", OK + b"Content-Length: 0005\r\n\r\nhello"),
            ("chunk extensions, a size with zeros, upper case",
             OK + b"Transfer-Encoding: CHUNKED\r\n\r\n0001;a=b\r\nh\r\n4 ; c=\"d;e\"\r\nello\r\n00\r\n\r\n"),
            ("trailers", chunked(b"he", b"llo", trailers=["x-late: 1"])),
            ("long trailers", chunked(b"he", b"llo", trailers=["x-late: " + "y" * 3980] * 15)),
            ("interim answers", b"HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early\r\nLink: </x>\r\n\r\n" + reply(b"hello")),
            ("interim answer that names a length",
             b"HTTP/1.1 103 Early\r\nContent-Length: 9\r\n\r\n" + chunked(b"hello"))]):
        s.backend.on(f"/{number}", answer, CLOSE)
        got = call(s, "GET", f"/{number}")
        equal((got.status, got.body), (200, b"hello"), name)
        check(b"link" not in got.names() and b"x-late" not in got.names(), f"{name}: {got.raw!r}")


def test_answers_byte_by_byte(s):
    """No edge of a packet matters."""
    s.backend = RawBackend()
    s.start()

    def slowly(data):
        return [step for i in range(len(data)) for step in (data[i:i + 1], Sleep(0.002))]

    whole = OK + b"Transfer-Encoding: chunked\r\n\r\n5;x\r\nhello\r\na\r\n0123456789\r\n0\r\nt: u\r\n\r\n"
    s.backend.on("/slow", *slowly(whole))
    equal(call(s, "GET", "/slow").body, b"hello0123456789")
    s.backend.on("/cut", *slowly(whole[:-2]), CLOSE)
    equal(call(s, "GET", "/cut").json()["error"], "backend_no_last_chunk")


def test_excess_is_not_the_next_answer(s):
    """Bytes that come later, on a connection that was kept, are nobody's."""
    s.backend = RawBackend()
    s.start()
    s.backend.on("/first", reply(b"first"), Sleep(0.3), reply(b"smuggled"))
    s.backend.on("/second", reply(b"second"))
    for _ in range(3):
        equal(call(s, "GET", "/first").body, b"first")
        time.sleep(0.6)
        equal(call(s, "GET", "/second").body, b"second")
        equal(call(s, "GET", "/second").body, b"second")


LONG = 8_000_000  # more than the kernel takes for a peer that does not read


def early(s, answer, *end):
    """It answers as soon as the head is there, and reads no byte of the body."""
    begin = time.monotonic()
    s.backend.on("/early", answer, Sleep(0.2), *end, early=True)
    got = ask(s, seconds=60, method="POST", path="/early", body="x" * LONG)
    return got.status, got.body, time.monotonic() - begin


def test_an_answer_before_the_request_is_sent(s):
    """RFC 9112 §9.3 and §9.6: whole is whole, whatever becomes of the rest of
    the request; what is not whole stays an error."""
    s.backend = RawBackend()
    s.start(REQUEST_TIMEOUT="60s")
    for status in (b"200 OK", b"302 Found", b"413 Too Large"):
        for name, answer in (("a length", reply(b"early", status)), ("chunks", chunked(b"ear", b"ly", status=status))):
            for end in (CLOSE, RESET):
                equal(early(s, answer, end)[:2], (int(status[:3]), b"early"), f"{status}, {name}")
    equal(early(s, b"HTTP/1.1 204 No\r\n\r\n", CLOSE)[:2], (204, b""), "no body")
    for answer in (OK + b"content-length: 6\r\n\r\nearly", OK + b"transfer-encoding: chunked\r\n\r\n5\r\nearly\r\n",
                   OK + b"\r\nwho knows"):
        equal(early(s, answer, RESET)[0], 502, answer)


def test_an_answer_before_the_request_is_read(s):
    """An application that has answered may want the rest all the same: it gets
    that as long as it reads, and nobody waits for one that does not."""
    s.backend = RawBackend()
    s.start(REQUEST_TIMEOUT="60s")
    status, body, took = early(s, reply(b"early"), lambda connection, request: time.sleep(50))
    equal((status, body), (200, b"early"))
    check(took < 30, f"it waited for {took} s")
    rest = []

    def read(connection, request):
        while sum(rest) < LONG:
            rest.append(len(connection.take(LONG // 10)))
            time.sleep(0.2)
    equal(early(s, reply(b"early"), read, CLOSE)[:2], (200, b"early"))
    until(lambda: sum(rest) == LONG, "the application has all of it")


def test_an_answer_before_the_request_is_read_in_time(s):
    s.backend = RawBackend()
    s.start(REQUEST_TIMEOUT="5s")

    def slowly(connection, request):
        for _ in range(200):
            connection.take(40_000)
            time.sleep(0.1)
    equal(early(s, reply(b"early"), slowly)[:2], (200, b"early"), "its time is over, and the answer is whole")


def test_head_and_bodiless(s):
    s.backend = RawBackend()
    s.start()
    s.backend.on("/head", b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\nx-a: 1\r\n\r\n")
    got = ask(s, method="HEAD", path="/head")
    equal((got.status, got.body, got.headers.get("x-a")), (200, b"", "1"), "HEAD")
    s.backend.on("/chunked", OK + b"Transfer-Encoding: chunked\r\n\r\n")
    equal(ask(s, method="HEAD", path="/chunked").status, 200, "HEAD of a chunked one")
    for status in (204, 304):
        s.backend.on(f"/{status}", b"HTTP/1.1 %d X\r\nETag: \"a\"\r\nContent-Length: 99999999999\r\n\r\n" % status)
        got = ask(s, path=f"/{status}")
        equal((got.status, got.body, got.headers.get("etag")), (status, b"", '"a"'), f"{status}")
        check("chunks" not in got.payload and not got.payload["chunked"], f"{status}: {got.text}")
        check("content-length" not in got.headers, f"{status}: {got.text}")


def test_an_endless_answer(s):
    s.backend = RawBackend()
    s.start(REQUEST_TIMEOUT="2s")
    s.backend.on("/hang", HOLD)
    equal(call(s, "GET", "/hang").json()["error"], "request_timeout", "nothing at all")
    s.backend.on("/endless", OK + b"Content-Type: text/event-stream\r\n\r\ndata: 1\n\n", HOLD)
    got = call(s, "GET", "/endless")
    equal((got.status, got.json()["error"]), (504, "backend_unfinished"))
    check("cannot stream" in got.json()["reason"], got.json()["reason"])
    s.backend.on("/ends", OK + b"Content-Type: text/event-stream\r\n\r\ndata: 1\n\n", Sleep(0.1), b"data: 2\n\n", CLOSE)
    equal(call(s, "GET", "/ends").body, b"data: 1\n\ndata: 2\n\n", "one that ends is carried whole")


def test_event_streams_refused(s):
    s.backend = RawBackend()
    s.start(EVENT_STREAM="refuse")
    for number, field in enumerate((b"text/event-stream", b"Text/Event-Stream; charset=utf-8", b"text/event-stream ;x")):
        s.backend.on(f"/{number}", OK + b"Content-Type: " + field + b"\r\n\r\ndata: 1\n\n", HOLD)
        got = call(s, "GET", f"/{number}", timeout=20)
        equal((got.status, got.json()["error"]), (501, "event_stream"), field)
    s.backend.on("/other", reply(b"x", b"200 OK", "content-type: text/event-streams"))
    equal(call(s, "GET", "/other").body, b"x", "another type")


def test_what_a_request_cannot_ask_for(s):
    """§7.8 of RFC 9110: an Upgrade may be ignored; one to websocket would be
    answered by something that looks like it was not."""
    s.backend = RawBackend()
    s.start()
    for headers in ({"upgrade": "websocket", "connection": "Upgrade"}, {"upgrade": "h2c, WebSocket"},
                    {"content-type": "application/grpc"}, {"content-type": "application/grpc+proto; x=y"},
                    {"content-type": "Application/GRPC;charset=x", "te": "trailers"}):
        got = ask(s, headers=headers)
        equal((got.status, got.json()["error"]), (501, "not_supported"), headers)
        check(got.json()["reason"], "a reason")
    equal(len(s.backend.requests), 0, "requests that the application saw")
    for headers in ({"upgrade": "h2c", "connection": "Upgrade, HTTP2-Settings", "http2-settings": "AAMAAABk"},
                    {"content-type": "application/grpc-web+proto"}, {"content-type": "application/grpcx"}):
        equal(ask(s, headers=headers).status, 200, headers)
        for gone in ("upgrade", "http2-settings", "connection"):
            equal(s.backend.last().one(gone), None, f"{gone} of {headers}")


def test_accept_encoding(s):
    s.backend = RawBackend()
    s.start()
    ask(s, headers={"accept-encoding": "br, gzip;q=0.5"})
    equal(s.backend.last().all("accept-encoding"), [b"br, gzip;q=0.5"], "as the client has it")
    ask(s)
    equal(s.backend.last().all("accept-encoding"), [], "none is added")


def test_accept_encoding_ours(s):
    s.backend = RawBackend()
    s.start(ACCEPT_ENCODING="identity")
    for headers in ({"Accept-Encoding": "br, gzip", "x-a": "1"}, {"x-a": "1"}):
        ask(s, headers=headers)
        equal((s.backend.last().all("accept-encoding"), s.backend.last().one("x-a")), ([b"identity"], b"1"), headers)


def test_content_codings_and_conditions_are_relayed(s):
    """RFC 9110 §8.4, §13, §14 and §15.4: what is said of a body is the
    application's to say."""
    gzip = bytes.fromhex("1f8b08000000000000034bcc4a04000000ffff")
    s.backend = RawBackend()
    s.start()
    s.backend.on("/gzip", reply(gzip, b"200 OK", "Content-Encoding: gzip", 'ETag: W/"x-gzip"', "Vary: Accept-Encoding"))
    got = call(s, "GET", "/gzip", ["accept-encoding: gzip"])
    equal((got.body, got.one("content-encoding"), got.one("etag"), got.one("vary")),
          (gzip, b"gzip", b'W/"x-gzip"', b"Accept-Encoding"))
    s.backend.on("/range", reply(b"llo", b"206 Partial Content", "Content-Range: bytes 2-4/5"))
    got = call(s, "GET", "/range", ["range: bytes=2-4", 'if-range: "v"'])
    equal((got.status, got.body, got.one("content-range")), (206, b"llo", b"bytes 2-4/5"))
    equal((s.backend.last().one("range"), s.backend.last().one("if-range")), (b"bytes=2-4", b'"v"'))
    s.backend.on("/416", reply(b"no", b"416 No", "Content-Range: bytes */5"))
    equal(call(s, "GET", "/416").one("content-range"), b"bytes */5")
    conditions = ['if-none-match: "a", W/"b"', "if-modified-since: Sat, 29 Oct 1994 19:43:31 GMT", 'if-match: "c"',
                  "if-unmodified-since: Sat, 29 Oct 1994 19:43:31 GMT"]
    s.backend.on("/304", b'HTTP/1.1 304 Not Modified\r\nETag: "a"\r\n\r\n')
    got = call(s, "GET", "/304", conditions)
    equal((got.status, got.body, got.one("etag")), (304, b"", b'"a"'))
    for line in conditions:
        name, _, value = line.partition(": ")
        equal(s.backend.last().one(name), value.encode(), name)
    for status in (301, 302, 303, 307, 308):
        s.backend.on(f"/{status}", reply(b"moved", b"%d X" % status, "Location: http://127.0.0.1:1/x?y#z"))
        got = call(s, "GET", f"/{status}")
        equal((got.status, got.body, got.one("location")), (status, b"moved", b"http://127.0.0.1:1/x?y#z"))
    for status in (400, 401, 403, 404, 409, 410, 418, 422, 429, 500, 501, 503):
        s.backend.on(f"/{status}", reply(b"its own body", b"%d X" % status, "x-own: 1"))
        got = call(s, "GET", f"/{status}")
        equal((got.status, got.body, got.one("x-own")), (status, b"its own body", b"1"))
    for status in (209, 299, 309, 399, 419, 420, 430, 450, 499, 509, 512, 520, 599, 600, 999):
        s.backend.on(f"/{status}", reply(b"x", b"%d X" % status))
        got = call(s, "GET", f"/{status}")
        equal((got.status, got.json()["error"]), (502, "backend_status"), status)
        check(str(status) in got.json()["reason"], got.json()["reason"])
