# SPDX-License-Identifier: MIT
"""Heads and targets, 6: fields, both ways."""
from fidelity.raw import RawBackend, ask, call, reply
from harness import check, equal

HOP = ("connection", "keep-alive", "proxy-connection", "proxy-authenticate", "proxy-authorization", "te", "trailer",
       "transfer-encoding", "upgrade", "http2-settings", "expect")


def fields_of(message, *without):
    return [(n, v) for n, v in message.fields if n.lower() not in without]


def answer_with(s, *lines):
    s.backend.on("*", b"HTTP/1.1 200 OK\r\n" + b"".join(line + b"\r\n" for line in lines) +
                 b"content-length: 2\r\n\r\nok")


def headers_of(res):
    """The application's: the length is of our making (protocol.md §4)."""
    return {k: v for k, v in res.headers.items() if k != "content-length"}


# --- requests ------------------------------------------------------------------
def test_a_request_arrives_as_it_was(s):
    s.backend = RawBackend()
    s.start()
    fields = {"cookie": "a=1; b=2", "authorization": "Basic eA==", "accept-encoding": "gzip, br", "if-none-match": 'W/"x"',
              "range": "bytes=0-1,5-", "x-empty": "", "x-list": "a,b,, c", "x-utf8": "\u00e9\u20ac", "x-tab": "a\tb",
              "x-!#$%&'*+-.^_`|~9": "~", "x-colon": "a: b;", "x-dash": "--", "user-agent": "u", "x_under": "1"}
    equal(ask(s, headers={"host": "client.example", **fields}).status, 200)
    seen = s.backend.last()
    equal(fields_of(seen, b"host"), [(k.encode(), v.encode()) for k, v in fields.items()], "names, values and order")
    equal(seen.raw.count(b"\r\n"), len(fields) + 3, "nothing else")


def test_nothing_is_invented(s):
    s.backend = RawBackend()
    s.start()
    for more in ({}, {"body": "x"}, {"method": "POST"}, {"method": "POST", "body": "a=b"}, {"method": "HEAD"}):
        ask(s, **more)
        check(set(s.backend.last().names()) <= {b"host", b"content-length"}, s.backend.last().raw)
    ask(s, headers={"accept": "", "user-agent": ""})
    equal(fields_of(s.backend.last(), b"host"), [(b"accept", b""), (b"user-agent", b"")], "empty ones stay empty")


def test_hop_by_hop_fields_of_requests(s):
    s.backend = RawBackend()
    s.start()
    # A value that would do harm if it were passed on.
    fields = {name: "chunked, x-one , X-TWO,\tx-three" if name == "connection" else "chunked" for name in HOP
              if name != "upgrade"}
    kept = {"x-four": "4", "x-one-more": "5", "content-type": "text/plain", "cookie": "a=b"}
    for change in (str.lower, str.upper, str.title):
        sent = {change(k): v for k, v in {**fields, "x-one": "1", "X-Two": "2", "x-THREE": "3", **kept}.items()}
        equal(ask(s, method="POST", headers=sent, body="body").status, 200)
        seen = s.backend.last()
        equal(sorted(seen.names()), sorted([b"host", b"content-length", *(k.encode() for k in kept)]), "names")
        equal(seen.body, b"body")


def test_a_length_is_the_body_s(s):
    s.backend = RawBackend()
    s.start()
    for declared in ("0", "999999", "-1", "4, 4", "x"):
        equal(ask(s, method="POST", headers={"content-length": declared}, body="body").status, 200, declared)
        equal((s.backend.last().one("content-length"), s.backend.last().body), (b"4", b"body"), declared)


def test_bad_fields_of_requests_are_refused(s):
    s.backend = RawBackend()
    s.start()
    for name, value in (("x", "a\r\nb: c"), ("x", "a\n"), ("x", "\r"), ("x", "a\0b"), ("x", "a\x01"), ("x", "\x7f"),
                        ("", "a"), ("a b", "c"), ("a:", "c"), ("a\r\nb", "c"), ("\u00e9", "c"), ("a\0", "c"), ("x ", "c")):
        res = ask(s, headers={name: value})
        equal((res.status, res.json()["error"]), (400, "bad_request"), f"{name!r}: {value!r}")
        check("header" in res.json()["reason"], res.body)
    for headers in ({"x": 1}, {"x": None}, {"x": ["a"]}, [], "x"):
        equal(ask(s, headers=headers).status, 400, headers)
    equal(s.backend.connections, 0, "connections to the application")


