# SPDX-License-Identifier: MIT
"""Requests through everything: what goes in comes out."""
import concurrent.futures, json, time

from harness import Mirror, check, equal, free_port, until

BODY = ("a\u00e9\u20ac\U0001f600 \"quoted\" \\ \n" * 40).encode()


def test_get(s):
    s.start()
    answer = s.call("GET", "/headers?a=1&b=%20x&a=2[]")
    equal(answer.status, 200)
    line = answer.body.split(b"\r\n")[0]
    equal(line, b"GET /headers?a=1&b=%20x&a=2[] HTTP/1.1", "request line")


def test_methods_and_bodies(s):
    s.start()
    for method in ("POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"):
        answer = s.call(method, "/echo", BODY, {"content-type": "text/plain"})
        equal(answer.status, 200, method)
        equal(answer.headers.get("x-echo-method"), method)
        equal(answer.body, BODY, method)
    head = s.call("HEAD", "/bytes/1000")
    equal((head.status, head.body), (200, b""), "HEAD")


def test_fields_as_received(s):
    s.start()
    answer = s.call("POST", "/headers", b"12345", {
        "host": "example.com", "x-a": "1", "connection": "x-hop", "x-hop": "gone", "te": "trailers",
        "keep-alive": "5", "upgrade": "h2c", "x-empty": "", "expect": "100-continue"})
    lines = [line.lower() for line in answer.body.decode().split("\r\n")[1:] if line]
    names = [line.split(":")[0] for line in lines]
    for gone in ("x-hop", "te", "keep-alive", "upgrade", "expect", "connection", "transfer-encoding"):
        check(gone not in names, f"{gone} was passed on: {lines}")
    for added in ("accept", "user-agent", "accept-encoding", "content-type"):
        check(added not in names, f"{added} was added: {lines}")
    for want in (f"host: 127.0.0.1:{s.backend.ports['http']}", "x-a: 1", "content-length: 5"):
        check(want in lines, f"{want} is missing: {lines}")
    check("x-empty:" in [line.strip() for line in lines], f"the empty field is missing: {lines}")


def test_path_is_encoded_again(s):
    s.backend = Mirror()
    s.start()
    for sent, want in (("/a%3Fb%23c", "/a%3Fb%23c"), ("/100%25", "/100%25"), ("/c%20d%C3%A9+e", "/c%20d%C3%A9+e"),
                       ("/./x/", "/./x/"), ("/a%2Fb?c=%2F[x]|{y}^", "/a/b?c=%2F[x]|{y}^"),
                       ("/;a=b,c:@!$&'()*", "/;a=b,c:@!$&'()*")):
        answer = s.call("GET", sent)
        equal(answer.body.decode(), f"GET {want} HTTP/1.1", sent)


def test_bodies_are_exact(s):
    s.start()
    for target in ("/bytes/0", "/bytes/1", "/bytes/1048576", "/bytes/70000?chunked=1", "/utf8/1048577", "/utf8/3000001",
                   "/binary/1", "/binary/1048576", "/allbytes", "/gzip", "/png"):
        direct, through = s.direct(target), s.call("GET", target)
        equal(through.status, 200, target)
        check(through.body == direct.body, f"{target}: {len(through.body)} bytes differ from {len(direct.body)}")
    equal(s.call("GET", "/gzip").headers.get("content-encoding"), "gzip")


def test_small_chunks_are_exact(s):
    s.start(CHUNK_SIZE="1KiB")
    for target in ("/utf8/100001", "/binary/100001", "/bytes/1024", "/bytes/1025"):
        check(s.call("GET", target).body == s.direct(target).body, f"{target} differs")


def test_response_fields(s):
    s.start()
    redirect = s.call("GET", "/redirect")
    check(300 <= redirect.status < 400, f"a redirect was followed: {redirect.status}")
    check("location" in redirect.headers, "no location")
    hop = s.call("GET", "/hop")
    for gone in ("keep-alive", "proxy-authenticate", "trailer", "upgrade"):
        check(gone not in hop.headers, f"{gone} came through: {hop.headers}")
    cookies = s.call("GET", "/cookies")
    check(cookies.headers.get("set-cookie"), "no cookie came through")
    latin = s.call("GET", "/latin1")
    equal(latin.status, 200, "latin1")
    for status in (200, 201, 204, 304, 400, 404, 418, 429, 500, 503):
        equal(s.call("GET", f"/status/{status}").status, status)


