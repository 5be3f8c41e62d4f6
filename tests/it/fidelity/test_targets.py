# SPDX-License-Identifier: MIT
"""Heads and targets, 7: the path that was asked for, encoded once, or a 400."""
from fidelity.raw import RawBackend, ask, call
from harness import check, equal

PCHAR = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~!$&'()*+,;=:@/"


def path_of(text):
    return b"".join(bytes([c]) if c in PCHAR else b"%%%02X" % c for c in text.encode())


def test_every_byte_of_a_path_is_encoded_once(s):
    s.backend = RawBackend()
    s.start()
    every = "".join(chr(c) for c in range(0x20, 0x7f)) + "\u00e9\u20ac\U0001f600\u0080\u00ff"
    equal(ask(s, path="/" + every).status, 200)
    equal(s.backend.last().target, path_of("/" + every), "the path")
    for sent, want in ((b"/a%3Fb%23c", b"/a%3Fb%23c"), (b"/100%25", b"/100%25"), (b"/%2541", b"/%2541"),
                       (b"/c%20d%C3%A9+e", b"/c%20d%C3%A9+e"), (b"/a%2Fb", b"/a/b"), (b"/%25%32%65", b"/%252e")):
        equal(call(s, "GET", sent).status, 200, sent)
        equal(s.backend.last().target, want, sent)


def test_paths_are_not_normalised(s):
    s.backend = RawBackend()
    s.start()
    for path in ("/", "/a/", "/a/./b", "/./x", "/a/../b", "/a/b/../../c", "/a//b", "/a///", "/.", "/...", "/a/...",
                 "/a/..", "/.a/..b/c..", "/a;x=1/b", "/@host/", "/http://other/", "/%2e%2e", "/a%2f..", "/~u/:p@q",
                 "/\u00e9\u0301"):
        equal(ask(s, path=path).status, 200, path)
        equal(s.backend.last().target, path_of(path), path)
    equal(ask(s, path="").status, 200, "an empty one")
    equal(s.backend.last().target, b"/")


def test_dangerous_paths_are_refused_without_a_connection(s):
    s.backend = RawBackend()
    phone = s.start()
    for path, word in (("//host/x", "names a host"), ("/\\host/x", "names a host"), ("http://host/x", "begin with /"),
                       ("x", "begin with /"), ("*", "begin with /"), ("@host", "begin with /"), (":80/", "begin with /"),
                       ("/a\rb", "control"), ("/a\nb", "control"), ("/a\0", "control"), ("/\x7f", "control"),
                       ("/a\t", "control"), ("/..", "climbs"), ("/../etc", "climbs"), ("/a/../..", "climbs"),
                       ("/a/./../../b", "climbs"), ("/a//../../b", "climbs"), ("/..;x/b", "climbs"),
                       ("/a\\..\\..\\b", "climbs"), ("/a/../../a", "climbs")):
        res = ask(s, path=path)
        equal((res.status, res.json()["error"]), (400, "bad_request"), repr(path))
        check(word in res.json()["reason"], f"{path!r}: {res.body!r}")
    for sent in (b"/%2Fhost", b"/%0d%0aX:y", b"/%2e%2e/x", b"/..%2fx"):
        equal(call(s, "GET", sent).status, 400, sent)
    equal(s.backend.connections, 0, "connections to the application")
    phone.wait_log(r"request \S+: refused with 400: path climbs out")


def test_queries_are_verbatim_where_legal(s):
    s.backend = RawBackend()
    s.start()
    legal = "".join(chr(c) for c in range(0x21, 0x7f) if chr(c) != "#")
    for query, want in ((legal, legal.encode()), ("a=1&b=%20x&a=2", b"a=1&b=%20x&a=2"), ("%zz%", b"%zz%"),
                        ("[]{}|^\"<>\\`", b"[]{}|^\"<>\\`"), ("a b#c", b"a%20b%23c"), ("\u00e9", b"%C3%A9"),
                        ("a\r\nX: y", b"a%0D%0AX:%20y"), ("\0\x7f", b"%00%7F"), ("?", b"?"), ("//host/../..", b"//host/../.."),
                        ("http://other/", b"http://other/"), ("+", b"+"), ("&&=", b"&&=")):
        equal(ask(s, path="/q", query_string=query).status, 200, query)
        equal(s.backend.last().target, b"/q?" + want, query)
    equal(ask(s, path="/q").status, 200)
    equal(s.backend.last().target, b"/q", "no query, no ?")


