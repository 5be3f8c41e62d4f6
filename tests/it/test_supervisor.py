# SPDX-License-Identifier: MIT
"""The supervisor where it is easily wrong: pauses, reloads that fail, and what a reload may not change."""
import json, os, pwd, signal, sqlite3, threading, time

from harness import check, cmdline, descendants, equal, stat_of, until


def configured(s, text, **more):
    """A telephone with a configuration file, and how to write that anew."""
    if s.board is None:
        s.start_board()
    if s.backend is None:
        s.start_backend()
    path = f"{s.dir}/conf"

    def write(new):
        with open(path, "w") as f:
            f.write(new)
        os.chmod(path, 0o644)

    write(text)
    phone = s.spawn(s.env(**more), ["-f", path])
    phone.wait_joined()
    return phone, write


def workers(phone):
    return [p for p in descendants(phone.pid) if cmdline(p) == "telephone: worker"]


def in_background(call):
    results = []
    thread = threading.Thread(target=lambda: results.append(call()))
    thread.start()

    def result():
        thread.join(60)
        check(results, "it does not return")
        return results[0]

    return result


def test_a_paused_supervisor_kills_nobody(s):
    phone = s.start()
    before = phone.children()
    phone.signal(signal.SIGSTOP)
    time.sleep(11)  # longer than a child may be silent
    phone.signal(signal.SIGCONT)
    time.sleep(3)
    equal(phone.children(), before, "its children")
    equal(s.call("GET", "/bytes/5").status, 200)


def test_hung_tokend_is_replaced(s):
    phone = s.start(DB_TIMEOUT="100ms")
    os.kill(phone.child("tokend"), signal.SIGSTOP)
    phone.wait_log(r"tokend \(pid \d+\) is killed: it answers nothing any more", seconds=15)
    until(lambda: phone.status().get("token", {}).get("state") == "valid", "the new one has the token")


def test_status_while_a_child_is_being_started(s):
    """Not that it does not answer: there is nobody to ask. Each crash in a row is waited for a little longer."""
    phone = s.start()

    def is_said():
        worker = phone.children().get("worker")
        if worker:
            os.kill(worker, signal.SIGKILL)
        done = phone.ctl("status")
        return "worker       is being started" in done.stdout and done
    done = until(is_said, "it is said")
    equal(done.returncode, 1)
    check(", the worker is being started, up " in done.stdout, done.stdout)
    until(lambda: phone.ctl("status").returncode == 0, "it answers again")


def test_status_while_a_child_is_silent(s):
    phone = s.start()
    worker = phone.child("worker")
    os.kill(worker, signal.SIGSTOP)
    begin = time.monotonic()
    done = phone.ctl("status")
    equal(done.returncode, 1, done.stdout)
    check(1.5 < time.monotonic() - begin < 5, "two seconds are waited")
    check("worker       does not answer" in done.stdout and "tokens stored" in done.stdout, done.stdout)
    check("worker" not in phone.status(), "left out")
    os.kill(worker, signal.SIGCONT)
    until(lambda: phone.ctl("status").returncode == 0, "it answers again")


def test_children_hear_no_terminal(s):
    phone = s.start()
    groups = {os.getpgid(p) for p in phone.children().values()}
    check(os.getpgid(phone.pid) not in groups, "Ctrl-C would reach a child")


def test_keys_that_need_a_restart(s):
    phone, write = configured(s, f"TOKEN_DB_PATH={s.dir}/a.db\n", TOKEN_DB_PATH=None)
    write(f"TOKEN_DB_PATH={s.dir}/b.db\nLOG_FORMAT=json\nREQUEST_TIMEOUT=300ms\n")
    for _ in range(2):  # the second time, too, it has still changed
        done = phone.ctl("reload")
        equal(done.returncode, 0, done.stdout)
        for key in ("TOKEN_DB_PATH", "LOG_FORMAT"):
            check(f"{key} has changed and needs a restart" in done.stdout, done.stdout)
    until(lambda: s.joined() == 1, "the old one has left")
    equal(s.call("GET", "/delay/9000").status, 504, "the others are applied")
    os.kill(phone.child("tokend"), signal.SIGKILL)
    phone.wait_log(r"tokend \(pid \d+\) ended")
    until(lambda: phone.status().get("token", {}).get("state") == "valid", "the new one has the token")
    check(not os.path.exists(f"{s.dir}/b.db"), "a new tokend took the new store")
    check('{"ts"' not in phone.log(), "a new child took the new format")


def test_users_change_only_with_a_restart(s):
    state = os.path.join(s.dir, "state")
    os.mkdir(state, 0o700)
    os.chown(state, pwd.getpwnam("games").pw_uid, -1)
    users = "WORKER_USER={}\nTOKEND_USER=games\n"
    phone, write = configured(s, users.format("daemon"), TOKEN_DB_PATH=f"{state}/telephone.db")
    write(users.format("root"))
    done = phone.ctl("reload")
    equal(done.returncode, 0, done.stdout)
    check("WORKER_USER has changed and needs a restart" in done.stdout, done.stdout)
    until(lambda: len(workers(phone)) == 1, "the old one has left")
    equal(uid_of(workers(phone)[0]), pwd.getpwnam("daemon").pw_uid, "uid of the new worker")


