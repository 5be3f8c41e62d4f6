# SPDX-License-Identifier: MIT
"""telephonectl as a tool among others: where its answers go, what its exit code says, and what it says when it is not
let in, not answered, or interrupted."""
import concurrent.futures, json, os, re, signal, socket, subprocess, time

from harness import check, equal, until
from ptykit import Terminal
from test_requests import later
from test_token_ctl import jwt


def ctl(phone, *args, **more):
    """Its standard output may be anything."""
    argv = [f"{phone.stage.bin}/telephonectl", "-s", phone.env["CONTROL_SOCKET"], *args]
    return subprocess.run(argv, **{"stdin": subprocess.DEVNULL, "stderr": subprocess.PIPE, "env": {}, "text": True,
                                   "timeout": 120, **more})


# --- where it goes ----------------------------------------------------------------
COMMANDS = (("status",), ("status", "--json"), ("version",), ("help",), ("requests",), ("requests", "--follow"),
            ("top", "-n", "1", "-d", "0.3"), ("token", "show"), ("token", "rotate", "--json"))


def test_what_cannot_be_written_is_a_failure(s):
    phone = s.start()
    with open("/dev/full", "w") as full:
        for command in COMMANDS:
            done = ctl(phone, *command, stdout=full)
            equal(done.returncode, 74, command)
            check(done.stderr.startswith("telephonectl: standard output: "), (command, done.stderr))
        equal(ctl(phone, "healthcheck", stdout=full).returncode, 0, "its answer is the exit code")
        check_done = subprocess.run([f"{s.bin}/telephonectl", "token", "check", "--db", f"{s.dir}/none.db"], stdout=full,
                                    stderr=subprocess.PIPE, text=True, cwd=s.dir, timeout=60,
                                    env={"SECRET_KEY_BASE": s.secret, "TELEPHONE_TOKEN": s.token()})
        equal(check_done.returncode, 74, check_done.stderr)


def test_a_closed_standard_output_is_not_the_control_socket(s):
    """The next descriptor would take its place, and the answer be sent as a question."""
    phone = s.start()
    for command in COMMANDS:
        argv = [f"{s.bin}/telephonectl", "-s", phone.env["CONTROL_SOCKET"], *command]
        done = subprocess.run(["/bin/sh", "-c", 'exec "$@" >&-', "sh", *argv], stdin=subprocess.DEVNULL,
                              stderr=subprocess.PIPE, text=True, timeout=120, env={})
        equal(done.returncode, 74, (command, done.stderr))
    check(not phone.has_log(r"it is no frame|malformed"), phone.log())


def test_why_not_is_no_answer(s):
    """What a program reads from standard output is what it asked for, or nothing."""
    phone = s.start(DB_TIMEOUT="10ms")
    os.kill(phone.child("tokend"), signal.SIGSTOP)
    done = phone.ctl("token", "rotate", "--json")
    equal((done.returncode, done.stdout), (69, ""), done.stderr)
    check("tokend ended before it answered; try again" in done.stderr, done.stderr)


def test_a_reload_that_comes_too_late(s):
    phone = s.start()
    later(lambda: s.call("GET", "/delay/4000"))
    until(lambda: phone.status()["worker"]["in_flight"] == 1, "it is in flight")
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        drain = pool.submit(lambda: phone.ctl("drain"))
        until(lambda: phone.status().get("not_ready") == "draining", "it drains")
        done = phone.ctl("reload")
        equal((done.returncode, done.stdout, done.stderr), (69, "", "refused: the service is stopping; nothing was changed\n"))
        equal(drain.result().returncode, 0)


# --- who is let in ------------------------------------------------------------------
def test_who_may_not_is_told_so(s):
    if os.geteuid() != 0:
        return  # there is no other user to ask as
    phone = s.start()
    path = phone.env["CONTROL_SOCKET"]
    os.chmod(path, 0o666)  # by mistake
    os.chmod(os.path.dirname(path), 0o755)
    daemon = {"user": 1, "group": 1, "extra_groups": []}
    for command in (("status",), ("reload",), ("token", "show"), ("requests",), ("top", "-n", "1")):
        done = ctl(phone, *command, stdout=subprocess.PIPE, **daemon)
        equal(done.returncode, 77, (command, done.stdout, done.stderr))
        check("you may not ask this telephone" in done.stdout + done.stderr, (command, done.stdout, done.stderr))
    equal(ctl(phone, "healthcheck", stdout=subprocess.PIPE, **daemon).returncode, 1)
    check(phone.has_log(r"control socket: uid 1 may not ask here"), "the log knows who")


