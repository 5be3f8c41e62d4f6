# SPDX-License-Identifier: MIT
"""Clients of the worker, on sockets that the supervisor handed over, that are
none; and workers that answer telephonectl whatever they like."""
import os, random, re, signal, socket, struct, subprocess, threading, time

import harness
from harness import check, equal, until
from hostile.test_children import types
from hostile.test_control import dial, ends, frame
from ptykit import Terminal

PLACES = 8
ASK = struct.pack("<QB", 0, 0)


def watch(phone):
    """A conversation with the worker, which has greeted."""
    t, sock = types(), dial(phone)
    sock.send(frame(t["WATCH"]))
    check(struct.unpack("<H", sock.recv(1 << 17)[:2])[0] == t["WATCHED"], "it greets")
    return sock


def serves(s, phone, before):
    equal(phone.children(), before, "nobody was replaced")
    equal(s.call("GET", "/bytes/5").status, 200)
    equal(phone.ctl("requests", "-n", "1").returncode, 0)


def test_packets_that_are_no_questions(s):
    phone = s.start()
    t, before, dice = types(), phone.children(), random.Random(1)
    packets = [b"", b"\0", frame(t["EXCHANGES_GET"], b"x"), frame(t["EXCHANGES_GET"], ASK, flags=1),
               frame(t["EXCHANGES_GET"], ASK[:8] + b"\xff"), frame(t["EXCHANGES_GET"], ASK, length=1 << 31),
               frame(t["LOAD_GET"], b"x" * 60000), frame(t["STOP"], b"\0"), frame(t["WATCH"]), frame(t["STATUS"]), frame(t["CONF"], b"12345"),
               *(dice.randbytes(dice.randrange(1, 200)) for _ in range(30))]
    for packet in packets:
        with watch(phone) as sock:
            sock.send(packet)
            check(ends(sock), f"{packet[:20]!r} is taken")
    serves(s, phone, before)


def test_descriptors_are_not_taken(s):
    phone = s.start()
    t, before = types(), phone.children()
    open_before = len(os.listdir(f"/proc/{before['worker']}/fd"))
    null = os.open("/dev/null", os.O_RDONLY)
    for fds in ([null], [null] * 5):
        with watch(phone) as sock:
            try:
                socket.send_fds(sock, [frame(t["LOAD_GET"])], fds)
                check(ends(sock), "descriptors are taken")
            except PermissionError:
                pass  # the kernel knows that nobody wants them
    os.close(null)
    until(lambda: len(os.listdir(f"/proc/{before['worker']}/fd")) <= open_before, "nothing stays open")
    serves(s, phone, before)


def test_what_comes_before_the_greeting(s):
    """Whoever does not wait to be handed over is not."""
    phone = s.start()
    t, before = types(), phone.children()
    null = os.open("/dev/null", os.O_RDONLY)
    phone.signal(signal.SIGSTOP)
    with dial(phone) as sock:
        sock.send(frame(t["WATCH"]))
        socket.send_fds(sock, [frame(t["LOAD_GET"])], [null])
        phone.signal(signal.SIGCONT)
        check(ends(sock), "it is served")
    os.close(null)
    check(not phone.has_log("worker: telephonectl sent"), "it was handed over")
    serves(s, phone, before)


def test_questions_without_end(s):
    """Who does not read is let go at once; who does is answered so often and no
    oftener; and requests go on meanwhile."""
    phone = s.start()
    t, before = types(), phone.children()
    for i in range(30):
        s.call("GET", f"/bytes/{i}")
    with watch(phone) as sock:
        sock.setblocking(False)
        try:
            for _ in range(100000):
                sock.send(frame(t["EXCHANGES_GET"], ASK))
        except BlockingIOError:
            pass
        except (BrokenPipeError, ConnectionResetError):
            pass
        sock.settimeout(20)
        check(ends(sock), "it may go on")
    phone.wait_log("telephonectl asks without reading")
    with watch(phone) as sock:
        answers, end = 0, time.monotonic() + 2
        while time.monotonic() < end:
            sock.send(frame(t["EXCHANGES_GET"], ASK))
            check(sock.recv(1 << 17), "it is answered")
            answers += 1
        check(10 < answers <= 210, f"{answers} answers in two seconds")
    serves(s, phone, before)


def test_who_stops_reading(s):
    """The worker keeps one answer for him at most, and forgets him in time."""
    phone = s.start()
    before = phone.children()
    t = types()
    with watch(phone) as sock, watch(phone) as other:
        sock.send(frame(t["EXCHANGES_GET"], ASK))
        other.setblocking(True)
        begin = time.monotonic()
        for _ in range(50):
            equal(s.call("GET", "/bytes/5").status, 200)
        other.settimeout(60)
        check(ends(other), "who asks nothing is let go")
        check(20 < time.monotonic() - begin < 60, "after 30 seconds")
        check(ends(sock), "who does not read, too")
    serves(s, phone, before)


