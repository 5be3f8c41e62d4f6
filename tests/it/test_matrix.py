# SPDX-License-Identifier: MIT
"""The matrix of faults: each row is one, injected by switchboard or the kernel
on real sockets under a steady load, with what it may cost and how soon there
is service again. In no row may a request be answered wrongly, twice, or on
another tunnel than it came by, or reach the backend twice.

Each row is a test with TUNNELS=1 and one with TUNNELS=2. `make recovery`
measures the same rows for docs/recovery.md.
"""
import dataclasses, json, os, signal, time

import load
from harness import Program, check, equal, free_port, request, until

SECRET = "switchboard-development-secret"


COUNTED = [(words, f'{family}_total{{reason="{reason}"}}') for words, family, reason in (
    ("phx_error", "rejoins", "phx_error"), ("phx_close", "rejoins", "phx_close"),
    ("unmatched topic", "rejoins", "unmatched_topic"), ("connection (lost|refused)", "reconnects", "eof"),
    ("connection lost", "reconnects", "eof"), ("protocol error", "reconnects", "protocol"),
    ("ended: closed", "reconnects", "closed"), ("heartbeat unanswered", "reconnects", "heartbeat"),
    ("refused every token", "reconnects", "forbidden"), ("http status", "reconnects", "http_status"),
    ("ended: timeout", "reconnects", "timeout"), ("join unanswered", "reconnects", "join_timeout"))]


@dataclasses.dataclass
class Row:
    name: str
    inject: object  # or a tuple of them, one after the other
    within_s: float  # stated: all tunnels joined again; tests grant five times that
    lost: str = "own"
    # own: what is in flight on the one join that ends, nothing else
    # none
    # all: what is in flight on any tunnel, and what comes until there is one
    # backend: answered with an error while the backend is gone
    words: str = ""  # what the log says
    env: dict = dataclasses.field(default_factory=dict)
    board: dict = dataclasses.field(default_factory=dict)
    ttl: int = 0  # of the token, in seconds
    soak: bool = False  # too long for `make check`

    @property
    def counted(self):
        """The metric that its words stand for."""
        for words, metric in COUNTED:
            if words in self.words:
                return metric
        return None


class Scene:
    """One row being played."""

    def __init__(self, s, row, tunnels):
        self.s, self.row, self.tunnels = s, row, tunnels
        s.start_board(**{"heartbeat_timeout_ms": 1500, **row.board})
        self.traffic = load.Traffic(s)
        self.port = free_port()
        env = {"HEALTH_CHECK_PORT": self.port, "TUNNELS": tunnels, "HEARTBEAT_INTERVAL": "200ms", "HEARTBEAT_TIMEOUT": "1s", **row.env}
        if row.ttl:
            env["TELEPHONE_TOKEN"] = s.token(ttl=row.ttl, iat=0)
        self.phone = s.start(wait=None, **env)
        until(self.is_stable, "all are joined, and have proved it", 30)
        self.cuts = []  # (when, vias that may lose theirs, name)

    def sockets(self):
        return [x for x in self.s.state()["sockets"] if x["joined"]]

    def vias(self):
        return {(x["id"], x["join_ref"]) for x in self.sockets()}

    def is_stable(self):
        found = self.sockets()
        return len(found) == self.tunnels and all(x["heartbeats"] for x in found)

    def fault(self, kind, **more):
        """On the first socket; what is on it may be lost."""
        first = self.sockets()[0]
        self.cut([first])
        self.s.fault(kind, socket=first["id"], **more)

    def cut(self, sockets=()):
        self.cuts.append((time.monotonic(), {(x["id"], x["join_ref"]) for x in sockets}))

    def kill(self, child, sig=signal.SIGKILL):
        pid = self.phone.child(child)
        self.cut(self.sockets() if self.row.lost == "all" else ())
        os.kill(pid, sig)

    def play(self, inject):
        """Returns the seconds until all tunnels served again."""
        self.traffic.probe(2 * self.tunnels, 1200)
        time.sleep(0.15)  # they are with the backend
        inject(self)
        began, gone = self.cuts[-1]
        until(lambda: self.is_stable() and not self.vias() & gone,
              lambda: f"{self.tunnels} joined again: {self.s.state()['sockets']}", 5 * self.row.within_s + 1)
        time.sleep(0.3)
        return began