# --- Host ----------------------------------------------------------------------
def host_of(s, **headers):
    equal(ask(s, headers=headers).status, 200)
    return s.backend.last().one("host")


def test_host_is_the_backend_s(s):
    s.backend = RawBackend()
    s.start()
    own = b"127.0.0.1:%d" % s.backend.ports["http"]
    equal((host_of(s, host="client.example"), host_of(s)), (own, own))
    equal(host_of(s, HOST="a", Host="b"), own, "any case")


def test_host_is_the_client_s(s):
    s.backend = RawBackend()
    s.start(HOST_HEADER="pass")
    own = b"127.0.0.1:%d" % s.backend.ports["http"]
    equal(host_of(s, host="Client.example:81"), b"Client.example:81")
    equal(host_of(s, host="[::1]:8080"), b"[::1]:8080")
    equal(host_of(s), own, "none was asked for")
    for host in ("a.", "127.0.0.1:80", "a_b", "a:", "[::1]", "xn--a", "%41", "[v1.x]:1", "*.a"):
        equal(host_of(s, host=host), host.encode())
    for host in ("", "a b", "a/b", "u@h", "a\tb", "\u00e9", "a:b", "a:-1", "a:1:2", "::1", ":80", "[::1", "[]", "[::1]x", "::1]",
                 "[a/b]", "a]", "http://a", "a#b", "a\\b", "a\"b"):
        equal(ask(s, headers={"host": host}).status, 400, host)
    equal(ask(s, headers={"host": "a", "Host": "b"}).status, 400, "two")


def test_host_is_a_name(s):
    s.backend = RawBackend()
    s.start(HOST_HEADER="app.example:8443")
    equal((host_of(s, host="client.example"), host_of(s)), (b"app.example:8443", b"app.example:8443"))


# --- what proxies say ----------------------------------------------------------
FORWARDED = {"x-forwarded-for": "192.0.2.1, 198.51.100.2", "x-forwarded-proto": "https", "x-forwarded-host": "h",
             "x-forwarded-port": "443", "x-forwarded-prefix": "/p", "x-real-ip": "192.0.2.1",
             "forwarded": 'for="[2001:db8::1]";proto=https', "x_forwarded_for": "192.0.2.9", "via": "1.1 edge"}


def forwarded_of(s):
    ask(s, headers=FORWARDED)
    return {n.decode(): v.decode() for n, v in fields_of(s.backend.last(), b"host")}


def test_forwarded_fields_pass(s):
    s.backend = RawBackend()
    s.start()
    equal(forwarded_of(s), FORWARDED, "relay is the default")


def test_forwarded_fields_pass_when_trusted(s):
    s.backend = RawBackend()
    s.start(TRUST_FORWARDED="on")
    equal(forwarded_of(s), FORWARDED)


def test_forwarded_fields_are_removed(s):
    s.backend = RawBackend()
    s.start(TRUST_FORWARDED="off")
    equal(forwarded_of(s), {"via": "1.1 edge"})


def test_via(s):
    s.backend = RawBackend()
    s.start(VIA="gw.example:8080")
    ask(s, headers={})
    equal(s.backend.last().one("via"), b"1.1 gw.example:8080")
    equal(forwarded_of(s)["via"], "1.1 edge, 1.1 gw.example:8080", "appended")


# --- the operator's lists ------------------------------------------------------
def test_lists_for_requests(s):
    s.backend = RawBackend()
    s.start(ADD_REQUEST_HEADERS="X-Tenant: blue, green; a=\"b\" | X-Bar: a||b|X-Url:http://h/|Cookie: c=1",
            REMOVE_REQUEST_HEADERS="Proxy, x-internal-*,X-Url,authorization")
    ask(s, headers={"x-tenant": "forged", "X_Tenant": "forged too", "proxy": "http://p", "X-Internal-A": "1",
                    "x_internal_b": "2", "x-internal": "kept", "x-url": "old", "cookie": "old=1", "Authorization": "x",
                    "accept": "a"})
    equal(fields_of(s.backend.last(), b"host"),
          [(b"x-internal", b"kept"), (b"accept", b"a"), (b"X-Tenant", b'blue, green; a="b"'), (b"X-Bar", b"a|b"),
           (b"X-Url", b"http://h/"), (b"Cookie", b"c=1")])