def uid_of(pid):
    with open(f"/proc/{pid}/status") as f:
        return int(next(line for line in f if line.startswith("Uid:")).split()[1])


test_users_change_only_with_a_restart.needs_root = True


def test_reload_whose_worker_dies_is_undone(s):
    phone, write = configured(s, "REQUEST_TIMEOUT=30s\n")
    old = phone.child("worker")
    s.set(join="silent")
    write("REQUEST_TIMEOUT=300ms\n")
    reload = in_background(lambda: phone.ctl("reload"))
    fresh = until(lambda: [p for p in workers(phone) if p != old], "a new worker")[0]
    until(lambda: s.counter("connects") >= 2, "it is running")
    os.kill(fresh, signal.SIGKILL)
    done = reload()
    equal(done.returncode, 70, done.stdout)
    check("given up: the new worker ended; what ran before goes on" in done.stderr, done.stderr)
    s.set(join="ok")
    equal(phone.children()["worker"], old, "the old one serves")
    equal(phone.status()["generation"], 1)
    os.kill(old, signal.SIGKILL)
    phone.wait_log(r"info worker: joined ", count=2)
    equal(s.call("GET", "/delay/900").status, 200, "a worker that comes later has the old timeout")
    write("REQUEST_TIMEOUT=300ms\n")
    equal(phone.ctl("reload").returncode, 0, "a later reload is not mixed up with this one")
    until(lambda: s.joined() == 1, "the old one has left")
    equal(s.call("GET", "/delay/9000").status, 504)


def test_a_signal_during_a_reload_is_not_lost(s):
    """What was changed meanwhile is applied after it."""
    s.start_board(delay_ms=1500)
    phone, write = configured(s, "REQUEST_TIMEOUT=30s\n")
    phone.signal(signal.SIGHUP)
    time.sleep(0.3)
    write("REQUEST_TIMEOUT=300ms\n")
    for _ in range(3):
        phone.signal(signal.SIGHUP)
        time.sleep(0.1)
    phone.wait_log(r"reload: done: the new worker has joined", count=2, seconds=60)
    s.set(delay_ms=0)
    until(lambda: s.joined() == 1, "the old ones have left", 60)
    equal(s.call("GET", "/delay/9000").status, 504)
    equal(phone.status()["generation"], 3, "the first one, and one for all three")


def test_reload_whose_tokend_dies(s):
    phone, write = configured(s, "REQUEST_TIMEOUT=30s\n")
    tokend = phone.child("tokend")
    os.kill(tokend, signal.SIGSTOP)
    write("REQUEST_TIMEOUT=300ms\n")
    begin = time.monotonic()
    reload = in_background(lambda: phone.ctl("reload"))
    time.sleep(0.3)
    again = phone.ctl("reload")
    equal(again.returncode, 69, again.stdout)
    check("refused: another one is under way" in again.stderr, again.stderr)
    os.kill(tokend, signal.SIGKILL)
    done = reload()
    equal(done.returncode, 70, done.stdout)
    check("given up: tokend ended" in done.stderr, done.stderr)
    check(time.monotonic() - begin < 5, "it is told at once")
    until(lambda: phone.ctl("reload").returncode == 0, "the next one is done")


def sealed_row(s, secret, token):
    """The row of a store with this token, sealed with this secret."""
    path = f"{s.dir}/other.db"
    s.start(wait="ready", SECRET_KEY_BASE=secret, TELEPHONE_TOKEN=token, TOKEN_DB_PATH=path,
            CONTROL_SOCKET=f"{s.dir}/other.sock").stop()
    with sqlite3.connect(path) as db:
        return db.execute("SELECT encrypted_token FROM tokens").fetchone()[0]