def play(s, row, tunnels):
    """Plays a row and judges it; [(served after, all tunnels after, requests lost)] of each injection."""
    scene = Scene(s, row, tunnels)
    scene.traffic.load()
    try:
        return observe(scene, row)
    finally:
        scene.traffic.stop()  # else a drain waits for a quiet moment


def observe(scene, row):
    time.sleep(0.3)
    begins = [scene.play(inject) for inject in (row.inject if isinstance(row.inject, tuple) else (row.inject,))]
    time.sleep(0.2)
    record = scene.traffic.finish()
    if row.counted:
        lines = request(scene.port, "GET", "/metrics").body.decode().splitlines()
        value = next(int(x.split()[-1]) for x in lines if x.startswith(f"telephone_{row.counted} "))
        check(value > 0, f"{row.counted} is counted")
    if row.words:
        check(scene.phone.has_log(row.words), f"the log says {row.words!r}")
    judge(row, scene, record)
    return measure(begins, record)


def judge(row, scene, record):
    load.must(record.faults(), "wrong")
    check(len([r for r in record.requests if r["right"]]) >= 10, "there was a load")
    gone = set().union(*(vias for _, vias in scene.cuts))
    bad = []
    for r in record.failed:
        via = record.via(r)
        fine = {
            "none": False,
            "own": via in gone or (via is None and scene.tunnels == 1 and r["status"] == 503),
            "all": via in gone or (via is None and r["status"] in (0, 503)),
            "backend": bool(load.BACKEND_FAILED.search(r["text"])),
        }[row.lost]
        soon = any(at - 2 <= r["begin"] <= at + 5 * row.within_s + 1 for at, _ in scene.cuts)
        if not fine or not soon:
            bad.append(f"{r['marker']} by {via}: {r['status']} {r['text'][:80]}")
    load.must(bad, f"lost, but may not ({gone} may)")
    for at, vias in scene.cuts:
        if row.lost in ("own", "all"):
            load.must(record.uncancelled(vias, at, 5 * row.within_s), "not cancelled at the backend")


def measure(begins, record):
    found = []
    for n, at in enumerate(begins):
        end = begins[n + 1] if n + 1 < len(begins) else float("inf")
        fine = [r["end"] for r in record.requests if at <= r["begin"] < end and r["status"] == 200]
        failed = [r["begin"] for r in record.failed if at <= r["begin"] < end]
        lost = [r for r in record.failed if at - 2 <= r["begin"] < end]
        found.append((min(fine, default=at + float("inf")) - at, max(failed, default=at) - at, len(lost)))
    return found


# --- injections ---------------------------------------------------------------

def on_socket(kind, **more):
    return lambda scene: scene.fault(kind, **more)


def not_utf8(scene):
    """A request that crashes the channel of whichever tunnel it is given to."""
    before = {x["id"]: x for x in scene.sockets()}
    scene.cut()
    equal(scene.s.call("GET", "/%ff").status, 502)
    log = [json.loads(x) for x in scene.s.admin("log?since=0").splitlines()]
    crashed = [e["socket"] for e in log if e.get("what") == "crash"][-1]
    scene.cuts[-1] = (scene.cuts[-1][0], {(crashed, before[crashed]["join_ref"])})


def half_a_frame(scene):
    first = scene.sockets()[0]
    scene.cut([first])
    for kind, more in (("garbage", {"bytes": "817e1000414141"}), ("drop", {})):
        scene.s.fault(kind, socket=first["id"], **more)


def restart(scene):
    scene.cut(scene.sockets())
    scene.s.fault("restart", ms=1000)
    time.sleep(1.1)  # it hears us neither