def test_lists_for_answers(s):
    s.backend = RawBackend()
    s.start(ADD_RESPONSE_HEADERS="X-Frame-Options: DENY | Cache-Control: no-store",
            REMOVE_RESPONSE_HEADERS="Server,X-Debug-*, set-cookie")
    answer_with(s, b"SERVER: s", b"X-Debug-Sql: x", b"X_Debug_2: y", b"Cache-Control: public", b"Set-Cookie: a=1",
                b"Set-Cookie: b=2", b"X-Keep: 1")
    res = ask(s)
    equal(headers_of(res), {"x-keep": "1", "x-frame-options": "DENY", "cache-control": "no-store"})
    check('"X-Frame' not in res.text, "names are in lower case on the wire")


def test_bad_rules_are_refused_at_the_start(s):
    wrong = {
        "HOST_HEADER": ("a b", "neither backend nor pass"), "VIA": ("a b", "neither off nor a name"),
        "TRUST_FORWARDED": ("9", "none of off|relay|on"),
        "ADD_REQUEST_HEADERS": ("Transfer-Encoding: chunked", "frames the message"),
        "REMOVE_REQUEST_HEADERS": ("x-a, Connection", "for one hop only"),
        "ADD_RESPONSE_HEADERS": ("Set-Cookie: a=b", "carries one only"),
        "REMOVE_RESPONSE_HEADERS": ("t*", "longer prefix"), "SET_COOKIE_OVERFLOW": ("last", "none of first|refuse"),
        "ALLOW_METHODS": ("GET,P T", "not a method"), "ALLOW_PATHS": ("api", "begins with /"),
        "DENY_PATHS": ("/a/*", "no pattern"),
    }
    phone = s.start(wait=None, **{k: v[0] for k, v in wrong.items()})
    phone.wait_exit(78)
    for key, (_, words) in wrong.items():
        check(phone.has_log(rf"{key}: .*{words.replace('|', '.')}"), f"{key}: {words}: {phone.log()}")


# --- answers -------------------------------------------------------------------
def test_an_answer_arrives_as_it_was(s):
    s.backend = RawBackend()
    s.start()
    answer_with(s, b'ETag: W/"a"', b"Content-Type: text/x; charset=\"q\"", b"X-Empty:", b"X-Trim: \t a  b \t", b"x-Utf8: \xc3\xa9",
                b"Location: //h/../%2e?[", b"Content-Encoding: gzip", b"X!#$%&'*+-.^_`|~9: ~", b"Date: now")
    res = ask(s)
    equal(headers_of(res), {"etag": 'W/"a"', "content-type": 'text/x; charset="q"', "x-empty": "", "x-trim": "a  b",
                            "x-utf8": "\u00e9", "location": "//h/../%2e?[", "content-encoding": "gzip",
                            "x!#$%&'*+-.^_`|~9": "~", "date": "now"})
    equal(call(s, "GET", "/").one("etag"), b'W/"a"', "at the client")


def test_an_answer_without_a_type_gets_none(s):
    """RFC 9110 §8.3: who is told nothing may look for himself; Plugboard would
    call it text/plain (protocol.md §4)."""
    s.backend = RawBackend()
    s.start()
    for body in (b"<html>", b"x", b"\xff", "\u00e9".encode() * 9):
        s.backend.on("*", reply(body))
        for method in ("GET", "HEAD"):
            got = call(s, method, "/")
            equal((got.fields, got.body), ([(b"content-length", b"%d" % len(body))], body if method == "GET" else b""), method)
    s.backend.on("*", reply(b"x", b"200 OK", "content-type:"))
    equal(call(s, "GET", "/").all("content-type"), [b""], "an empty one is one")
    s.backend.on("*", reply(b"", b"302 Found", "location: /x"))
    equal(ask(s).headers, {"location": "/x"}, "no body")


def test_latin_1_values_are_transcoded(s):
    s.backend = RawBackend()
    s.start()
    every = bytes(range(0xa0, 0x100)) + b"\x80"
    answer_with(s, b"X-Latin: " + every, b"X-Utf8: \xc3\xa9\xf0\x9f\x98\x80", b"X-Mixed: \xc3\xa9\xe9", b"X-Cut: a\xc3")
    res = ask(s)
    equal(res.headers["x-latin"], every.decode("latin-1"))
    equal(res.headers["x-utf8"], "\u00e9\U0001f600")
    equal(res.headers["x-mixed"], b"\xc3\xa9\xe9".decode("latin-1"), "as a whole")
    equal(res.headers["x-cut"], "a\u00c3")
    equal(call(s, "GET", "/").one("x-cut"), b"a\xc3\x83", "at the client")