def test_reload_whose_tokend_dies_when_all_is_sealed_anew(s):
    """Between the store and its word: the rows are sealed with the new secret,
    and nobody has told the supervisor, which still has the old one."""
    s.start_board()
    token, new = s.token(), "cd" * 32
    row = sealed_row(s, new, token)
    phone, write = configured(s, f"SECRET_KEY_BASE={s.secret}\n", SECRET_KEY_BASE=None, TELEPHONE_TOKEN=token)
    tokend = phone.child("tokend")
    os.kill(tokend, signal.SIGSTOP)
    write(f"SECRET_KEY_BASE={new}\nSECRET_KEY_BASE_PREVIOUS={s.secret}\n")
    reload = in_background(lambda: phone.ctl("reload"))
    time.sleep(0.3)
    db = sqlite3.connect(f"{s.dir}/telephone.db")
    with db:
        equal(db.execute("UPDATE tokens SET encrypted_token = ?", (row,)).rowcount, 1)
    db.close()
    os.kill(tokend, signal.SIGKILL)
    equal(reload().returncode, 70, "given up")
    until(lambda: phone.status().get("token", {}).get("state") == "valid", "the new one reads the store")
    check(not phone.has_log("nothing in the store can be read"), "at once")
    os.kill(phone.child("tokend"), signal.SIGKILL)
    phone.wait_log(r"tokend \(pid \d+\) ended", count=2)
    until(lambda: phone.status().get("token", {}).get("state") == "valid", "and the one after it")
    until(lambda: phone.ctl("reload").returncode == 0, "the reload is done at last")
    until(lambda: s.joined() == 1, "the old one has left")
    equal(s.call("GET", "/bytes/5").status, 200)
    phone.stop()
    s.start(SECRET_KEY_BASE=new, TELEPHONE_TOKEN=None)


def test_reload_whose_tokend_dies_over_a_secret_that_is_none(s):
    """It is not given to the next one for ever."""
    path = f"{s.dir}/secret"
    for text in (s.secret, ""):
        with open(f"{path}{len(text)}", "w") as f:
            f.write(text)
        os.chmod(f.name, 0o644)
    phone, write = configured(s, f"SECRET_KEY_BASE_FILE={path}64\n", SECRET_KEY_BASE=None)
    tokend = phone.child("tokend")
    os.kill(tokend, signal.SIGSTOP)
    write(f"SECRET_KEY_BASE_FILE={path}0\n")
    reload = in_background(lambda: phone.ctl("reload"))
    time.sleep(0.3)
    os.kill(tokend, signal.SIGKILL)
    equal(reload().returncode, 70, "given up")
    until(lambda: phone.status().get("token", {}).get("state") == "valid", "the old secret is in force")
    equal(phone.ctl("reload").returncode, 78, "and the new one is refused")


def test_more_reloads_than_may_drain(s):
    phone = s.start()
    slow = []
    for n in range(6):
        slow.append(in_background(lambda: s.call("GET", "/delay/20000", timeout=50)))
        until(lambda: phone.status().get("worker", {}).get("in_flight") == 1, "it is in flight")
        equal(phone.ctl("reload").returncode, 0)
    phone.wait_log(r"is killed: too many generations are draining")
    until(lambda: len(workers(phone)) == 5, lambda: f"one serves, four drain: {workers(phone)}", seconds=5)
    zombies = lambda: [p for p in descendants(phone.pid) if (stat_of(p) or "?")[0] == "Z"]
    until(lambda: not zombies(), lambda: f"no zombie stays: {zombies()}", seconds=3)
    phone.signal(signal.SIGTERM)
    phone.wait_log(r"Terminated: stopping")
    phone.signal(signal.SIGTERM)
    phone.wait_exit(1)
    for answer in slow:
        answer()


def test_a_new_tokend_asks_the_newest_worker(s):
    """For a refresh: the one before answers what it has, and may leave in the middle of it."""
    phone = s.start(TOKEN_REFRESH_INTERVAL="2s")
    threading.Thread(target=s.call, args=("GET", "/delay/25000"), daemon=True).start()
    until(lambda: phone.status()["worker"]["in_flight"] == 1, "a request in flight")
    old = s.state()["sockets"][0]["id"]
    equal(phone.ctl("reload").returncode, 0)
    os.kill(phone.child("tokend"), signal.SIGKILL)
    phone.wait_log(r"tokend: audit: loaded", count=2)
    last = s.state()["log_last"]

    def asked():
        log = map(json.loads, s.admin(f"log?since={last}").splitlines())
        return [e["socket"] for e in log if "refresh_token" in e.get("text", "")]
    until(asked, "a refresh")
    check(asked()[0] != old, "the one that drains was asked")
    s.fault("drop", socket=old)  # which is there until its request is answered


def test_a_live_socket_without_its_lock_file(s):
    phone = s.start()
    os.unlink(phone.env["CONTROL_SOCKET"] + ".lock")
    other = s.start(wait=None, TOKEN_DB_PATH=f"{s.dir}/2.db")
    other.wait_exit(73)
    check(other.has_log(r"another telephone answers on "), "it says so")
    equal(phone.ctl("version").returncode, 0, "the first still answers")


def test_status_is_json_whatever_the_name(s):
    s.start_board()
    s.start_backend()
    path = os.path.join(s.dir.encode(), b'\xffa"\\\x01\xc3\xa9\xe2\x82.conf')
    with open(path, "wb"):
        pass
    os.chmod(path, 0o644)
    phone = s.spawn(s.env(), ["-f", path])
    phone.wait_joined()
    check(json.loads(phone.ctl("status", "--json").stdout)["config"].endswith('/\ufffda"\\\x01é\ufffd\ufffd.conf'),
          phone.status()["config"])