def board_killed(scene):
    port = scene.s.board.ports["http"]
    scene.cut(scene.sockets())
    scene.s.board.proc.kill()
    scene.s.board.stop()
    time.sleep(0.5)
    scene.s.board = Program([f"{scene.s.bin}/switchboard", "--quiet", "--listen", f"127.0.0.1:{port}"], scene.s.dir)
    scene.traffic.say("board", port)


def meanwhile(seconds, **settings):
    """The first socket is dropped while the server has these settings."""
    def inject(scene):
        before = {k: v for k, v in scene.s.state()["settings"].items() if k in settings}
        scene.s.set(**settings)
        scene.fault("drop")
        time.sleep(seconds)
        scene.s.set(**before)
    return inject


def unanswered(scene):
    """No heartbeat is acknowledged, until all have left for it: a new connection is not to meet the same."""
    scene.cut(scene.sockets())
    scene.s.set(ack="off")
    until(lambda: not scene.vias() & scene.cuts[-1][1], "all are lost", every=0.005)
    scene.s.set(ack="on")


def slow_reader(scene):
    """The next socket reads slowly, and is asked for a long answer."""
    scene.s.set(read_rate=400000)
    scene.fault("drop")
    until(scene.is_stable, "it is back")
    scene.traffic.probe(scene.tunnels, 0, 1500000)
    time.sleep(3)
    scene.s.set(read_rate=0)


def child(name, sig=signal.SIGKILL):
    return lambda scene: scene.kill(name, sig)


def tokend_stopped(scene):
    scene.kill("tokend", signal.SIGSTOP)
    scene.phone.wait_log(r"tokend \(pid \d+\) is killed", 55)
    until(lambda: scene.phone.status().get("token", {}).get("state") == "valid", "the new one has the token")


def backend_gone(scene):
    scene.cut()
    scene.traffic.say("backend", "off")
    time.sleep(0.7)
    scene.traffic.say("backend", "on")


def refresh_lost(scene):
    """Begins with the loss of the reply, ends when there is a new token."""
    scene.cut()
    scene.s.set(refresh_style="silent")
    until(lambda: "refresh_token" in scene.s.admin("log?since=0"), "a refresh was asked for")
    scene.s.set(refresh_style="reply")
    scene.phone.wait_log(r"token refreshed: jti ")


ROWS = (
    Row("phx_error", on_socket("error"), 0.5, words=r"\(phx_error\), joining again in 0 ms"),
    Row("request_not_utf8", not_utf8, 0.5, words=r"\(phx_error\), joining again in 0 ms"),
    Row("phx_close", on_socket("phx_close"), 0.5, words=r"\(phx_close\), joining again in 0 ms"),
    Row("unmatched_topic", on_socket("forget"), 1, words=r"\(unmatched topic\), joining again"),
    Row("fin", on_socket("drop"), 0.5, words="ended: connection lost: end of stream"),
    Row("rst", on_socket("rst"), 0.5, words="ended: connection lost: reset by the peer"),
    Row("eof_in_a_frame", half_a_frame, 0.5, words="ended: connection lost: end of stream"),
    Row("garbage", on_socket("garbage"), 1, words="ended: protocol error: "),
    Row("close_codes", tuple(on_socket("close", code=c) for c in (1000, 1001, 1002, 1007, 1009, 1011, 1012)), 1.5,
        words=r"ended: closed 1011"),
    Row("server_restart", restart, 3, "all", words="ended: closed 10(12|02)"),
    Row("server_killed", board_killed, 2, "all", words="ended: connection (lost|refused)"),
    Row("stall", on_socket("stall"), 2, words="ended: heartbeat unanswered", board={"request_timeout_ms": 1500}),
    Row("half_open", on_socket("half"), 2, words="ended: heartbeat unanswered", board={"request_timeout_ms": 1500}),
    Row("heartbeats_unanswered", unanswered, 3, "all", words="ended: heartbeat unanswered"),
    Row("403_at_reconnect", meanwhile(1, handshake="403"), 2, words="refused every token"),
    Row("404_at_reconnect", meanwhile(0.6, handshake="404"), 2, words="ended: http status 404"),
    Row("429_at_reconnect", meanwhile(0.5, handshake="429", retry_after=1), 2,
        words=r"ended: http status 429; next attempt in 1\.[0-3] s"),
    Row("503_at_reconnect", meanwhile(0.5, handshake="503", retry_after=1), 2, words=r"ended: http status 503; next attempt in 1\.[0-3] s"),
    Row("handshake_unanswered", meanwhile(0.8, handshake="silent"), 2, words="ended: timeout",
        env={"CONNECT_TIMEOUT": "500ms"}),
    Row("join_unanswered", meanwhile(0.8, join="silent"), 2, words="ended: join unanswered",
        env={"CONNECT_TIMEOUT": "500ms"}),
    Row("slow_reader", slow_reader, 8, soak=True, env={"HEARTBEAT_TIMEOUT": "8s"},
        board={"heartbeat_timeout_ms": 10000}),
    Row("worker_killed", child("worker"), 3, "all", words=r"worker \(pid \d+\) ended with signal 9"),
    Row("worker_stopped", child("worker", signal.SIGSTOP), 13, "all", words="worker .* is killed", soak=True),
    Row("tokend_killed", child("tokend"), 1, "none", words=r"tokend \(pid \d+\) ended with signal 9"),
    Row("tokend_stopped", tokend_stopped, 11, "none", words=r"tokend \(pid \d+\) is killed", soak=True,
        env={"DB_TIMEOUT": "1s"}),
    Row("lookup_killed", child("lookup"), 3, "all", words="the look-up helper died"),
    Row("backend_gone", backend_gone, 1, "backend", env={"BREAKER_FAILURES": "0"}),
    Row("refresh_reply_lost", refresh_lost, 5, "none", words="token refreshed: jti ",
        env={"CONNECT_TIMEOUT": "700ms"}, board={"token_ttl": 3600}, ttl=12),
)


