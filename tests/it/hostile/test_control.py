# SPDX-License-Identifier: MIT
"""Clients of the control socket that are none: a bad one never costs more
than its own connection."""
import os, random, re, socket, struct, subprocess, threading, time

import harness
from harness import check, equal, until
from hostile.test_children import types

TYPES = 40  # more than there are
IDLE_CLIENTS = 6  # whoever is not root gets so many; root always finds two more


def dial(phone):
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    sock.settimeout(20)
    sock.connect(phone.env["CONTROL_SOCKET"])
    return sock


def answers(phone):
    until(lambda: phone.ctl("version").returncode == 0, "telephonectl is answered", 30)


def ends(sock):
    """The supervisor closes this conversation."""
    try:
        while sock.recv(1 << 17):
            pass
        return True
    except ConnectionResetError:
        return True
    except socket.timeout:
        return False


def frame(kind, payload=b"", flags=0, length=None):
    return struct.pack("=HHII", kind, flags, 0, len(payload) if length is None else length) + payload


def test_frames_that_a_client_may_not_send(s):
    phone = s.start()
    may = set()
    for kind in set(range(TYPES)) - {types()["DRAIN"]}:  # which ends it, and may
        with dial(phone) as sock:
            sock.send(frame(kind))
            sock.settimeout(0.5)
            if not ends(sock):
                may.add(kind)
    # STATUS, TOKEN_ROTATE, RELOAD, RECONNECT, VERSION, WATCH; TOKEN_SET needs a descriptor
    check(1 <= len(may) <= 6, may)
    answers(phone)
    equal(phone.status()["worker_restarts"], 0)
    equal(s.call("GET", "/bytes/5").status, 200)


def test_packets_that_are_no_frames(s):
    phone = s.start()
    before, dice = phone.children(), random.Random(1)
    packets = [b"", b"\0", frame(9, b"x"), frame(9, flags=1), frame(9, length=1 << 31), frame(9, b"x" * 60000),
               frame(9, length=4), *(dice.randbytes(dice.randrange(1, 200)) for _ in range(60))]
    for packet in packets:
        with dial(phone) as sock:
            sock.send(packet)
            check(ends(sock), f"{packet[:20]!r} is taken")
    null = os.open("/dev/null", os.O_RDONLY)
    for fds in ([null], [null] * 5):
        with dial(phone) as sock:
            socket.send_fds(sock, [frame(9)], fds)
            check(ends(sock), "descriptors are taken")
    os.close(null)
    open_fds = len(os.listdir(f"/proc/{phone.pid}/fd"))
    check(open_fds < 40, f"{open_fds} descriptors are open in the supervisor")
    answers(phone)
    equal(phone.children(), before)


CLIENT = """
import socket, sys, time
held = []
for _ in range(12):
    c = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    c.connect(sys.argv[1])
    held.append(c)
print("held", flush=True)
time.sleep(60)
"""


def test_places_are_kept_for_root(s):
    if os.geteuid() != 0:
        raise harness.LeftOut("needs root")
    phone = s.start()
    other = subprocess.Popen(["/usr/bin/python3", "-c", CLIENT, phone.env["CONTROL_SOCKET"]], stdout=subprocess.PIPE,
                             user=harness.NOBODY, group=harness.NOBODY, extra_groups=[])
    try:
        other.stdout.readline()
        phone.wait_log(rf"control socket: more than {IDLE_CLIENTS} clients")
        equal(phone.ctl("version").returncode, 0, "root is answered")
    finally:
        other.kill()
        other.wait()
        other.stdout.close()


def test_connections_without_end(s):
    phone = s.start()
    end = time.monotonic() + 3
    while time.monotonic() < end:
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as sock:
                sock.settimeout(0.2)
                sock.connect(phone.env["CONTROL_SOCKET"])
        except OSError:
            pass
    phone.wait_log(r"control socket: 50 connections within a second: it rests")
    rests = phone.log().count("it rests")
    check(rests <= 10, f"{rests} times 50 connections were taken in 3 s")
    equal(s.call("GET", "/bytes/5").status, 200)
    answers(phone)


def test_what_a_terminal_would_obey(s):
    """telephonectl prints what others wrote so that a terminal only shows it,
    be it tokend in an attacker's hands that wrote it."""
    evil = b"a\x1b[2Jb\xc2\x9bcc\xff"
    shown, path = "a\\x1b[2Jb\\xc2\\x9bcc\\xff", f"{s.dir}/evil.sock"
    text = lambda data: struct.pack("<I", len(data)) + data
    status = struct.pack("<BBqqqQQQQIBB", 1, 1, 1, 4000000000, -1, 0, 0, 1, 0, 1, 0, 0) + text(evil) * 4
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listener.bind(path)
    listener.listen(5)
    t = types()

    def answer():
        while True:
            sock, _ = listener.accept()
            sock.recv(70000)
            for name, payload in (("TEXT", text(evil)), ("TOKEND_STATUS", status), ("DONE", b"\0")):
                sock.send(struct.pack("<HHII", t[name], 0, 0, len(payload)) + payload)
    threading.Thread(target=answer, daemon=True).start()
    for words, count in ((["version"], 1), (["token", "show"], 5), (["status"], 4)):
        done = subprocess.run([f"{s.bin}/telephonectl", "-s", path, *words], capture_output=True, timeout=60, env={})
        check(not re.search(rb"[\x00-\x09\x0b-\x1f\x7f]|\xc2[\x80-\x9f]|\xff", done.stdout), done.stdout)
        equal(done.stdout.decode().count(shown), count, done.stdout + done.stderr)
    done = subprocess.run([f"{s.bin}/telephonectl", "-s", path, "token", "show", "--json"], capture_output=True, timeout=60, env={})
    check(not re.search(rb"[\x00-\x09\x0b-\x1f\x7f]|\xc2[\x80-\x9f]|\xff", done.stdout), done.stdout)
    equal(done.stdout.decode().count("a\\u001b[2Jb\\u009bcc\\ufffd"), 4, done.stdout)
