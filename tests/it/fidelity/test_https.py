# SPDX-License-Identifier: MIT
"""Backends, 11, by https: what holds for an application in plain text holds
for one behind TLS. Tests of the other files again, and what TLS adds."""
import socket

from fidelity import raw, test_bodies, test_framing, test_outcomes
from fidelity.raw import CLOSE, RawBackend, ask, call, reply
from harness import check, equal
from test_tls import Certs, server_context


def secure(s, san="DNS:localhost"):
    """The stage's application speaks TLS, and the telephone trusts it."""
    certs = Certs(s.dir)
    certs.sign("server", san)
    env = s.env
    s.env = lambda **more: env(**{"BACKEND_SCHEME": "https", "BACKEND_HOST": "localhost",
                                  "BACKEND_CA_FILE": certs.pem("ca"), **more})
    return server_context(certs, "server")


def again(test):
    def run(s):
        raw.default.tls = secure(s)
        try:
            test(s)
            check(s.backend.tls is raw.default.tls and s.backend.connections > 0, "it was not TLS")
        finally:
            raw.default.tls = None
    run.__doc__ = test.__doc__
    return run


AGAIN = {
    test_bodies: ("every_octet", "every_chunk_edge", "request_bodies", "response_bound"),
    test_framing: ("content_length", "chunks", "transfer_coding", "an_endless_answer", "an_answer_before"),
    test_outcomes: ("first_byte_timeout", "idle_timeout", "request_timeout", "request_timeout_counts_retries",
                    "retries_on_5xx", "retries_on_a_cut", "retries_succeed", "no_retry_once_an_answer_has_begun",
                    "an_answer_that_is_discarded_may_be_endless", "dead_connections_and_unsafe_methods",
                    "a_connection_known_to_be_dead_is_not_used", "breaker", "keep_alive",
                    "backend_connections_are_bounded", "old_and_unframed_answers"),
}
for module, names in AGAIN.items():
    for prefix in names:
        found = [n for n in vars(module) if n.startswith(f"test_{prefix}")]
        assert found, prefix
        for found_name in found:
            globals()[f"{found_name}_by_tls"] = again(getattr(module, found_name))


def failed_twice_then_sound(s, spoil):
    """The first two connections end in the handshake, in this way."""
    context = secure(s)
    spoilt = [2]

    class Spoiler:
        def wrap_socket(self, sock, server_side):
            spoilt[0] -= 1
            if spoilt[0] >= 0:
                spoil(sock)
                raise OSError("spoilt")
            return context.wrap_socket(sock, server_side=server_side)
    s.backend = RawBackend(reply(b"ok"), tls=Spoiler())
    s.start()


def test_a_handshake_that_fails_is_tried_again(s):
    """No byte of the request has left: GET and PUT, never POST."""
    for spoil in (lambda sock: sock.close(), lambda sock: sock.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")):
        failed_twice_then_sound(s, spoil)
        equal(ask(s, method="PUT", body="x").body, b"ok", "the third try")
        equal((len(s.backend.requests), s.backend.connections), (1, 3))
        s.phones[-1].stop()
        failed_twice_then_sound(s, spoil)
        res = ask(s, method="POST", body="x")
        equal((res.status, res.json()["error"], s.backend.connections), (502, "backend_tls", 1), "POST is not tried again")
        s.phones[-1].stop()


def test_an_application_that_cannot_be_verified(s):
    """502; no byte of the request reaches it, and no address or text of a
    library reaches the client."""
    context = secure(s, san="DNS:elsewhere.example")
    s.backend = RawBackend(tls=context)
    s.start(BACKEND_RETRIES=0)
    res = ask(s, path="/secret")
    equal((res.status, res.json()["error"]), (502, "backend_tls"))
    for word in ("localhost", "127.0.0.1", "elsewhere", "ssl", "certificate"):
        check(word not in res.text.lower(), f"{word}: {res.text}")
    equal(len(s.backend.requests), 0, "requests")


def test_an_end_without_close_notify(s):
    """RFC 9112 §9.8: an answer that only the end of its connection ends is
    whole when TLS says so; a cut could be an attacker's."""
    s.backend = RawBackend(tls=secure(s))
    s.start(BACKEND_RETRIES=0)
    head = b"HTTP/1.1 200 OK\r\n\r\n"

    s.backend.on("/whole", head + b"all of it", CLOSE)
    got = call(s, "GET", "/whole")
    equal((got.status, got.body), (200, b"all of it"))
    s.backend.on("/cut", head + b"some of it", lambda c, r: c.sock.shutdown(socket.SHUT_RDWR), CLOSE)
    got = call(s, "GET", "/cut")
    equal(got.status, 502, got.raw)
    check(got.json()["error"].startswith("backend_"), got.body)
    # with a length it is whole whatever TLS says
    s.backend.on("/length", b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nall of it",
                 lambda c, r: c.sock.shutdown(socket.SHUT_RDWR), CLOSE)
    got = call(s, "GET", "/length")
    equal((got.status, got.body), (200, b"all of it"))