def make(row, tunnels):
    def test(s):
        play(s, row, tunnels)
    test.soak = row.soak
    return test


for _row in ROWS:
    for _tunnels in (1, 2):
        globals()[f"test_{_row.name}_{_tunnels}"] = make(_row, _tunnels)


def forged(**change):
    """A record of one good request, with something changed."""
    message = {"t": 1.0, "socket": 1, "join_ref": "1", "event": "proxy_req", "id": "i", "marker": "m-1", "status": None}
    raw = {
        "requests": [{"marker": "m-1", "begin": 1.0, "end": 2.0, "status": 200, "right": True, "text": "", "delay": 0}],
        "messages": [message, {**message, "event": "proxy_res", "status": 200}],
        "events": [], "backend": {"m-1": [[1.0, 2.0, "answered"]]}}
    for where, value in change.items():
        raw[where][-1].update(value)
    return raw


def test_the_judge(s):
    """It finds what must never be, each in its own words."""
    equal(load.Record(forged()).faults(), [])
    for raw, words in (
        (forged(requests={"end": None}), "no end"),
        (forged(requests={"right": False}), "answered wrongly"),
        (forged(messages={"socket": 2}), "answered on 2, join 1"),
        (forged(messages={"join_ref": "9"}), "answered on 1, join 9"),
        (forged(messages={"marker": "m-2"}), "answered as m-2"),
        (forged(messages={"id": "other"}), "an answer to what was not asked"),
        ({**forged(), "backend": {"m-1": [[1.0, 2.0, "answered"]] * 2}}, "reached the backend 2 times"),
        ({**forged(), "backend": {"wrong-m-1": [[1.0, 2.0, "answered"]]}}, "the body was not what was sent"),
        ({**forged(), "messages": forged()["messages"] + forged()["messages"][1:]}, "answered 2 times"),
    ):
        check(any(words in fault for fault in load.Record(raw).faults()), f"it finds: {words}")
    lost = load.Record({**forged(requests={"status": 502}), "backend": {"m-1": [[1.0, 9.0, "answered"]]}})
    equal(len(lost.uncancelled({(1, "1")}, 2.0, 5)), 1, "lost and worked at")
    equal(len(lost.uncancelled({(2, "1")}, 2.0, 5)), 0, "by another tunnel")
