# SPDX-License-Identifier: MIT
"""Who may come (ALLOW_CLIENTS) and how often (RATE_LIMIT): requests and
WebSockets, by what TRUST_FORWARDED has us believe of X-Forwarded-For."""
import json, re, subprocess

from fidelity.raw import RawBackend, ask
from harness import check, equal, free_port, request, until
from hostile.rawboard import Bounded, RawBoard, frame
from wskit import TEXT, Refused, connect


def of(*clients, **more):
    """The fields of a request that came through proxies for these."""
    return {"headers": {"x-forwarded-for": ", ".join(clients), **more}}


def code(res):
    return res.status, res.json()["error"]


def outcomes(s, n, **payload):
    return [ask(s, **payload).status for _ in range(n)]


# --- how often -----------------------------------------------------------------
def test_a_limit_for_all(s):
    s.backend = RawBackend()
    phone = s.start(RATE_LIMIT="6/m", RATE_BURST="3")
    equal(outcomes(s, 3), [200] * 3, "the burst")
    res = ask(s, **of("192.0.2.1"))
    equal(code(res), (429, "rate_limited"))
    check(1 <= int(res.headers["retry-after"]) <= 10, f"{res.headers}")
    check("RATE_LIMIT" in res.json()["reason"] and "192.0.2" not in str(res.body), res.body)
    equal(len(s.backend.requests), 3, "requests that reached the application")
    check(phone.has_log(r"refused with 429: rate_limited: "), "no line in the log")


def test_it_comes_back(s):
    s.backend = RawBackend()
    s.start(RATE_LIMIT="2/s", RATE_BURST="1")
    for _ in range(3):
        res = ask(s)
        while res.status == 429:
            equal(res.headers["retry-after"], "1")
            res = ask(s)
        equal(res.status, 200)


def test_a_limit_for_each(s):
    s.backend = RawBackend()
    port = free_port()
    s.start(RATE_LIMIT="1/h", RATE_BURST="2", RATE_LIMIT_BY="client", TRUST_FORWARDED="on", HEALTH_CHECK_PORT=port)
    want = [200, 200, 429]
    equal(outcomes(s, 3, **of("192.0.2.1")), want)
    equal(outcomes(s, 3, **of("192.0.2.2:4711")), want, "another client, with its port")
    equal(outcomes(s, 1, **of("::ffff:192.0.2.1")), [429], "the first, as IPv6 has it")
    equal(outcomes(s, 1, **of("203.0.113.9", "192.0.2.1")), [429], "what it says of itself is not believed")
    equal(outcomes(s, 3, **of("[2001:db8:1:2::1]:80")), want)
    equal(outcomes(s, 1, **of("2001:db8:1:2:ffff:ffff::")), [429], "the same /64")
    equal(outcomes(s, 3, **of("2001:db8:1:3::1")), want, "another /64")
    equal(outcomes(s, 3, headers={"forwarded": 'for="[2001:db8:1:4::1]"'}), want, "RFC 7239")
    # Those that are not known are one client together.
    unknown = [ask(s, **payload).status for payload in ({}, of("unknown"), of(""), of("192.0.2.77, x"))]
    equal(unknown, [200, 200, 429, 429], "not known")
    text = request(port, "GET", "/metrics").body.decode()
    equal(re.findall(r"^telephone_rate_(?:limited_total|clients).*", text, re.M), [
        'telephone_rate_limited_total{by="all"} 0', 'telephone_rate_limited_total{by="client"} 8',
        'telephone_rate_limited_total{by="shared"} 2', "telephone_rate_clients 5"])


def test_two_proxies(s):
    s.backend = RawBackend()
    s.start(RATE_LIMIT="1/h", RATE_BURST="1", RATE_LIMIT_BY="client", TRUST_FORWARDED="2")
    equal(outcomes(s, 2, **of("192.0.2.1", "10.0.0.1")), [200, 429])
    equal(outcomes(s, 1, **of("192.0.2.1", "10.0.0.2")), [429])
    equal(outcomes(s, 1, **of("203.0.113.1", "192.0.2.2", "10.0.0.1")), [200])


def test_in_all_besides_each(s):
    """One that is refused takes nothing away from the others."""
    s.backend = RawBackend()
    s.start(RATE_LIMIT="1/h", RATE_BURST="2", RATE_LIMIT_BY="client", RATE_LIMIT_TOTAL="1/h", RATE_BURST_TOTAL="5",
            TRUST_FORWARDED="on")
    equal(outcomes(s, 20, **of("192.0.2.1")).count(200), 2)
    equal(outcomes(s, 20, **of("192.0.2.2")).count(200), 2)
    res = [ask(s, **of("192.0.2.3")) for _ in range(2)]
    equal([r.status for r in res], [200, 429])
    check("RATE_LIMIT_TOTAL" in res[1].json()["reason"], res[1].body)


