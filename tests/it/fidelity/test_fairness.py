# SPDX-License-Identifier: MIT
"""Load, 10: a long answer cannot starve short ones. Nothing goes between the
fragments of one message, so this is what holds: on another tunnel short
answers go on meanwhile, and on the same one at most one long answer stands
before a short one."""
import hashlib, json, threading, time

import harness
from fidelity.raw import RawBackend, log_of, push, reply, texts_of
from fidelity.test_spool import download
from harness import check, equal, until

MIB = 1024 * 1024


def responses(s):
    """(socket, length, request_id or None when it is too long to be kept) of each proxy_res, in order."""
    found = []
    for e in log_of(s):
        text = texts_of(e)
        if e["dir"] == "in" and '"proxy_res"' in text:
            found.append((e["socket"], e["len"], json.loads(text)[4]["request_id"] if e["len"] <= 1 << 16 else None))
    return found


def test_100_mib_on_one_tunnel_and_short_answers_on_the_other(s):
    mib = 10 if harness.INSTRUMENTED else 100  # five seconds and more
    s.backend = RawBackend()
    block = b"x" * MIB
    s.backend.on("/long", b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % (mib * MIB), *[block] * mib)
    s.start_board(read_rate=mib * MIB // 5, request_timeout_ms=120000)
    s.start(TUNNELS="2")
    until(lambda: s.joined() == 2, "both tunnels")
    got = []
    long = threading.Thread(target=lambda: got.append(download(s, b"/long")))
    long.start()
    until(lambda: s.backend.of("/long"), "the long one is asked for")
    time.sleep(1)  # it is on its way
    ids = [push(s, path="/short") for _ in range(40)]  # each on both tunnels
    until(lambda: len(responses(s)) >= 40, "those of one tunnel are answered")
    check(long.is_alive(), "the long one is still under way")
    early = responses(s)
    equal(len({socket for socket, _, _ in early}), 1, "tunnels that answer meanwhile")
    long.join(120)
    equal(got, [(200, hashlib.sha256(block * mib).hexdigest(), mib * MIB)], "the long one")
    until(lambda: len(responses(s)) == 81, "all are answered")
    equal(sorted(i for _, _, i in responses(s) if i), sorted(ids * 2), "each once on each tunnel")
    equal(s.counter("connects"), 2, "connections")


def test_of_several_long_answers_one_stands_before_a_short_one(s):
    s.backend = RawBackend()
    s.backend.on("/long", reply(b"x" * 20 * MIB))
    s.start()
    s.set(request_timeout_ms=120000)
    s.fault("stall")
    for n in range(3):
        push(s, path="/long")
    until(lambda: len(s.backend.of("/long")) == 3, "three long answers")
    time.sleep(2)  # they are in the queue, and the first is on its way
    ids = [push(s, path="/short") for _ in range(5)]
    until(lambda: len(s.backend.of("/short")) == 5, "five short answers")
    time.sleep(0.5)
    equal(responses(s), [], "nothing is read yet")
    s.fault("resume")
    until(lambda: len(responses(s)) == 8, "all are answered", 60)
    kinds = [i for _, _, i in responses(s)]
    equal((kinds[0], kinds[6:]), (None, [None, None]), f"the long ones: {kinds}")
    equal(sorted(kinds[1:6]), sorted(ids), "the short ones")