def test_the_origin_is_the_configuration_s(s):
    other = RawBackend()
    s.backend = RawBackend()
    s.start(HOST_HEADER="pass")
    authority = f"127.0.0.1:{other.ports['http']}"
    for path, fields in (("/x", {"host": authority}), (f"/@{authority}/", {"host": "x"}), (f"/http://{authority}/", {}),
                         ("/y", {"x-forwarded-host": authority, "forwarded": f"host=\"{authority}\"", ":authority": "x"}),
                         ("/z", {"proxy": f"http://{authority}", "x-forwarded-port": "1", "x-original-url": "/w"})):
        ask(s, path=path, headers=fields)
    check(len(s.backend.requests) >= 4, "the requests came to the application")
    equal(other.connections, 0, "connections to the other one")
    other.stop()


def test_any_method_is_carried(s):
    s.backend = RawBackend()
    s.start()
    for method in ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND", "MKCALENDAR", "M-SEARCH", "QUERY", "get",
                   "pOsT", "!#$%&'*+-.^_`|~", "X" * 32):
        equal(ask(s, method=method).status, 200, method)
        equal(s.backend.last().line, b"%s / HTTP/1.1" % method.encode(), "request line")
        equal(ask(s, method=method, body="b").status, 200, method)
        equal((s.backend.last().method, s.backend.last().body), (method.encode(), b"b"))
    for method in ("G T", "", "GET\r\nX: y", "G\u00e9T", "X" * 33, "TRACE", "CONNECT"):
        equal(ask(s, method=method).status, 400, method)
    equal(len(s.backend.requests), 28)


def test_only_some_methods(s):
    s.backend = RawBackend()
    s.start(ALLOW_METHODS="GET,POST , PROPFIND")
    for method in ("GET", "POST", "PROPFIND"):
        equal(ask(s, method=method).status, 200, method)
    for method in ("PUT", "get", "DELETE", "GETS"):
        res = ask(s, method=method)
        equal((res.status, res.json()["error"]), (405, "method_not_allowed"), method)
        equal(res.headers["allow"], "GET, POST, PROPFIND", "RFC 9110 section 15.5.6")
    equal(call(s, "HEAD", b"/").status, 200, "HEAD is a GET of Plugboard's")
    equal(len(s.backend.requests), 4)


def test_only_some_paths(s):
    s.backend = RawBackend()
    phone = s.start(ALLOW_PATHS="/api/, /caf%C3%A9, /a%2Cb", DENY_PATHS="/api/admin, /api/x y")
    for path in ("/api", "/api/", "/api/users", "/caf\u00e9/x", "/a,b", "/api/administrator", "/api/./u", "/api/a/../b"):
        equal(ask(s, path=path).status, 200, path)
        equal(s.backend.last().target, path_of(path))
    seen = len(s.backend.requests)
    for path in ("/", "/apis", "/ap", "/API", "/other", "/api/../other", "/x/../api", "/api/admin", "/api/admin/",
                 "/api/admin/x", "/api//admin", "/api/./admin", "/api/y/../admin", "/api/admin/../z", "/api/admin;x=1",
                 "/api\\admin", "/api/;x/admin", "/api/x y", "/a%2Cb"):
        res = ask(s, path=path)
        equal((res.status, res.json()["error"]), (403, "path_not_allowed"), path)
    equal(len(s.backend.requests), seen, "no more reached the application")
    phone.wait_log(r"request \S+: refused with 403: this path is not open")


def test_denied_paths_alone(s):
    s.backend = RawBackend()
    s.start(DENY_PATHS="/internal")
    equal([ask(s, path=p).status for p in ("/", "/x", "/internals", "/internal", "/internal/x")],
          [200, 200, 200, 403, 403])


def test_a_target_that_is_too_long(s):
    s.backend = RawBackend()
    s.start()
    equal(ask(s, path="/" + "x" * 60000).status, 200)
    check(len(s.backend.last().target) == 60001, "a long one")
    res = ask(s, path="/" + " " * 90000)
    equal((res.status, res.json()["error"]), (414, "target_too_long"))
    equal(len(s.backend.requests), 1)