def test_hop_by_hop_fields_of_answers(s):
    s.backend = RawBackend()
    s.start()
    for change in (bytes.lower, bytes.upper, bytes.title):
        answer_with(s, *(change(line) for line in (
            b"connection: x-one , x-two", b"connection: x-three", b"x-one: 1", b"x-two: 2", b"x-three: 3", b"keep-alive: timeout=5",
            b"proxy-authenticate: basic", b"proxy-authentication-info: x", b"trailer: x-t", b"te: x", b"upgrade: h2c",
            b"proxy-connection: keep-alive", b"x-kept: 4", b"x-one-more: 5")))
        equal(sorted(headers_of(ask(s))), ["x-kept", "x-one-more"])


def test_repeated_fields_of_answers_are_combined(s):
    s.backend = RawBackend()
    s.start()
    answer_with(s, b"Vary: a", b"X-A: 1", b"VARY: b, c", b"vary:", b"WWW-Authenticate: Basic", b"www-authenticate: Digest",
                b"Link: </a>; rel=x", b"Link: </b>")
    equal(headers_of(ask(s)), {"vary": "a, b, c, ", "x-a": "1", "www-authenticate": "Basic, Digest",
                                "link": "</a>; rel=x, </b>"})


def test_a_field_that_comes_once_only(s):
    s.backend = RawBackend()
    s.start()
    for name in (b"Content-Type", b"Location", b"ETag", b"Content-Range"):
        answer_with(s, name + b": a", name.lower() + b":  a")
        equal(ask(s).headers[name.decode().lower()], "a", "said twice")
        answer_with(s, name + b": a", name.upper() + b": b")
        res = ask(s)
        equal((res.status, res.json()["error"]), (502, "backend_field"), name)


def test_bad_fields_of_answers_are_refused(s):
    s.backend = RawBackend()
    s.start()
    for line in (b"x: a\rb", b"x: a\0b", b"na me: x", b"name : x", b": x", b"no colon", b"x\xe9: y", b"x: a\r\n folded",
                 b"x\0: y"):
        answer_with(s, b"x-a: b", line)
        res = ask(s)
        equal((res.status, res.json()["error"]), (502, "backend_field"), line)
        check("x-a" not in res.headers, "nothing of it came through")


# --- cookies -------------------------------------------------------------------
COOKIES = (b"Set-Cookie: one=1; Path=/, x", b"SET-COOKIE: two=2", b"set-cookie: three=3")


def metric(s, phone, name):
    from harness import request
    text = request(int(phone.env["HEALTH_CHECK_PORT"]), "GET", "/metrics").body.decode()
    return int(next(line.split()[-1] for line in text.splitlines() if line.startswith(name)))


def test_the_first_cookie_is_carried(s):
    from harness import free_port
    s.backend = RawBackend()
    phone = s.start(HEALTH_CHECK_PORT=free_port())
    answer_with(s, *COOKIES)
    answer = call(s, "GET", "/")
    equal((answer.status, answer.all("set-cookie"), answer.body), (200, [b"one=1; Path=/, x"], b"ok"))
    phone.wait_log(r"2 further Set-Cookie fields were dropped")
    check("two=2" not in phone.log(), "a cookie is in the log")
    equal(metric(s, phone, "telephone_set_cookie_dropped_total"), 2)
    answer_with(s, COOKIES[0])
    equal(call(s, "GET", "/").all("set-cookie"), [b"one=1; Path=/, x"])
    equal(metric(s, phone, "telephone_set_cookie_dropped_total"), 2, "one is no loss")


def test_several_cookies_are_refused(s):
    s.backend = RawBackend()
    s.start(SET_COOKIE_OVERFLOW="refuse")
    answer_with(s, *COOKIES)
    res = ask(s)
    equal((res.status, res.json()["error"]), (502, "set_cookie_overflow"))
    check("set-cookie" not in res.headers and b"one=1" not in res.body, res.text)
    answer_with(s, COOKIES[0])
    equal(ask(s).status, 200, "one")
