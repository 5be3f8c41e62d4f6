# SPDX-License-Identifier: MIT
"""Bodies, 3: a message of Plugboard's above MAX_REQUEST_SIZE is not held, and
whoever waits for an answer to it is told, wherever in it the id stands. By a
Plugboard on a raw socket: its messages are these octets."""
import json, struct, time

from fidelity.raw import RawBackend
from harness import check, equal, free_port, request, until
from hostile.rawboard import Bounded, RawBoard, frame
from wskit import CLOSE, TEXT, App, accept

KIB, MIB = 1024, 1024 * 1024
MAX = 64 * KIB


def staged(s, **env):
    if s.backend is None:
        s.backend = RawBackend()
    board = RawBoard()
    phone = board.start(s, MAX_REQUEST_SIZE=f"{MAX // KIB}KiB", HEALTH_CHECK_PORT=free_port(), **env)
    return board, phone


def metric(phone, name):
    text = request(int(phone.env["HEALTH_CHECK_PORT"]), "GET", "/metrics").body.decode()
    return int(next(line for line in text.splitlines() if line.startswith(name + " ")).split()[1])


def payload(request_id, size, first=True, **members):
    """A proxy_req's members in this order; the body is size octets."""
    sound = {"method": "GET", "path": "/", "query_string": "", "headers": {}, "body": "x" * size, **members}
    return {"request_id": request_id, **sound} if first else {**sound, "request_id": request_id}


def refused(board, request_id):
    got = board.answer(request_id)
    equal(got["status"], 413, request_id)
    document = json.loads(got["body"])
    equal((document["error"], document["request_id"]), ("request_too_large", request_id))
    check(len(got["body"]) < 300 and "127.0.0.1" not in got["body"], got["body"])


def still_serves(board, name):
    board.request(name)
    equal(board.answer(name)["status"], 200, name)


def test_the_bound_is_exact(s):
    board, phone = staged(s)
    for extra, name in ((0, "at-the-bound"), (1, "a-byte-more")):
        size = MAX + extra - len(board.text("proxy_req", payload(name, 0)))
        equal(len(board.text("proxy_req", payload(name, size))), MAX + extra, "the message")
        board.message("proxy_req", payload(name, size))
        if extra == 0:
            equal(board.answer(name)["status"], 200, name)
        else:
            refused(board, name)
    equal(len(s.backend.requests), 1, "requests to the application")
    equal(metric(phone, "telephone_messages_too_long_total"), 1)


def test_wherever_the_id_stands(s):
    board, phone = staged(s)
    for number, members in enumerate((
            payload("first", MAX),
            payload("last", MAX, first=False),
            payload("between", MAX, first=False, later="x" * MAX),
            payload("behind-quotes", 0, first=False, body='"request_id":"no",\\"}]' * 5000),
            payload("behind-depth", 0, first=False, deep=[[{"request_id": "no"}]] * 9000),
            payload("behind-names", 0, first=False, **{f"request_id{i}": "no" for i in range(9000)}))):
        board.message("proxy_req", members)
        refused(board, members["request_id"])
        # in fragments that cut every token somewhere
        again = {**members, "request_id": members["request_id"] + "-cut"}
        text, step = board.text("proxy_req", again), 997 + number
        pieces = [text[i:i + step] for i in range(0, len(text), step)]
        board.write(b"".join(frame((i == 0) | (0x80 if i == len(pieces) - 1 else 0), p) for i, p in enumerate(pieces)))
        refused(board, again["request_id"])
    time.sleep(0.5)  # for what would come too much
    ids = [a["request_id"] for a in board.answers()]
    equal(len(ids), len(set(ids)), "one answer each")
    equal((len(ids), "no" in ids, len(s.backend.requests)), (12, False, 0), "answers")
    still_serves(board, "sound")
    equal(len(board.joins), 1, "connections")


