# SPDX-License-Identifier: MIT
"""Spans of requests and WebSockets: what is in them, what never is, and how they
belong together."""
import concurrent.futures, os, re, time, urllib.parse

from harness import check, equal, until
from otelkit import CLIENT, SERVER, Collector, fast, of
from wskit import TEXT, App, Refused, connect, echo

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
TRACEPARENT = f"00-{TRACE}-{PARENT}-01"


def traced(s, answer=None, delay=0, **more):
    c = Collector(answer, delay)
    return c, s.start(**fast(c, **more))


def seen(s, target="/headers", **headers):
    """The head that the application saw, as (name, value) pairs."""
    answer = s.call("GET", target, headers=headers)
    equal(answer.status, 200)
    lines = answer.body.decode().split("\r\n")[1:]
    return [(n.lower(), v.strip()) for n, v in (line.split(":", 1) for line in lines if line)]


def parents(head):
    return [v for n, v in head if n == "traceparent"]


def test_a_request_is_two_spans(s):
    c, phone = traced(s)
    begin = time.time()
    head = seen(s)
    server, = of(c.wait(2), SERVER)
    client, = of(c.spans, CLIENT)
    equal(c.heads[0][0], "/v1/traces")
    check(c.heads[0][1]["user-agent"].startswith("telephone/"), c.heads)
    equal(parents(head), [f"00-{server.trace}-{client.id}-03"], "what the application was told")
    equal([v for n, v in head if n == "tracestate"], [])
    equal((client.trace, client.parent, server.parent), (server.trace, server.id, None))
    equal((server.name, client.name, server.error, client.error), ("GET", "GET", False, False))
    equal((server.flags, client.flags), (0x103, 0x103), "sampled, random, of this process")
    check(server.begin <= client.begin <= client.end <= server.end, "one in the other")
    check(begin - 1 < server.begin / 1e9 and server.end / 1e9 < time.time() + 1, "the wall clock's")
    record = until(lambda: re.search(r"request (\S+): 200 .*trace_id=(\w+)", phone.log()), "the record")
    equal(record[2], server.trace, "in the log")
    equal(server.attrs, {
        "http.request.method": "GET", "url.path": "/headers", "url.scheme": "http", "server.address": "127.0.0.1",
        "server.port": s.board.ports["http"], "http.response.status_code": 200, "telephone.request_id": record[1],
        "telephone.tunnel": 1, "telephone.outcome": "ok"})
    equal(client.attrs, {
        "http.request.method": "GET", "url.full": f"http://127.0.0.1:{s.backend.ports['http']}/headers",
        "server.address": "127.0.0.1", "server.port": s.backend.ports["http"], "http.response.status_code": 200})
    check(server.events == client.events == [], "no events")
    resource = server.resource
    equal((resource["service.name"], resource["telemetry.sdk.name"]), ("telephone", "telephone"))
    equal(resource["service.version"], phone.status()["version"])
    c.stop()


def test_a_trace_is_continued(s):
    c, _ = traced(s)
    head = seen(s, traceparent=TRACEPARENT, tracestate="rojo=1 , congo=t61rcWkgMzE")
    server, = of(c.wait(2), SERVER)
    client, = of(c.spans, CLIENT)
    equal((server.trace, server.parent, client.trace, client.parent), (TRACE, PARENT, TRACE, server.id))
    equal((server.flags, client.flags), (0x301, 0x101), "a remote parent, and one of this process")
    equal((server.state, client.state), ("rojo=1,congo=t61rcWkgMzE",) * 2)
    equal(parents(head), [f"00-{TRACE}-{client.id}-01"], "once, and its own")
    equal([v for n, v in head if n == "tracestate"], ["rojo=1,congo=t61rcWkgMzE"])
    c.stop()


def test_a_malformed_trace_begins_anew(s):
    c, _ = traced(s)
    for bad in ("00-" + "0" * 32 + f"-{PARENT}-01", TRACEPARENT.upper(), TRACEPARENT + "-", f"ff-{TRACE}-{PARENT}-01", "x", ""):
        head = seen(s, traceparent=bad, tracestate="rojo=1")
        found, = parents(head)
        check(re.fullmatch(r"00-[0-9a-f]{32}-[0-9a-f]{16}-03", found) and TRACE not in found, found)
        equal([v for n, v in head if n == "tracestate"], [], "of another trace")
    head = seen(s, traceparent=TRACEPARENT, tracestate="Rojo=1")
    check(parents(head)[0].startswith(f"00-{TRACE}-"), head)
    equal([v for n, v in head if n == "tracestate"], [], "a malformed one")
    long = ",".join(f"k{i}={'x' * 96}" for i in range(9))
    head = seen(s, traceparent=TRACEPARENT, tracestate=long)
    equal([v for n, v in head if n == "tracestate"], [",".join(long.split(",")[:5])], "512 characters, whole members")
    c.wait(16)
    c.stop()