def test_many_addresses(s):
    """More of them than there are places: bounded in memory and in service,
    and whoever comes from elsewhere is served."""
    s.backend = RawBackend()
    board = RawBoard()
    phone = board.start(s, RATE_LIMIT="1/h", RATE_BURST="1", RATE_LIMIT_BY="client", RATE_CLIENTS_MAX="64",
                        TRUST_FORWARDED="on")

    def text(name, address):
        return frame(0x81, board.text("proxy_req", {"request_id": name, "method": "GET", "path": "/", "query_string": "",
                                                    "headers": {"x-forwarded-for": address}, "body": ""}))
    with Bounded(phone, 32):
        for turn in range(2):
            for i in range(0, 2000, 100):
                board.write(b"".join(text(f"many-{turn}-{k}", f"2001:db8:{k:x}::1") for k in range(i, i + 100)))
                board.answer(f"many-{turn}-{i + 99}")
        statuses = [a["status"] for a in board.answers()]
        equal(len(statuses), 4000, "answers")
        # a quarter of the places, and the bucket that their network shares
        equal(statuses.count(200), 17, "served")
        board.write(text("other", "198.51.100.1"))
        equal(board.answer("other")["status"], 200, "another network")


# --- who -----------------------------------------------------------------------
ALLOWED = {"ALLOW_CLIENTS": "192.0.2.0/24, 2001:db8::/32 198.51.100.7", "TRUST_FORWARDED": "on"}


def test_who_is_on_the_list(s):
    s.backend = RawBackend()
    s.start(**ALLOWED)
    for good in ("192.0.2.255", "192.0.2.1:99", "::ffff:192.0.2.1", "2001:db8:ffff::1", "[2001:db8::1]:80", "198.51.100.7",
                 "203.0.113.1, 192.0.2.1"):
        equal(ask(s, **of(good)).status, 200, good)
    n = len(s.backend.requests)
    for bad in ("192.0.3.1", "198.51.100.8", "2001:db9::1", "192.0.2.1, 203.0.113.1", "", "unknown", "192.0.2.1,",
                "192.0.2", "192.0.2.1 192.0.2.1", "::c000:201"):
        res = ask(s, **of(bad))
        equal(code(res), (403, "client_not_allowed"), bad)
        check("192.0.2" not in str(res.body) and "203.0" not in str(res.body), res.body)
    for payload in ({}, {"headers": {"x-real-ip": "192.0.2.1"}}, {"headers": {"client-ip": "192.0.2.1"}},
                    {"headers": {"x-forwarded-for": "192.0.2.1", "X-Forwarded-For": "192.0.2.1"}},
                    {"headers": {"x-forwarded-for": "203.0.113.1", "forwarded": "for=192.0.2.1"}}):
        equal(code(ask(s, **payload)), (403, "client_not_allowed"), f"{payload}")
    equal(len(s.backend.requests), n, "requests of those that may not come")
    # Connection is the client's: it cannot take a proxy's field away.
    equal(ask(s, **of("203.0.113.1", connection="x-forwarded-for", forwarded="for=192.0.2.1")).status, 403)


def test_a_list_without_trust(s):
    """Who would refuse all, or take all for one, is told so at the start."""
    for env, words in (({"ALLOW_CLIENTS": "192.0.2.1"}, "ALLOW_CLIENTS: who a client is cannot be told"),
                       ({"RATE_LIMIT_BY": "client", "TRUST_FORWARDED": "off"}, "RATE_LIMIT_BY: clients cannot be told apart"),
                       ({"ALLOW_CLIENTS": "192.0.2.1/24", "TRUST_FORWARDED": "on"}, "bits beyond"),
                       ({"RATE_LIMIT": "5/d"}, "RATE_LIMIT: ")):
        done = subprocess.run([f"{s.bin}/telephone", "-n"], env={**s.env(), **env}, cwd=s.dir, capture_output=True, text=True)
        equal(done.returncode, 78, done.stderr)
        check(words in done.stderr, done.stderr)


# --- WebSockets ------------------------------------------------------------------
def upgrade(s, client):
    try:
        ws = connect(s, "/ws", {"x-forwarded-for": client} if client else {})
    except Refused as e:
        return e.status
    ws.send(TEXT, "hello")
    equal(ws.recv(), (TEXT, b"hello"))
    ws.close()
    return 101


def test_websockets_of_clients_on_the_list(s):
    phone = s.start(**ALLOWED)
    equal(upgrade(s, "192.0.2.1"), 101)
    check(upgrade(s, "203.0.113.1") != 101, "one that is not on it")
    check(upgrade(s, None) != 101, "one that is not known")
    phone.wait_log("WebSocket .*: refused: the client is not in ALLOW_CLIENTS")


def test_websockets_have_the_limit(s):
    """One that is opened is counted once, with its check, and from the same
    bucket as requests."""
    phone = s.start(RATE_LIMIT="1/h", RATE_BURST="3", RATE_LIMIT_BY="client", TRUST_FORWARDED="on")
    equal([upgrade(s, "192.0.2.1") for _ in range(2)], [101, 101])
    equal(s.call("GET", "/bytes/1", headers={"x-forwarded-for": "192.0.2.1"}).status, 200)
    check(upgrade(s, "192.0.2.1") != 101, "a fourth")
    equal(s.call("GET", "/bytes/1", headers={"x-forwarded-for": "192.0.2.1"}).status, 429)
    equal(upgrade(s, "192.0.2.2"), 101)
    # A ws_connect that nobody asked about before is counted, too.
    asked = {"connection_id": "c", "path": "/ws", "query_string": "", "headers": {"x-forwarded-for": "192.0.2.1"}}

    def refused():  # one line a second
        s.admin("push", body=json.dumps(asked).encode(), event="ws_connect")
        return phone.has_log("WebSocket c: refused: more requests of this client")
    until(refused, "its refusal", every=0.2)
