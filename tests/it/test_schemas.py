# SPDX-License-Identifier: MIT
"""What `status --json` and `requests --json` print, held against the schemas that docs/ has of them."""
import os, signal

from harness import check, equal, free_port, until
from schemakit import faults, load
from test_requests import later, rows
from wskit import TEXT, connect

STATUS, REQUESTS = load("status"), load("requests")


def good(value, schema=STATUS):
    found = list(faults(value, schema))
    check(not found, "\n".join(found))
    return value


def test_the_validator_finds_faults(s):
    """Or nothing below would say anything."""
    schema = {"type": "object", "required": ["a"], "properties": {
        "a": {"type": ["integer", "null"], "minimum": 1, "maximum": 9}, "b": {"enum": ["x", None]}, "c": {"type": "array", "maxItems": 1, "items": {"$ref": "#/$defs/d"}},
        "e": {"type": "string", "pattern": "^a$"}}, "$defs": {"d": {"type": "boolean"}}}
    for value in ({"a": 1}, {"a": None, "b": None, "c": [True], "e": "a"}):
        equal(list(faults(value, schema)), [])
    for value in ([], {}, {"a": "1"}, {"a": True}, {"a": 0}, {"a": 10}, {"a": 1, "b": "y"}, {"a": 1, "c": [1]}, {"a": 1, "c": [True, True]}, {"a": 1, "e": "b"},
                  {"a": 1, "f": 1}):
        check(list(faults(value, schema)), value)
    check(list(faults(1, {"type": "integer", "oneOf": []})), "an unknown word")


def test_status_of_one_that_serves(s):
    phone = s.start(TUNNELS="3")
    until(lambda: s.joined() == 3, "all are joined")
    s.call("GET", "/bytes/5")
    status = good(phone.status())
    check(status["ready"] and status["worker"] and status["token"], status)
    equal([t["number"] for t in status["worker"]["tunnel_list"]], [1, 2, 3])
    check(all(t["state"] == "joined" and t["joined_ms"] >= 0 and t["retry_ms"] == -1 for t in status["worker"]["tunnel_list"]), status)
    text = phone.ctl("status").stdout
    check(all(f"  tunnel {i}   joined since " in text for i in (1, 2, 3)), text)
    s.board.stop()
    until(lambda: good(phone.status())["worker"]["tunnels_joined"] == 0, "all are lost")
    until(lambda: all(t["last_end"] != "none" for t in good(phone.status())["worker"]["tunnel_list"]), "each says why")
    until(lambda: any(t["state"] == "waiting" and t["retry_ms"] >= 0 for t in good(phone.status())["worker"]["tunnel_list"]), "and waits")


def test_status_of_one_that_does_not(s):
    s.start_board()
    phone = s.spawn(s.env(TELEPHONE_TOKEN=None, SANDBOX="off", PLUGBOARD_URL=f"ws://127.0.0.1:{free_port()}/telephone/websocket"))
    phone.wait_log(r"ready: worker")
    status = good(phone.status())
    equal((status["ready"], status["token"]["state"], status["sandbox"]["mode"]), (False, "none", "off"))
    equal(status["worker"]["tunnel_list"][0]["state"], "no_token")
    for name in ("worker", "tokend"):
        pid = phone.child(name)
        os.kill(pid, signal.SIGSTOP)
        status = good(phone.status())
        check({"worker": "worker", "tokend": "token"}[name] not in status, f"{name} does not answer")
        os.kill(pid, signal.SIGCONT)
        until(lambda: {"worker": "worker", "tokend": "token"}[name] in phone.status(), "it answers again")
    os.kill(phone.child("worker"), signal.SIGKILL)
    good(phone.status())


def test_requests(s):
    phone = s.start()
    s.call("GET", "/bytes/5")
    s.call("POST", "/status/503", b"x")
    s.call("GET", "/a%0d%e6%97%a5b")
    ws = connect(s, "/ws")
    ws.send(TEXT, "hello")
    ws.recv()
    later(lambda: s.call("GET", "/delay/4000"))
    until(lambda: len(rows(phone, "--in-flight")) == 2, "two are in flight")
    shown = [good(row, REQUESTS) for row in rows(phone)]
    equal([row["state"] for row in shown], ["ended"] * 3 + ["running"] * 2)
    ws.close()
    until(lambda: len(rows(phone, "--in-flight")) == 1, "it has ended")
    good(rows(phone, "--path", "/ws")[0], REQUESTS)
    worker = phone.child("worker")
    s.board.stop()
    until(lambda: rows(phone, "--failed", "--path", "/delay"), "it was lost")
    equal([good(row, REQUESTS)["outcome"] for row in rows(phone, "--failed", "--path", "/delay")], ["lost"])
    equal(phone.child("worker"), worker)