def test_places(s):
    phone = s.start()
    t, before = types(), phone.children()
    places = PLACES if os.geteuid() == 0 else PLACES - 2
    socks = [watch(phone) for _ in range(places)]
    with dial(phone) as sock:
        sock.send(frame(t["WATCH"]))
        equal(struct.unpack("<H", sock.recv(1 << 17)[:2])[0], t["TEXT"])
    done = phone.ctl("requests")
    equal(done.returncode, 69)
    check("too many look on already" in done.stderr, done.stderr)
    equal(phone.ctl("status").returncode, 0, "the supervisor's own places are free")
    socks.pop().close()
    until(lambda: phone.ctl("requests").returncode == 0, "a place is free again")
    for sock in socks:
        sock.close()
    serves(s, phone, before)


CLIENT = """
import socket, struct, sys, time
held = []
for _ in range(12):
    c = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    c.connect(sys.argv[1])
    c.send(struct.pack("=HHII", int(sys.argv[2]), 0, 0, 0))
    c.recv(70000)
    held.append(c)
print("held", flush=True)
time.sleep(60)
"""


def test_places_are_kept_for_root(s):
    if os.geteuid() != 0:
        raise harness.LeftOut("needs root")
    phone = s.start()
    other = subprocess.Popen(["/usr/bin/python3", "-c", CLIENT, phone.env["CONTROL_SOCKET"], str(types()["WATCH"])],
                             stdout=subprocess.PIPE, user=harness.NOBODY, group=harness.NOBODY, extra_groups=[])
    try:
        other.stdout.readline()
        equal(phone.ctl("requests").returncode, 0, "root is answered")
    finally:
        other.kill()
        other.wait()
        other.stdout.close()


# --- a worker in an attacker's hands ---------------------------------------------
EVIL = b"a\x1b[2Jb\xc2\x9bcc\xff\n\r"


def text(data):
    return struct.pack("<I", len(data)) + data


def entry(number, seq=0, **more):
    field = {"ws": 0, "failed": 1, "tunnel": 1, "status": 502, "tries": 1, "began": 1700000000000, "took": 1000, "in": 0, "out": 0,
             "phase": 3, "text": EVIL, **more}
    return struct.pack("<QQBBIIIqqqqQQ6qB", number, seq, field["ws"], field["failed"], field["tunnel"], field["status"], field["tries"],
                       field["began"], field["took"], field["in"], field["out"], 0, 0, *[-1] * 6, field["phase"]) + text(field["text"]) * 7


def page(*entries, ended=9, oldest=1, more=0, draining=0):
    return struct.pack("<QQBB", ended, oldest, more, draining) + b"".join(entries)


GREETING = struct.pack("<Iq", 7, 1700000000)


class Evil:
    """A control socket whose conversations go as answer(sock, types) likes."""

    def __init__(self, s, answer):
        self.path, self.bin = f"{s.dir}/evil-{time.monotonic_ns()}.sock", s.bin
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        listener.bind(self.path)
        listener.listen(5)
        t = types()

        def converse(sock):
            try:
                with sock:
                    self.asked = struct.unpack("<H", sock.recv(70000)[:2])[0]
                    answer(lambda kind, payload: sock.send(struct.pack("<HHII", t[kind], 0, 0, len(payload)) + payload), sock)
            except (OSError, struct.error):
                pass

        def serve():
            while True:
                threading.Thread(target=converse, args=listener.accept()[:1], daemon=True).start()
        threading.Thread(target=serve, daemon=True).start()

    def ask(self, *words, seconds=60):
        done = subprocess.run([f"{self.bin}/telephonectl", "-s", self.path, *words], capture_output=True, timeout=seconds,
                              env={"LC_ALL": "C.UTF-8", "TERM": "xterm"}, stdin=subprocess.DEVNULL)
        check(not harness.SANITIZER.search(done.stderr.decode(errors="replace")), done.stderr)
        check(done.returncode >= 0, f"signal {-done.returncode}")
        return done


def is_plain(data):
    return not re.search(rb"[\x00-\x09\x0b-\x1f\x7f]|\xc2[\x80-\x9f]|\xff", data)


