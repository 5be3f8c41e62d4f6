# SPDX-License-Identifier: MIT
"""Bodies come out as they went in, octet for octet, whatever they hold and
wherever a chunk ends (RFC 9110 §6.4)."""
import random

from fidelity.raw import RawBackend, ask, call, chunked, push, reply
from harness import check, equal, free_port, request, until

KIB = 1024
CHARACTERS = ("é", "€", "\U0001f600", "\ufffd", "\0", '"', "\\", "\x7f", "\u2028")


def there(s, bodies, status=200):
    """Each of them by an application that sends it at once, and in chunks."""
    for number, (name, body) in enumerate(bodies):
        s.backend.on(f"/{number}", reply(body))
        got = call(s, "GET", f"/{number}")
        equal(got.status, status, name)
        check(got.body == body, lambda: f"{name}: {len(got.body)} octets differ from {len(body)}")
        equal(got.one("content-length"), b"%d" % len(body), f"{name}: length")


def test_every_octet(s):
    s.backend = RawBackend()
    s.start()
    every = bytes(range(256))
    there(s, [
        ("nothing", b""),
        ("all values", every),
        ("all values, backwards", every[::-1]),
        ("all values, often", every * 300),
        ("ASCII with controls", bytes(range(128)) * 5),
        ("NUL", b"\0"),
        ("a lone 0x80", b"\x80"),
        ("0x80 first", b"\x80" + b"text" * 50),
        ("0x80 last", b"text" * 50 + b"\x80"),
        ("an unfinished character at the end", "text €".encode()[:-1]),
        ("U+FFFD that was really sent", "a\ufffdb".encode()),
        ("CESU surrogates", b"\xed\xa0\xbd\xed\xb8\x80"),
        ("overlong NUL", b"\xc0\x80"),
        ("above U+10FFFF", b"\xf4\x90\x80\x80"),
        ("Latin-1", "größe".encode("latin-1")),
        ("UTF-16", "größe".encode("utf-16")),
        ("a byte order mark", b"\xef\xbb\xbf{}"),
        ("quotes and backslashes", b'"\\"\\\\u0000\\n' * 9),
        ("what looks like its own end", b'"]}]\r\n0\r\n\r\n'),
        *((f"the octet {c:#x} alone", bytes([c])) for c in range(256))])


def test_one_megabyte_at_random(s):
    s.backend = RawBackend()
    s.start()
    rng = random.Random(4)
    there(s, [("random", rng.randbytes(1024 * KIB)), ("mostly text", bytes(
        rng.randrange(256) if rng.random() < 0.02 else rng.randrange(32, 127) for _ in range(300 * KIB)))])


def test_every_chunk_edge(s):
    """A character, or an octet that is none, across and beside each edge."""
    s.backend = RawBackend()
    s.start(CHUNK_SIZE="1KiB")
    bodies = []
    for character in CHARACTERS:
        octets = character.encode()
        for shift in range(-len(octets), 2):
            bodies.append((f"{character!r} at {shift}", b"x" * (KIB + shift) + octets + b"y" * KIB + octets))
    for bad in (b"\x80", b"\xff", b"\xc3", b"\xe2\x82", b"\xf0\x9f\x98", b"\xed\xa0\x80"):
        for shift in range(-len(bad), 2):
            bodies.append((f"{bad!r} at {shift}", b"x" * (KIB + shift) + bad + b"y" * (KIB - len(bad)) + bad))
    for size in (KIB - 1, KIB, KIB + 1, 2 * KIB - 1, 2 * KIB, 2 * KIB + 1):
        bodies += [(f"{size} of text", b"x" * size), (f"{size} of none", b"\xfe" * size)]
    there(s, bodies)


def test_edges_of_the_applications_pieces(s):
    """However the application cuts it: the far end sees one body."""
    s.backend = RawBackend()
    s.start()
    text = "aé€\U0001f600z".encode() * 40
    for size in range(1, 8):
        s.backend.on("/", chunked(*[text[i:i + size] for i in range(0, len(text), size)]))
        got = call(s, "GET", "/")
        equal((got.status, got.body), (200, text), f"pieces of {size}")