def test_those_that_cannot_be_answered(s):
    """Counted, logged, and nothing else."""
    board, phone = staged(s)
    stale = json.dumps(["999", None, board.joins[-1].topic, "proxy_req", payload("stale", MAX)]).encode()
    for name, text in {
            "no id": board.text("proxy_req", {"body": "x" * MAX}),
            "an id that is none": board.text("proxy_req", {"body": "x" * MAX, "request_id": 7}),
            "an id without end": board.text("proxy_req", payload("i" * MAX, 0)),
            "another join's": stale,
            "an event nobody knows": board.text("no_such_event", payload("unknown", MAX)),
            "a reply": board.text("phx_reply", {"status": "ok", "response": {"x": "x" * MAX}}),
            "no JSON": b"x" * 2 * MAX,
            "cut": board.text("proxy_req", payload("cut", MAX))[:-1],
            "binary": None}.items():
        before = metric(phone, "telephone_messages_dropped_total")
        board.frame(0x81 if text else 0x82, text or b"x" * 2 * MAX)
        until(lambda: metric(phone, "telephone_messages_dropped_total") == before + 1, f"{name}: it is counted")
    still_serves(board, "sound")
    equal([a["request_id"] for a in board.answers()], ["sound"])
    phone.wait_log(r"a message of \d+ bytes from plugboard was discarded: not a JSON array")
    phone.wait_log(r"a proxy_req that cannot be answered: request_id is not a string", count=2)


def test_an_error_of_any_length_is_one(s):
    """phx_error: the channel is joined again, whatever else it says."""
    board, phone = staged(s)
    board.message("phx_error", {"reason": "x" * MAX})
    until(lambda: len(board.joins) == 2, "the second join")
    still_serves(board, "sound")


def test_memory(s):
    """200 MB, in one frame and in fragments: nothing of it is held."""
    board, phone = staged(s)
    still_serves(board, "before")
    text = board.text("proxy_req", payload("tail", 0, first=False))
    head, tail = text[:text.index(b'"body": "') + 9], text[text.index(b'"body": "') + 9:]
    with Bounded(phone, 4):
        board.frame(0x81, head, length=len(text) + 200 * MIB)
        for _ in range(200):
            board.write(b"x" * MIB)
        board.write(tail)
        refused(board, "tail")
        board.frame(0x01, head)
        for _ in range(200):
            board.frame(0x00, b"y" * MIB)
        board.frame(0x80, tail.replace(b"tail", b"more"))
        refused(board, "more")
        still_serves(board, "after")
    equal(len(board.joins), 1, "connections")
    equal(metric(phone, "telephone_messages_too_long_total"), 2)


def sent(board, event):
    return [m[4] for m in board.pushed if m[3] == event]


def test_websockets(s):
    """A check and a connect are refused, a frame ends its session with 1009 on
    both sides, a close is one."""
    heard = []

    def behave(link):
        accept(link)
        while True:
            op, data = link.recv()
            heard.append((op, data))
            if op == CLOSE:
                link.send(CLOSE, data)
                return
    s.backend = App(behave)
    board, phone = staged(s)
    ask = {"path": "/", "query_string": "", "headers": {}}
    board.message("ws_check", {**ask, "x": "x" * MAX, "check_id": "k"})
    got = until(lambda: sent(board, "ws_check_result"), "an answer to the check")[0]
    equal((got["check_id"], got["supported"]), ("k", False))
    check("MAX_REQUEST_SIZE" in got["reason"], got)
    board.message("ws_connect", {**ask, "x": "x" * MAX, "connection_id": "c0"})
    got = until(lambda: sent(board, "ws_error"), "an answer to the connect")[0]
    equal(got["connection_id"], "c0")
    for name, event, end in (("c1", "ws_frame", 1009), ("c2", "ws_close", 1000)):
        board.message("ws_connect", {**ask, "connection_id": name})
        until(lambda: [m for m in sent(board, "ws_connected") if m["connection_id"] == name], "it is open")
        board.message("ws_frame", {"connection_id": name, "opcode": "text", "data": "aGk="})
        until(lambda: (TEXT, b"hi") in heard, "a frame that fits")
        board.message(event, {"opcode": "text", "data": "x" * MAX, "connection_id": name})
        until(lambda: heard[-1][0] == CLOSE, "the application is told")
        equal(struct.unpack(">H", heard[-1][1][:2])[0], end, f"{event}: the application's code")
        heard.clear()
    closed = until(lambda: sent(board, "ws_closed"), "the client is told")
    equal([(m["connection_id"], m["code"]) for m in closed], [("c1", 1009)])
    board.message("ws_frame", {"opcode": "text", "data": "x" * MAX, "connection_id": "c1"})  # it has ended
    equal(len(board.joins), 1, "connections")
