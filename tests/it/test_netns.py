# SPDX-License-Identifier: MIT
"""Half-open connections, by nothing but the kernel: packets vanish between two
network namespaces, no error is reported, and the heartbeat finds it.
"""
import concurrent.futures, re, time

import netns
from harness import check, equal, until

INTERVAL_S, DEADLINE_S = 1, 1
BOUND_S = INTERVAL_S + DEADLINE_S


def start(s, net, family, tunnels, **more):
    """A telephone and its backend in one namespace, switchboard in another."""
    address = netns.ADDRESSES[family][0][2]
    net.inside(net.board, lambda: s.start_board("--listen", "[::]:0" if family == 6 else "0.0.0.0:0"))
    for name in ("admin", "call"):  # all that the test asks of it
        inner = getattr(s, name)
        setattr(s, name, lambda *args, _inner=inner, **more: net.inside(net.board, lambda: _inner(*args, **more)))
    net.inside(net.phone, s.start_backend)
    host = f"[{address}]" if family == 6 else address
    s.set(request_timeout_ms=3000, heartbeat_timeout_ms=4000)
    env = s.env(PLUGBOARD_URL=f"ws://{host}:{s.board.ports['http']}/telephone/websocket", CONNECT_TIMEOUT="1s",
                HEARTBEAT_INTERVAL=f"{INTERVAL_S}s", TUNNELS=str(tunnels),
                **{"HEARTBEAT_TIMEOUT": f"{DEADLINE_S}s", **more})
    phone = net.inside(net.phone, lambda: s.spawn(env))
    until(lambda: s.joined() == tunnels, "all are joined")
    return phone


def half_open(s, family, direction, tunnels=1):
    with netns.Net() as net:
        phone = start(s, net, family, tunnels)
        equal(s.call("GET", "/bytes/5").status, 200)
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            slow = pool.submit(s.call, "GET", "/delay/1500")
            until(lambda: s.state()["in_flight"] == 1, "it is in flight")
            net.cut(family, direction)
            begin = time.monotonic()
            phone.wait_log(r"ended: heartbeat unanswered", seconds=5 * BOUND_S, count=tunnels)
            found = time.monotonic() - begin
            # Half of the time is what a schedule of its own must leave.
            check(found > DEADLINE_S / 2, f"by the heartbeat, not by an error: after {found:.2f} s")
            phone.wait_log(r"ended: (timeout|unreachable)")
            equal(phone.status()["ready"], False)
            # What still leaves may be an answer that was finished before the heartbeat's deadline.
            status = slow.result().status
            check(status in (502, 504) or (direction == "in" and status == 200), f"it was in flight and is lost: {status}")
        net.heal(family, direction)
        phone.wait_log(r"info worker: joined ", count=2 * tunnels)
        until(lambda: s.call("GET", "/bytes/5").status == 200 and s.joined() == tunnels, "it serves")
        check(not re.search(r"ended: connection lost", phone.log()), "no error was reported")
        equal(s.call("GET", "/bytes/5").status, 200)
        phone.stop()


def test_nothing_arrives_4(s):
    half_open(s, 4, "in")


def test_nothing_leaves_4(s):
    half_open(s, 4, "out")


def test_neither_way_4(s):
    half_open(s, 4, "both", tunnels=2)


def test_nothing_arrives_6(s):
    half_open(s, 6, "in")


def test_nothing_leaves_6(s):
    half_open(s, 6, "out")


def test_neither_way_6(s):
    half_open(s, 6, "both", tunnels=2)


def test_a_pause_in_the_network_costs_nothing(s):
    """Shorter than the deadline: TCP sends again, and nobody is dropped."""
    with netns.Net() as net:
        phone = start(s, net, 4, 1)
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            slow = pool.submit(s.call, "GET", "/delay/300")
            until(lambda: s.state()["in_flight"] == 1, "it is in flight")
            net.cut(4, "both")
            time.sleep(0.3)
            net.heal(4, "both")
            equal(slow.result().status, 200)
        check(not phone.has_log("ended:"), "the connection lives")
        phone.stop()


def test_tcp_gives_up_first(s):
    """With a heartbeat's deadline longer than TCP's own patience it is TCP that
    reports the end: by its name, which is no reset."""
    def patience():
        with open("/proc/sys/net/ipv4/tcp_retries2", "w") as f:
            f.write("3")
    with netns.Net() as net:
        net.inside(net.phone, patience)
        phone = start(s, net, 4, 1, HEARTBEAT_TIMEOUT="60s", SEND_TIMEOUT="60s")
        net.cut(4, "both")
        phone.wait_log(r"ended: connection lost: the peer acknowledges nothing any more", seconds=40)
        net.heal(4, "both")
        phone.wait_log(r"info worker: joined ", count=2)
        phone.stop()
