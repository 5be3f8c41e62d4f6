# SPDX-License-Identifier: MIT
"""What is shared with a child in an attacker's hands: channels that carry
descriptors, the health listener, an exit code, a process group."""
import os, re, signal, socket, struct, time

import harness
from harness import check, equal, free_port, stat_of, until
from hostile.test_children import knows_passrights, order, refused, start, survived, types


def answers(phone):
    """… at once: a socket lingers for 30 seconds."""
    began = time.monotonic()
    equal(phone.ctl("version").returncode, 0, "the supervisor answers")
    check(time.monotonic() - began < 10, "it was held up")


def lingering():
    """A socket whose last close waits for a peer that does not read, and that peer."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        mine = socket.create_connection(listener.getsockname())
        theirs = listener.accept()[0]
    mine.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 30))
    mine.setblocking(False)
    try:
        while mine.send(b"x" * 65536):
            pass
    except BlockingIOError:
        return mine, theirs


def gives(s, where):
    """The worker may not have such a socket; if it had, it could not be given."""
    with socket.create_server(("127.0.0.1", 0)) as stalled:
        port = stalled.getsockname()[1]
        phone = start(s, "worker", [f"linger {where} {port}"], serves=False, BACKEND_PORT=port)
        before = phone.children()
        order(phone.child("worker"), 0)
        phone.wait_log(r"attack: linger = -?\d")
        answers(phone)
        equal(phone.ctl("token", "show").returncode, 0, "tokend answers")
        answers(phone)
        check("attack: setsockopt = -1 EPERM" in phone.log(), "it may not linger")
        equal(phone.child("tokend"), before["tokend"], "tokend goes on")
        if knows_passrights():
            check("attack: linger = -1 EPERM" in phone.log(), "it was taken")
            equal(phone.children(), before, "all go on")


def test_no_descriptor_for_the_supervisor(s):
    gives(s, "supervisor")


def test_no_descriptor_for_tokend(s):
    gives(s, "peer")


def test_a_client_gives_what_lingers(s):
    """By a message that takes none, by one that does, and unread."""
    phone = s.start()
    numbers = types()
    peers = []
    for kinds in (["VERSION"], ["TOKEN_SET"], ["NONE", "VERSION", "VERSION"]):
        u = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        u.connect(phone.env["CONTROL_SOCKET"])
        os.kill(phone.pid, signal.SIGSTOP)
        until(lambda: stat_of(phone.pid)[0] == "T", "it stands")
        for kind in kinds:
            mine, theirs = lingering()
            peers.append(theirs)
            socket.send_fds(u, [struct.pack("<HHII", numbers.get(kind, 0), 0, 0, 0)], [mine.fileno()])
            mine.close()
        os.kill(phone.pid, signal.SIGCONT)
        answers(phone)
        u.close()
        answers(phone)
    equal(phone.ctl("token", "show").returncode, 0, "tokend answers")


# --- the health listener ---------------------------------------------------------
def is_live(port):
    try:
        return harness.request(port, "GET", "/livez", timeout=3).status == 200
    except (OSError, ValueError):
        return False


def listener(s, how):
    port = free_port()
    phone = start(s, "worker", [f"listener {how}"], HEALTH_CHECK_PORT=str(port))
    until(lambda: is_live(port), "it serves")
    old = phone.child("worker")
    order(old, 0)
    phone.wait_log(r"attack: listener = 0")
    os.kill(old, signal.SIGKILL)
    until(lambda: phone.children().get("worker") not in (None, old), "a new worker", 30)
    new = phone.child("worker")
    until(lambda: is_live(port), "the next one serves", 15)
    until(lambda: is_live(port), "and again")
    until(lambda: s.joined() == 1 and s.call("GET", "/bytes/5").status == 200, "it serves", 30)
    equal(phone.child("worker"), new, "it lives")
    return phone


def test_a_listener_that_was_shut_down(s):
    listener(s, "shut").wait_log("warn telephone: health listener: a worker has shut it down")


def test_a_listener_that_blocks(s):
    listener(s, "block")


def test_options_of_a_listener(s):
    """SO_ATTACH_FILTER, SO_LOCK_FILTER, SO_ATTACH_BPF, SO_BINDTODEVICE, SO_LINGER, IP_MINTTL, TCP_MD5SIG."""
    refused(s, "worker", [f"call setsockopt 3 {level} {name} # 16" for level, name in
                          ((1, 26), (1, 44), (1, 50), (1, 25), (1, 13), (0, 21), (6, 14))])


# --- ends ---------------------------------------------------------------------------
def test_an_exit_code_ends_the_worker_alone(s):
    """69 says that MAX_RETRIES is used up, of which there are none."""
    phone = start(s, "worker", ["call exit_group 69"])
    old = phone.child("worker")
    rest = {"tokend": phone.child("tokend")}
    order(old, 0)
    phone.wait_log(rf"worker \(pid {old}\) ended with exit code 69")
    survived(s, phone, "worker", rest, old)


def test_a_fork_ends_with_its_worker(s):
    phone = start(s, "lookup", ["stay"])
    old = phone.child("worker")
    order(phone.child("lookup"), 0)
    phone.wait_log(r"attack: stay = \d+")
    phone.wait_log(r"attack: still here")
    pid = int(re.search(r"attack: stay = (\d+)", phone.log())[1])
    try:
        os.kill(old, signal.SIGKILL)
        until(lambda: stat_of(pid) is None, "the fork has ended", 10)
    finally:
        if stat_of(pid) is not None:
            os.kill(pid, signal.SIGKILL)


def test_who_asks_name_servers_makes_no_process(s):
    """The fork that reads their answers, whatever the limits of its user."""
    phone = start(s, "worker", ["asked bomb"], serves=False, BACKEND_HOST="application.invalid")
    equal(s.call("GET", "/").status, 502)
    phone.wait_log(r"attack: bomb = ")
    equal(set(re.findall(r"attack: bomb = (.*)", phone.log())), {"-1 EPERM"})