def test_text_is_sent_as_it_is(s):
    """Raw UTF-8 and no escapes but those that JSON asks for; strings where
    they are shorter than numbers."""
    s.backend = RawBackend()
    s.start(CHUNK_SIZE="1KiB")
    text = "größe €\U0001f600\x7f\u2028 "
    s.backend.on("/text", reply(text.encode()))
    got = ask(s, path="/text")
    check(text in got.text, f"escaped: {got.text!r}")
    s.backend.on("/png", reply(b"\x89PNG\r\n\x1a\n" + b"some words that are text" + b"\xff\xfe"))
    got = ask(s, path="/png")
    check('"some words that are text"' in got.text, f"numbers: {got.text!r}")
    equal(got.headers["content-length"], "34")
    rng = random.Random(5)
    s.backend.on("/random", reply(rng.randbytes(10000)))
    check(len(ask(s, path="/random").text) < 10000 * 3.65 + 500, "3.6 characters an octet")


def test_request_bodies(s):
    """To the application, as they came, with the length that they have."""
    s.backend = RawBackend()
    s.start()
    for body in ("", "x", "\0", "é€\U0001f600\ufffd\u2028", "".join(map(chr, range(128))), "\r\n0\r\n\r\n", "x" * 100000):
        got = ask(s, method="POST", body=body, headers={"content-length": str(len(body.encode()))})
        equal(got.status, 200)
        request = s.backend.last()
        check(request.body == body.encode(), f"{body[:20]!r}: {request.body[:60]!r}")
        equal(request.all("content-length"), [b"%d" % len(body.encode())])
        equal(request.all("transfer-encoding"), [])


def test_swallowed_bodies(s):
    """Declared and not there: sent on with the true length, said and counted."""
    s.backend = RawBackend()
    port = free_port()
    phone = s.start(HEALTH_CHECK_PORT=port)
    for declared, body in (("7", ""), ("7", "abc"), ("2", "abc")):
        request_id = push(s, method="POST", body=body, headers={"content-length": declared})
        phone.wait_log(rf"request {request_id}: {declared} bytes of body were declared and {len(body)} arrived")
        until(lambda: s.backend.requests and s.backend.requests[-1].body == body.encode(), "the request")
        equal(s.backend.last().all("content-length"), [b"%d" % len(body)])
    check(b"\ntelephone_request_body_swallowed_total 3\n" in request(port, "GET", "/metrics").body, "counted")


def test_binary_refused(s):
    s.backend = RawBackend()
    s.start(BINARY_BODIES="refuse")
    s.backend.on("/text", reply("é".encode() * 100))
    equal(call(s, "GET", "/text").status, 200, "text")
    for number, body in enumerate((b"\xff", b"text\x80", b"\xe2\x82", b"x" * 70000 + b"\xfe")):
        s.backend.on(f"/{number}", reply(body))
        got = call(s, "GET", f"/{number}")
        equal((got.status, got.json()["error"]), (502, "binary_body"), body[:10])


def test_binary_bound(s):
    s.backend = RawBackend()
    s.start(BINARY_BODY_MAX="64KiB")
    bound = 64 * KIB
    s.backend.on("/text", reply(b"x" * (2 * bound)))
    equal(call(s, "GET", "/text").status, 200, "text has another bound")
    there(s, [("first", b"\xff" + b"x" * (bound - 1)), ("last", b"x" * (bound - 1) + b"\xff")])
    for number, body in enumerate((b"\xff" + b"x" * bound, b"x" * bound + b"\xff", b"x" * bound + b"\xc3")):
        for answer in (reply(body), chunked(body)):
            s.backend.on(f"/big{number}", answer)
            got = call(s, "GET", f"/big{number}")
            equal((got.status, got.json()["error"]), (502, "binary_body_too_large"), f"{number}")
            check("BINARY_BODY_MAX" in got.json()["reason"], got.json()["reason"])


def test_response_bound(s):
    """At the bound it passes, one octet more is refused, declared or not."""
    s.backend = RawBackend()
    s.start(MAX_RESPONSE_SIZE="100KiB")
    bound = 100 * KIB
    there(s, [("at the bound", b"x" * bound), ("binary", b"\xff" * bound)])
    s.backend.on("/chunked", chunked(b"x" * (bound - 1), b"x"))
    equal(call(s, "GET", "/chunked").body, b"x" * bound, "not declared")
    head = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % (bound + 1)
    for name, answer in (("declared", (reply(b"x" * (bound + 1)),)), ("not declared", (chunked(b"x" * bound, b"x"),)),
                         ("declared, and nothing comes", (head, lambda c, r: c.rest()))):
        s.backend.on("/over", *answer)
        got = call(s, "GET", "/over", timeout=20)
        equal((got.status, got.json()["error"]), (502, "response_too_large"), name)
