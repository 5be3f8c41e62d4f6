# SPDX-License-Identifier: MIT
"""Outcomes, 8 and 9: one request to the application, one answer to Plugboard,
on the tunnel that the request came from."""
import json, time

from fidelity.raw import CLOSE, RESET, RawBackend, answers, call, log_of, texts_of
from harness import check, equal, until


def test_one_answer_on_its_own_tunnel(s):
    s.backend = RawBackend()
    s.start(TUNNELS="2")
    until(lambda: call(s, "GET", "/") and len({e["socket"] for e in requests_of(s)}) == 2, "requests on both tunnels")
    for number in range(6):
        equal(call(s, "GET", f"/{number}").status, 200)
    time.sleep(0.5)  # for what would come too much
    for entry in requests_of(s):
        request_id = json.loads(texts_of(entry))[4]["request_id"]
        equal(len(answers(s, request_id)), 1, "answers to one request")
        mark = json.dumps(request_id)
        equal([e["socket"] for e in log_of(s) if e["dir"] == "in" and mark in texts_of(e)], [entry["socket"]], "the tunnel")
    for number in range(6):
        equal(len(s.backend.of(f"/{number}")), 1, "requests to the application")


def requests_of(s):
    return [e for e in log_of(s) if e["dir"] == "out" and '"proxy_req"' in texts_of(e)]


def test_a_post_is_sent_once(s):
    """RFC 9110 §9.2.2: whatever the application did with it, a second one
    could do it twice; on a connection that was kept as well."""
    s.backend = RawBackend()
    s.start()
    for method in ("POST", "PATCH"):
        for name, end in (("closed", CLOSE), ("reset", RESET)):
            s.backend.on(f"/{method}-{name}", end)
            equal(call(s, "GET", "/").status, 200, "a connection to keep")
            got = call(s, method, f"/{method}-{name}", body=b"x")
            equal(got.status, 502, name)
            check(b"127.0.0.1" not in got.body and b"curl" not in got.body.lower(), got.body)
            equal(len(s.backend.of(f"/{method}-{name}")), 1, f"{method}, {name}: requests to the application")