def test_off_is_untouched(s):
    c = Collector()
    for more in ({}, {"OTEL_EXPORTER_OTLP_ENDPOINT": c.url, "OTEL_SDK_DISABLED": "TRUE"},
                 {"OTEL_EXPORTER_OTLP_ENDPOINT": c.url, "OTEL_TRACES_EXPORTER": "none"},
                 {"OTEL_EXPORTER_OTLP_ENDPOINT": ""}):
        phone = s.start(OTEL_BSP_SCHEDULE_DELAY="10", **more)
        for value in (TRACEPARENT, "what-ever"):
            head = seen(s, traceparent=value, tracestate="Any,thing")
            equal([(n, v) for n, v in head if n.startswith("trace")], [("traceparent", value), ("tracestate", "Any,thing")])
        equal(parents(seen(s)), [], "nothing is added")
        phone.wait_log(r"request \S+: 200", count=3)
        check(not phone.has_log("trace_id"), "no id")
        equal(phone.status()["worker"]["tracing"], False)
        check(re.search(r"^traces +off$", phone.ctl("status").stdout, re.M), "status")
        phone.stop()
    equal(c.bodies, [])
    c.stop()


def test_the_flag_is_honoured(s):
    c, phone = traced(s)
    head = seen(s, traceparent=f"00-{TRACE}-{PARENT}-00")
    found, = parents(head)
    check(found.startswith(f"00-{TRACE}-") and found.endswith("-00") and PARENT not in found, found)
    phone.wait_log(rf"request \S+: 200 .*trace_id={TRACE}")
    seen(s, traceparent=f"00-{TRACE}-{PARENT}-02")
    server, = of([x for x in (seen(s), c.wait(2))[1]], SERVER)
    check(server.trace != TRACE, "only the one that is sampled")
    c.stop()