def test_an_evil_worker_shows_nothing_raw(s):
    def answer(send, sock):
        send("WATCHED", GREETING)
        for seq in (1, 0):
            sock.recv(70000)
            send("EXCHANGES", page(entry(1, seq), entry(2, 2 * seq, text=b"\xe2\x80\xaeabc")))
        sock.recv(70000)
    evil = Evil(s, answer)
    for words in (["requests"], ["requests", "--json"]):
        done = evil.ask(*words)
        equal(done.returncode, 0, done.stderr)
        check(is_plain(done.stdout) and is_plain(done.stderr), done.stdout)
        check(len(done.stdout.splitlines()) >= 4, done.stdout)
    check(b"\xe2\x80\xae" not in evil.ask("requests").stdout, "what turns a line around")

    def refuse(send, sock):
        send("TEXT", text(EVIL))
        send("DONE", b"\x45")
    done = Evil(s, refuse).ask("requests")
    equal(done.returncode, 69)
    check(is_plain(done.stderr) and b"a\\x1b[2J" in done.stderr, done.stderr)


ANSWERS = [b"", b"\0" * 18, page()[:-1], page(entry(1)[:-1]), page(entry(1, took=-1)), page(entry(1, phase=6)), page(entry(1, ws=2)),
           page(entry(1, began=1 << 62)), page(entry(1, text=b"x" * 300)), page(entry(1, text=b"a\0b")), page(oldest=10, ended=9),
           page(entry(1)) + b"\1", b"\xff" * 60000]


def test_an_evil_worker_is_refused(s):
    for payload in ANSWERS:
        def answer(send, sock):
            send("WATCHED", GREETING)
            sock.recv(70000)
            send("EXCHANGES", payload)
            sock.recv(70000)
        done = Evil(s, answer).ask("requests")
        check(payload == b"\0" * 18 or done.returncode == 70, f"{payload[:40]!r}: {done.returncode} {done.stderr}")
        check(is_plain(done.stdout) and is_plain(done.stderr), done.stdout)
    for kind, payload in (("WATCHED", b"x"), ("WATCHED", b"\xff" * 12), ("EXCHANGES", page()), ("LOAD", b"\0" * 240), ("STATUS", b"")):
        done = Evil(s, lambda send, sock: (send(kind, payload), sock.recv(70000))).ask("requests")
        equal(done.returncode, 70, (kind, done.stderr))


def test_an_evil_worker_without_end(s):
    """Pages that bring nothing new, though more is to come; and no answer."""
    def answer(send, sock):
        send("WATCHED", GREETING)
        while sock.recv(70000):
            send("EXCHANGES", page(entry(1, 1), more=1))
    evil = Evil(s, answer)
    proc = subprocess.Popen([f"{s.bin}/telephonectl", "-s", evil.path, "requests"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    _, err = proc.communicate(timeout=60)
    equal(proc.returncode, 70, err)

    def silent(send, sock):
        send("WATCHED", GREETING)
        time.sleep(30)
    begin = time.monotonic()
    equal(Evil(s, silent).ask("requests").returncode, 69)
    check(time.monotonic() - begin < 25, "three seconds are waited")


def status_frames():
    """The supervisor's half and tokend's, with texts that a terminal obeys."""
    return (("SUPERVISOR_STATUS", struct.pack("<qIIIIIIB", 1000, 1, 2, 3, 1, 0, 0, 0) + text(EVIL) * 3),
            ("TOKEND_STATUS", struct.pack("<BBqqqQQQQIBB", 1, 1, 1, 4000000000, -1, 0, 0, 1, 0, 1, 0, 0) + text(EVIL) * 4),
            ("DONE", b"\0"))


LOADS = [struct.pack("<30Q", *range(1, 31)), struct.pack("<30Q", *[0] * 30), b"\xff" * 240, b"x", struct.pack("<30Q", *[1 << 60] * 29, 1 << 63)]


def test_an_evil_worker_on_a_terminal(s):
    """Whatever it says, the terminal is sent what top sends, and nothing of it."""
    t = types()
    for i, load in enumerate(LOADS):
        def answer(send, sock):
            if evil.asked == t["STATUS"]:
                for kind, payload in status_frames():
                    send(kind, payload)
                return
            send("WATCHED", GREETING)
            seq = 0
            while True:
                kind = struct.unpack("<H", sock.recv(70000)[:2])[0]
                if kind == t["LOAD_GET"]:
                    send("LOAD", load)
                else:
                    seq += 1
                    send("EXCHANGES", page(entry(seq, seq), entry(seq, seq, text=EVIL * 2), ended=seq))
        evil = Evil(s, answer)
        with Terminal([f"{s.bin}/telephonectl", "-s", evil.path, "top", "-d", "0.1"]) as term:
            term.shows("worker does not answer")
            term.shows("cc.xff.x0a.x0d" if i < 2 else "another version")
            time.sleep(1)
            term.lines()
            term.keys("q")
            term.ends()
            term.is_given_back()