def test_too_many_are_told_so(s):
    phone = s.start()
    path = phone.env["CONTROL_SOCKET"]
    many = [socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) for _ in range(8)]
    try:
        for c in many:
            c.connect(path)
        for command in (("status",), ("requests",), ("top", "-n", "1")):
            done = until(lambda: (d := phone.ctl(*command)).returncode == 69 and d, f"{command} is refused")
            check("too many ask this telephone at once; try again" in done.stdout + done.stderr, (done.stdout, done.stderr))
    finally:
        for c in many:
            c.close()
    until(lambda: phone.ctl("status").returncode == 0, "it answers again")


def test_a_supervisor_that_is_stuck(s):
    phone = s.start()
    os.kill(phone.pid, signal.SIGSTOP)
    try:
        begin = time.monotonic()
        with concurrent.futures.ThreadPoolExecutor(3) as pool:
            status, health, top = pool.map(lambda c: phone.ctl(*c), (("status",), ("healthcheck",), ("top", "-n", "1")))
        took = time.monotonic() - begin
    finally:
        os.kill(phone.pid, signal.SIGCONT)
    equal((status.returncode, health.returncode, top.returncode), (69, 1, 69), (status, health, top))
    check("the telephone does not answer" in status.stderr, status.stderr)
    check("! the telephone does not answer" in top.stdout, top.stdout)
    check(took < 100, f"it took {took:.0f} s")
    until(lambda: phone.ctl("status").returncode == 0, "it answers again")


# --- the command line -----------------------------------------------------------------
def test_help_of_a_command(s):
    def run(*args):
        return subprocess.run([f"{s.bin}/telephonectl", *args], capture_output=True, text=True, timeout=60, env={})
    for args in (("requests", "--help"), ("token", "-h"), ("token", "set", "--help"), ("drain", "--help")):
        done = run(*args)
        equal((done.returncode, done.stderr), (0, ""), args)
        words = set(re.findall(r"^  ([a-z]+)", done.stdout, re.M))
        equal(words, {args[0]}, args)
    for args, words in ((("token", "check", "--env"), "a file is missing behind: --env"),
                        (("requests", "--what"), "telephonectl requests: unrecognized option"),
                        (("top", "-d"), "telephonectl top: option requires an argument"),
                        (("--what",), "telephonectl: see telephonectl help")):
        done = run(*args)
        equal((done.returncode, done.stdout), (64, ""), args)
        check(words in done.stderr, done.stderr)


# --- token set at a terminal -------------------------------------------------------------
def prompt(phone):
    return Terminal([f"{phone.stage.bin}/telephonectl", "-s", phone.env["CONTROL_SOCKET"], "token", "set"])


def asked(t):
    until(lambda: b"token: " in t.raw, "it asks")


def test_a_terminal_is_given_back(s):
    phone = s.start()
    for send in (lambda t: t.keys("\x03"), lambda t: t.proc.send_signal(signal.SIGTERM)):
        with prompt(phone) as t:
            asked(t)
            t.keys("secret")
            send(t)
            until(lambda: t.proc.poll() is not None, "it ends")
            check(t.proc.returncode in (-signal.SIGINT, -signal.SIGTERM), t.proc.returncode)
            t.is_given_back()
            check(b"secret" not in t.raw, "it was shown")


def test_a_terminal_takes_a_long_token(s):
    """A terminal keeps 4095 bytes of a line, and lets the rest go without a word."""
    phone = s.start(wait="ready", TELEPHONE_TOKEN=None)
    token = jwt(b"k" * 40, header={"alg": "HS256", "typ": "JWT", "kid": "x" * 4500})
    check(len(token) > 5500, len(token))
    with prompt(phone) as t:
        asked(t)
        t.keys("mistyped\x15x\x7f")
        for i in range(0, len(token), 500):
            t.keys(token[i:i + 500])
        t.keys("\n")
        until(lambda: t.proc.poll() is not None, "it ends")
        equal(t.proc.returncode, 0, t.raw[-300:])
        t.is_given_back()
        check(token[:20].encode() not in t.raw, "it was shown")
    shown = json.loads(phone.ctl("token", "show", "--json").stdout)
    equal((shown["jti"], shown["source"]), ("made-here", "given"))