def test_samplers(s):
    cases = (("always_off", "1", "01", 0), ("always_on", "0", "00", 2), ("parentbased_always_off", "1", "01", 2),
             ("parentbased_always_off", "1", None, 0), ("traceidratio", "1.0", "00", 2), ("traceidratio", "0", "01", 0),
             ("parentbased_traceidratio", "0", "01", 2), ("parentbased_traceidratio", "0", None, 0),
             ("PARENTBASED_TRACEIDRATIO", "1e0", None, 2))
    for sampler, arg, flag, count in cases:
        c, phone = traced(s, OTEL_TRACES_SAMPLER=sampler, OTEL_TRACES_SAMPLER_ARG=arg)
        more = {"traceparent": f"00-{TRACE}-{PARENT}-{flag}"} if flag else {}
        found, = parents(seen(s, **more))
        equal(int(found[-2:], 16) & 1, count // 2, (sampler, arg, flag))
        phone.stop()  # flushes
        equal(len(c.spans), count, (sampler, arg, flag))
        c.stop()


def test_a_ratio_of_ids(s):
    """By the last 56 bits: everything from (1 - ratio) * 2^56 on."""
    c, phone = traced(s, OTEL_TRACES_SAMPLER="traceidratio", OTEL_TRACES_SAMPLER_ARG="0.25")
    for low, sampled in (("c0000000000000", 1), ("bfffffffffffff", 0), ("ffffffffffffff", 1), ("00000000000000", 0)):
        found, = parents(seen(s, traceparent=f"00-{TRACE[:18]}{low}-{PARENT}-00"))
        equal(int(found[-2:], 16), sampled, low)
    found, = parents(seen(s, traceparent=f"00-{TRACE[:18]}{'0' * 14}-{PARENT}-00", tracestate="ot=rv:c0000000000000"))
    equal(int(found[-2:], 16), 1, "explicit randomness")
    c.wait(6)
    c.stop()


def test_retries_are_events(s):
    c, phone = traced(s, BACKEND_RETRIES="2")
    answer = s.call("GET", f"/fail/2?id={time.time()}", headers={"traceparent": TRACEPARENT})
    equal(answer.status, 200)
    spans = c.wait(4)
    server, = of(spans, SERVER)
    clients = sorted(of(spans, CLIENT), key=lambda x: x.begin)
    status = clients[0].attrs["http.response.status_code"]
    check(status >= 500, status)
    equal([x.attrs.get("http.request.resend_count") for x in clients], [None, 1, 2])
    equal([x.attrs["http.response.status_code"] for x in clients], [status, status, 200])
    equal([x.attrs.get("error.type") for x in clients], [str(status), str(status), None])
    equal([x.error for x in clients], [True, True, False])
    equal({x.parent for x in clients}, {server.id})
    equal([(name, a["error.type"], a["http.request.resend_count"]) for name, a in server.events],
          [("retry", str(status), 1), ("retry", str(status), 2)])
    check(0 < server.events[0][1]["telephone.retry.delay_ms"] < server.events[1][1]["telephone.retry.delay_ms"], server.events)
    equal((server.attrs["http.response.status_code"], server.error), (200, False))
    c.stop()


def test_failures(s):
    c, phone = traced(s, BACKEND_RETRIES="0", REQUEST_TIMEOUT="1s", DENY_PATHS="/secret", BACKEND_FIRST_BYTE_TIMEOUT="300ms")
    want = {"/status/503": (503, True, "503", (503, "503")), "/status/404": (404, False, None, (404, "404")),
            "/reset": (502, True, "backend_cut", (None, "backend_cut")),
            "/hang": (504, True, "backend_first_byte_timeout", (None, "backend_first_byte_timeout")),
            "/slow/1000": (504, True, "backend_unfinished", (200, "backend_unfinished")),
            "/secret": (403, False, None, None)}
    for path in want:
        s.call("GET", path)
    spans = c.wait(2 * len(want) - 1)
    for path, (status, error, kind, call) in want.items():
        server, = [x for x in of(spans, SERVER) if x.attrs["url.path"] == path]
        equal((server.attrs["http.response.status_code"], server.error, server.attrs.get("error.type")), (status, error, kind), path)
        clients = [x for x in of(spans, CLIENT) if x.parent == server.id]
        if call is None:
            equal((clients, server.attrs["telephone.cause"]), ([], "path_not_allowed"))
            continue
        client, = clients
        equal((client.attrs.get("http.response.status_code"), client.attrs.get("error.type")), call, path)
        check(client.error, path)
    c.stop()


def test_nobody_answers(s):
    c, phone = traced(s, BACKEND_PORT="1", BACKEND_RETRIES="1")
    equal(s.call("GET", "/x").status, 502)
    spans = c.wait(3)
    equal([x.attrs["error.type"] for x in spans], ["backend_unreachable"] * 3)
    equal(of(spans, SERVER)[0].events[0][1]["error.type"], "backend_unreachable")
    c.stop()


def test_what_is_refused_unread(s):
    """Its trace is the client's all the same."""
    c, _ = traced(s, MAX_REQUEST_SIZE="64KiB", RATE_LIMIT="1/h", RATE_BURST="1")
    equal(s.call("POST", "/echo", b"x" * 200000, {"traceparent": TRACEPARENT}).status, 413)
    equal(s.call("GET", "/bytes/1").status, 200)
    equal(s.call("GET", "/bytes/1", headers={"traceparent": TRACEPARENT}).status, 429)
    spans = of(c.wait(4), SERVER)
    equal({x.attrs["http.response.status_code"]: (x.attrs.get("telephone.cause"), x.error) for x in spans},
          {413: ("request_too_large", False), 200: (None, False), 429: ("rate_limited", False)})
    equal([x.trace for x in spans if x.attrs["http.response.status_code"] == 429], [TRACE])
    c.stop()


def test_a_lost_tunnel(s):
    c, phone = traced(s)
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        pool.submit(s.call, "GET", "/delay/3000")
        until(lambda: phone.status()["worker"]["in_flight"] == 1, "it is under way")
        s.fault("drop")
        server, = of(c.wait(2), SERVER)
    client, = of(c.spans, CLIENT)
    equal((server.attrs["error.type"], server.error, server.attrs.get("http.response.status_code")), ("tunnel_lost", True, None))
    equal((client.attrs["error.type"], client.error), ("cancelled", True))
    c.stop()


def test_a_lost_tunnel_of_a_websocket(s):
    c, phone = traced(s)
    link = connect(s, "/ws")
    link.send(TEXT, "x")
    link.recv()
    s.fault("drop")
    server, = of(c.wait(2), SERVER)
    equal((server.attrs["telephone.outcome"], server.attrs["error.type"], server.error), ("lost", "tunnel_lost", True))
    c.stop()


def test_methods(s):
    c, _ = traced(s)
    s.call("PUT", "/echo", b"x")
    s.call("BREW", "/echo", b"x")
    spans = c.wait(4)
    equal(sorted(x.name for x in spans), ["HTTP", "HTTP", "PUT", "PUT"])
    odd = [x.attrs for x in spans if x.name == "HTTP"]
    equal({(a["http.request.method"], a["http.request.method_original"]) for a in odd}, {("_OTHER", "BREW")})
    c.stop()


def test_paths_as_the_application_sees_them(s):
    c, _ = traced(s)
    s.call("GET", "/target/a%3Fb%25c%20d%C3%A9")
    s.call("GET", "/target")
    spans = c.wait(4)
    paths = sorted(x.attrs["url.path"] for x in of(spans, SERVER))
    check(paths[0] == "/target" and paths[1].startswith("/target/a"), paths)
    check("?" not in "".join(paths), paths)
    for client in of(spans, CLIENT):
        server, = [x for x in spans if x.id == client.parent]
        check(client.attrs["url.full"].endswith(server.attrs["url.path"]), client.attrs)
    c.stop()


def test_nothing_that_is_nobody_s_business(s):
    canary = "canary" + os.urandom(8).hex()
    c, phone = traced(s, OTEL_EXPORTER_OTLP_HEADERS="api-key=secret%2C1, x-tenant = a b ",
                      ADD_REQUEST_HEADERS=f"x-added: {canary}", BACKEND_RETRIES="1")
    headers = {"cookie": f"a={canary}", "authorization": f"Bearer {canary}", "x-own": canary, "user-agent": canary,
               "host": f"{canary}.example", "referer": f"http://{canary}/", "x-forwarded-for": canary, "content-type": "text/plain"}
    s.call("POST", f"/echo?q={canary}", canary.encode(), headers)
    s.call("GET", f"/status/503?{canary}", None, headers)
    s.call("GET", f"/cookies?{canary}", None, headers)
    link = connect(s, f"/ws?q={canary}", {k: v for k, v in headers.items() if k not in ("host", "content-type")})
    link.send(TEXT, canary)
    equal(link.recv(), (TEXT, canary.encode()))
    link.close(1000, canary)
    link.recv_close()
    phone.stop()
    check(len(c.spans) >= 8, len(c.spans))
    data = b"".join(c.bodies)
    for what in (canary, s.secret, phone.env["TELEPHONE_TOKEN"], urllib.parse.quote(phone.env["TELEPHONE_TOKEN"]), "secret,1"):
        check(what.encode() not in data, f"{what} is in {data[:600]}")
    check(not c.faults, c.faults)
    equal({(h["api-key"], h["x-tenant"]) for _, h in c.heads}, {("secret,1", "a b")}, "for the collector")
    check("secret,1" not in phone.log() and "secret%2C1" not in phone.log(), "in the log")
    c.stop()


def test_a_websocket_is_two_spans(s):
    c, phone = traced(s)
    link = connect(s, "/ws?x=1", {"traceparent": TRACEPARENT, "tracestate": "a=1"})
    link.send(TEXT, "hello")
    link.recv()
    time.sleep(0.3)
    equal(c.spans, [], "not before its end")
    link.close(1000, "")
    link.recv_close()
    server, = of(c.wait(2), SERVER)
    client, = of(c.spans, CLIENT)
    equal((client.parent, client.trace), (server.id, server.trace))
    equal((client.attrs["http.response.status_code"], client.error), (101, False))
    record = until(lambda: re.search(r"WebSocket (\S+): .*trace_id=(\w+)", phone.log()), "the record")
    equal(record[2], server.trace)
    want = {"http.request.method": "GET", "url.path": "/ws", "url.scheme": "http", "network.protocol.name": "websocket",
            "http.response.status_code": 101, "telephone.connection_id": record[1], "telephone.outcome": "client",
            "telephone.websocket.close_code": 1000, "telephone.websocket.messages_in": 1,
            "telephone.websocket.messages_out": 1}
    equal({k: server.attrs.get(k) for k in want}, want)
    check(server.begin <= client.begin and client.end < server.end - 2 * 10 ** 8, "the handshake is its beginning")
    c.stop()


def test_a_websocket_s_handshake_is_told(s):
    c = Collector()
    s.start_board()
    app = s.backend = App(echo)
    phone = s.start(**fast(c))
    link = connect(s, "/ws", {"traceparent": TRACEPARENT, "tracestate": "a=1"})
    link.close(1000)
    link.recv_close()
    spans = c.wait(2)
    client, = of(spans, CLIENT)
    told = [v for n, v in app.links[0].fields if n.lower() == "traceparent"]
    equal(told, [f"00-{client.trace}-{client.id}-{client.flags & 3:02x}"], "once, and its own")
    equal(len(app.links), 1, "one handshake for check and connect")
    c.stop()


def test_a_refused_websocket(s):
    c, _ = traced(s)
    try:
        connect(s, "/status/403")
        check(False, "it was accepted")
    except Refused:
        pass
    server, = of(c.wait(2), SERVER)
    client, = of(c.spans, CLIENT)
    equal((client.attrs["http.response.status_code"], client.attrs["error.type"], client.error), (403, "403", True))
    equal((server.attrs["telephone.outcome"], server.attrs["error.type"], server.error), ("refused", "refused", True))
    c.stop()