def test_status_without_a_name(s):
    s.start()
    answer = s.call("GET", "/status/599")
    equal(answer.status, 502)
    equal(answer.json()["error"], "backend_status")
    check("599" in answer.json()["reason"], "the status is named")


def test_slow_ones_do_not_hold_fast_ones(s):
    s.start()
    with concurrent.futures.ThreadPoolExecutor(100) as pool:
        begin = time.monotonic()
        slow = [pool.submit(s.call, "GET", "/delay/3000") for _ in range(100)]
        until(lambda: s.state()["in_flight"] >= 100, "100 requests are in flight")
        equal(s.call("GET", "/bytes/10").status, 200, "the fast one")
        check(not any(f.done() for f in slow), "the fast one overtakes")
        for f in slow:
            equal(f.result().body, b"slept 3000 ms\n", "a slow one")
        check(time.monotonic() - begin < 30, "they ran at the same time")


def test_backend_down(s):
    s.start(BACKEND_PORT=free_port())
    answer = s.call("GET", "/x")
    equal(answer.status, 502)
    equal(answer.json()["error"], "backend_unreachable")
    check(answer.json()["reason"] and answer.json()["request_id"], "reason and id")
    check(b"127.0.0.1" not in answer.body, f"an address is in {answer.body!r}")


def test_backend_timeout(s):
    phone = s.start(REQUEST_TIMEOUT="300ms")
    answer = s.call("GET", "/delay/60000")
    equal(answer.status, 504)
    equal(answer.json()["error"], "request_timeout")
    phone.wait_log(r"request \S+: request_timeout")


def test_backend_cuts(s):
    s.start()
    for target in ("/close", "/closechunked", "/reset"):
        answer = s.call("GET", target)
        equal(answer.status, 502, target)
        check(answer.json()["error"].startswith("backend_"), f"{target}: {answer.body!r}")


def test_response_too_large(s):
    s.start(MAX_RESPONSE_SIZE="10KiB")
    equal(s.call("GET", "/bytes/10240").status, 200, "at the bound")
    for target in ("/bytes/10241", "/bytes/10241?chunked=1"):
        answer = s.call("GET", target)
        equal((answer.status, answer.json()["error"]), (502, "response_too_large"), target)


def test_message_too_long(s):
    phone = s.start(MAX_REQUEST_SIZE="64KiB")
    equal(s.call("POST", "/echo", b"x" * 60000).status, 200, "below the bound")
    answer = s.call("POST", "/echo", b"x" * 70000)
    equal((answer.status, answer.json()["error"]), (413, "request_too_large"), "above it")
    phone.wait_log(r"request \S+: refused with 413: request_too_large")
    equal(s.call("GET", "/bytes/3").status, 200, "and it still serves")
    equal(s.counter("connects"), 1, "connections")


def test_inflight_bound(s):
    phone = s.start(MAX_INFLIGHT="2", QUEUE_MAX="0")
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        slow = [pool.submit(s.call, "GET", "/delay/1500") for _ in range(2)]
        until(lambda: phone.status()["worker"]["in_flight"] == 2, "two are in flight")
        answer = s.call("GET", "/bytes/1")
        equal((answer.status, answer.json()["error"]), (503, "overloaded"))
        for f in slow:
            equal(f.result().status, 200)
    equal(s.call("GET", "/bytes/1").status, 200, "afterwards")


def test_swallowed_body(s):
    phone = s.start()
    s.set(swallow="on")
    answer = s.call("POST", "/echo", b'{"a":1}', {"content-type": "application/json"})
    equal((answer.status, answer.body), (200, b""))
    phone.wait_log(r"7 bytes of body were declared and 0 arrived")


def test_broken_requests_from_plugboard(s):
    phone = s.start()
    s.admin("push", body=b'{"method":"GET"}', event="proxy_req")
    phone.wait_log(r"a proxy_req that cannot be answered")
    s.admin("push", body=b'{"request_id":"r-1","method":"G T","path":"/","query_string":"","headers":{},"body":""}',
            event="proxy_req")
    phone.wait_log(r"request r-1: refused with 400: method is not a token")
    s.admin("push", body=json.dumps({"request_id": "r-2", "method": "GET", "path": "/", "query_string": "",
                                     "headers": {"x": "a\r\nb: c"}, "body": ""}).encode(), event="proxy_req")
    phone.wait_log(r"request r-2: refused with 400: a header value holds")
    s.admin("push", body=b"{}", event="no_such_event")
    s.admin("raw", body=b'{"not":"an array"}')
    phone.wait_log(r"no Phoenix message")
    equal(s.call("GET", "/bytes/3").status, 200, "and it still serves")
