# SPDX-License-Identifier: MIT
"""telephonectl top on a real terminal: what it shows, whatever becomes of the worker, and how it gives the terminal back."""
import os, re, signal, subprocess, time

from harness import check, equal, until
from ptykit import Terminal
from test_requests import later


def top(phone, *args, **more):
    return Terminal([f"{phone.stage.bin}/telephonectl", "-s", phone.env["CONTROL_SOCKET"], "top", *args], **more)


def busy(s, phone):
    """Something of all that is shown."""
    for i in range(20):
        s.call("GET", f"/bytes/{i}")
    s.call("GET", "/a%1b%5b2J%c2%9b2J%e6%97%a5")
    return later(lambda: s.call("GET", "/delay/9000"))


def test_what_is_shown(s):
    phone = s.start(TUNNELS="2")
    until(lambda: s.joined() == 2, "both are joined")
    busy(s, phone)
    with top(phone) as t:
        t.shows(r"^\d\d:\d\d:\d\d  telephone: ready, up \S+; worker \d+, 0 restarts; \d")
        t.shows(r"^token     valid, expires in 59m ")
        t.shows(r"^requests  \d+\.\d/s, \d+\.\d/s failed; 1 in flight, 0 waiting; 0 WebSockets$")
        t.shows(r"^bytes     \S+/s to the application, \S+/s from it; retries 0\.0/s; spool 0$")
        t.shows(r"^tunnel 1  joined since \S+")
        t.shows(r"^tunnel 2  joined since \S+")
        t.shows(r"^slowest in flight$")
        t.shows(r"GET +- +\S+s +0 first_byte +/delay/9000$")
        t.shows(r"^recent failures$")
        t.shows(r"GET +400 .* bad_request +/a\\x1b\[2J\\xc2\\x9b2J日$")
        for i in range(30):
            s.call("GET", f"/bytes/{i}")
        t.shows(r"^latency   p50 \S+ms, p95 \S+ms, p99 \S+s \(\d+ in the last \d+ s\)$")
        equal(t.lines()[-1], "q quits")
        time.sleep(1.5)  # and stays so
        t.lines()
        t.keys("q")
        t.ends()
        t.is_given_back()


def test_sizes(s):
    phone = s.start()
    busy(s, phone)
    with top(phone, "-d", "0.2") as t:
        t.shows("^slowest in flight")
        for rows, columns in ((24, 80), (10, 40), (3, 20), (1, 1), (2, 5), (60, 200), (24, 80)):
            t.resize(rows, columns)
            wait = time.monotonic() + 0.7
            while time.monotonic() < wait:
                t.lines()
                time.sleep(0.02)
            if rows > 2 and columns >= 20:
                t.shows(r"^\d\d:\d\d:\d\d  tele")
        t.shows("^recent failures")
        t.keys("q")
        t.ends()
        t.is_given_back()
    with top(phone, rows=5, columns=30) as t:
        t.shows("telephone")
        t.shows("q quits")
        t.keys("\x04")
        t.ends()
        t.is_given_back()


def quit_by(s, phone, leave, code):
    with top(phone) as t:
        t.shows("telephone")
        check(t.screen.modes == {"1049": True, "25": False, "7": False}, t.screen.modes)
        leave(t)
        t.ends(code)
        t.is_given_back()


def test_ways_to_quit(s):
    phone = s.start()
    quit_by(s, phone, lambda t: t.keys("xyzq"), 0)
    quit_by(s, phone, lambda t: t.keys("\x03"), 0)  # Ctrl-C
    quit_by(s, phone, lambda t: t.keys("\x04"), 0)  # Ctrl-D
    quit_by(s, phone, lambda t: t.keys("\x1c"), 128 + signal.SIGQUIT)
    quit_by(s, phone, lambda t: t.proc.send_signal(signal.SIGTERM), 128 + signal.SIGTERM)
    quit_by(s, phone, lambda t: t.proc.send_signal(signal.SIGHUP), 128 + signal.SIGHUP)


def test_the_terminal_goes_away(s):
    """Its end is the program's, too."""
    phone = s.start()
    with top(phone) as t:
        t.shows("telephone")
        t.stopped = True
        t.thread.join(20)
        os.close(t.master)
        t.master = os.open("/dev/null", os.O_RDWR)
        try:
            t.proc.wait(timeout=30)
        except subprocess.TimeoutExpired:
            check(False, "it does not end")


def test_a_terminal_that_takes_nothing(s):
    """Ctrl-S, or a line that is down: it ends all the same."""
    phone = s.start()
    busy(s, phone)
    with top(phone, "-d", "0.1", rows=60, columns=200) as t:
        t.shows("telephone")
        t.reading = False
        time.sleep(3)  # the pty is full
        t.proc.send_signal(signal.SIGTERM)
        t.ends(128 + signal.SIGTERM)
    with top(phone, "-d", "0.1") as t:
        t.shows("telephone")
        t.keys("\x13")  # Ctrl-S
        time.sleep(1)
        t.proc.send_signal(signal.SIGTERM)
        t.ends(128 + signal.SIGTERM)
        t.is_given_back()


def test_stop_and_go(s):
    """Ctrl-Z gives the terminal to the shell, fg takes it again."""
    phone = s.start()
    with Terminal(["bash", "--norc", "--noprofile", "--noediting", "-i"], env={"PS1": "shell> ", "HOME": s.dir}) as t:
        until(lambda: b"shell> " in t.raw, "the shell is there")
        for key in ("\x1a", None):
            begin = len(t.raw)
            t.keys(f"{s.bin}/telephonectl -s {phone.env['CONTROL_SOCKET']} top\n")
            until(lambda: t.screen.modes["1049"], "it has the terminal")
            t.shows("q quits")
            if key:
                t.keys(key)
            else:
                pid = int(subprocess.run(["pgrep", "-x", "-P", str(t.proc.pid), "telephonectl"], capture_output=True, text=True).stdout)
                os.kill(pid, signal.SIGSTOP)
                t.screen.modes.update({"1049": False, "25": True, "7": True})  # nobody could
            until(lambda: b"Stopped" in t.raw[begin:], "it is stopped")
            until(lambda: t.screen.modes == {"1049": False, "25": True, "7": True}, lambda: t.screen.modes)
            t.keys("echo a$((40 + 2))b\n")
            until(lambda: b"a42b" in t.raw[begin:], "the shell echoes")
            t.keys("fg; echo status$?\n")
            until(lambda: t.screen.modes["1049"], "it has the terminal again")
            t.shows("q quits")
            t.keys("q")
            until(lambda: not t.screen.modes["1049"], "it has given it back")
            t.keys("echo c$((40 + 2))d\n")
            until(lambda: b"c42d" in t.raw[begin:], "the shell goes on")
            until(lambda: b"status0" in t.raw[begin:], lambda: t.raw[-300:])
        t.keys("exit\n")
        t.proc.wait(timeout=30)


def test_the_worker_dies_and_hangs(s):
    phone = s.start()
    s.call("GET", "/bytes/3")
    with top(phone) as t:
        t.shows(": ready")
        t.shows("^requests ")
        worker = phone.child("worker")
        os.kill(worker, signal.SIGSTOP)
        t.shows("worker does not answer")
        t.shows("^! the worker does not answer")
        t.shows("^token     valid")  # the supervisor's half
        check(not any(line.startswith("requests") for line in t.lines()), "figures of nobody")
        t.shows(r"worker \d+, 1 restarts", 60)  # the supervisor has killed it
        t.shows(": ready", 60)
        until(lambda: not any(line.startswith("!") for line in t.lines()), "nothing is wrong any more")
        t.shows("^requests ")
        os.kill(phone.child("worker"), signal.SIGKILL)
        t.shows(r"worker \d+, 2 restarts", 60)
        t.shows(": ready", 60)
        t.shows("^requests ")
        equal(phone.ctl("reload").returncode, 0)
        s.call("GET", "/a%0db")
        t.shows(" 400 ")
        phone.stop()
        t.shows("^! no telephone is running here")
        t.keys("q")
        t.ends()
        t.is_given_back()


def test_quick_frames(s):
    """However quick they are, the supervisor is asked once a second, and others are answered."""
    phone = s.start()
    terminals = [top(phone, "-d", "0.1") for _ in range(6)]
    try:
        for t in terminals:
            t.shows("^requests ")
        time.sleep(4)
        for t in terminals:
            t.lines()
            check(t.raw.count(b"telephone: ready") > 15, "frames")
        check(not phone.has_log("it rests"), "50 calls a second and more")
        equal(phone.ctl("status").returncode, 0)
    finally:
        for t in terminals:
            t.keys("q")
            t.ends()
            t.__exit__()


def plain(phone, *args, **env):
    return subprocess.run([f"{phone.stage.bin}/telephonectl", "-s", phone.env["CONTROL_SOCKET"], "top", *args], capture_output=True,
                          text=True, timeout=120, env=env, stdin=subprocess.DEVNULL)


def test_without_a_terminal(s):
    phone = s.start()
    busy(s, phone)
    done = plain(phone)
    equal(done.returncode, 64)
    check("needs a terminal" in done.stderr and done.stdout == "", done.stderr)
    done = plain(phone, "-d", "0.2", "-n", "3")
    equal(done.returncode, 0, done.stderr)
    frames = done.stdout.split("\n\n")
    equal(len([f for f in done.stdout.splitlines() if "telephone: " in f]), 3, done.stdout)
    check("slowest in flight" in done.stdout and " 400 " in done.stdout, frames[0])
    check(all(len(line) <= 80 for line in done.stdout.splitlines()), done.stdout)
    check(not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", done.stdout), repr(done.stdout))
    with top(phone, env={"TERM": "dumb"}) as t:
        t.ends(64)
        until(lambda: b"needs a terminal" in t.raw, lambda: t.raw)
        check(b"\x1b" not in t.raw, t.raw)
    for bad in (["-d", "0"], ["-d", "x"], ["-d", "nan"], ["-d", "99999"], ["-n", "0"], ["-n", "-1"], ["-n", ""], ["more"], ["-x"]):
        equal(plain(phone, *bad).returncode, 64, bad)
    phone.stop()
    done = plain(phone, "-n", "1")
    equal(done.returncode, 69)
    check("no telephone is running here" in done.stderr, done.stderr)
