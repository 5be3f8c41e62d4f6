#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Inside the booted container of boot.sh: the package and its service.

usage: checks.py FOLDER (with the package, the programs, and `phase`)
"""
import concurrent.futures, contextlib, glob, hashlib, http.client, json, os, pwd, re, signal, socket, stat, subprocess, sys, threading, time, traceback

HERE = sys.argv[1]
SECRET = "the signing key of these checks"
BOARD, TLS, APP = 4000, 4443, 8080
CONF, UNIT = "/etc/telephone/telephone.conf", "telephone.service"
THRESHOLD = 25  # exposure, tenths
passed = failed = 0


def report(good, what, detail=""):
    global passed, failed
    passed, failed = passed + bool(good), failed + (not good)
    print("ok  " if good else "FAIL", what, *([] if good else [detail]), flush=True)
    return good


def run(*argv, stdin=None, timeout=120, **env):
    return subprocess.run(argv, input=stdin, capture_output=True, text=True, timeout=timeout, env={**os.environ, **env})


def does(what, *argv, code=0, **more):
    done = run(*argv, **more)
    return report(done.returncode == code, what, f"{argv}: {done.returncode}: {done.stdout[-800:]} {done.stderr[-800:]}")


def until(condition, seconds=30):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if condition():
                return True
        except (OSError, ValueError, KeyError, http.client.HTTPException):
            pass
        time.sleep(0.1)
    return False


def show(prop, unit=UNIT):
    return run("systemctl", "show", "-P", prop, unit).stdout.strip()


def main_pid(unit=UNIT):
    return int(show("MainPID", unit))


def journal(unit=UNIT):
    return run("journalctl", "-b", "-u", unit, "-o", "cat", "--no-pager").stdout


def status(socket_path="/run/telephone/telephone.sock"):
    return json.loads(run("telephonectl", "-s", socket_path, "status", "--json").stdout or "{}")


def joined(socket_path="/run/telephone/telephone.sock"):
    return until(lambda: status(socket_path)["worker"]["tunnels_joined"] == 2)


def children():
    """pid by name, of telephone.service."""
    found = {}
    with open(f"/sys/fs/cgroup/system.slice/{UNIT}/cgroup.procs") as f:
        for pid in f.read().split():
            with open(f"/proc/{pid}/cmdline") as c:
                title = c.read().rstrip("\0")
            if title.startswith("telephone: "):
                found[title[11:]] = int(pid)
    return found


def proc_status(pid):
    with open(f"/proc/{pid}/status") as f:
        return dict(line.rstrip("\n").split(":\t", 1) for line in f if ":\t" in line)


def write(path, text, mode=0o600):
    with open(path, "w") as f:
        f.write(text)
    os.chmod(path, mode)


def drop_in(name, text, unit=UNIT):
    folder = f"/run/systemd/system/{unit}.d"
    os.makedirs(folder, exist_ok=True)
    path = f"{folder}/{name}.conf"
    if text is None:
        os.unlink(path)
    else:
        write(path, f"[Service]\n{text}\n", 0o644)
    run("systemctl", "daemon-reload")


# --- the others, and what goes through ---------------------------------------
def start_others():
    for name, argv in (("switchboard", ["--listen", f"127.0.0.7:{BOARD}", "--tls", f"127.0.0.7:{TLS}", "--secret", SECRET,
                                        "--cert", f"{HERE}/cert.pem", "--key", f"{HERE}/key.pem"]),
                       ("demo-backend", ["--listen", f"127.0.0.7:{APP}"])):
        start_other(name, argv)


def start_other(name, argv):
    """With the libraries that came along, where there are any."""
    with_libraries = {"LD_LIBRARY_PATH": f"{HERE}/lib"} if os.path.isdir(f"{HERE}/lib") else {}
    proc = subprocess.Popen([f"{HERE}/{name}", "--quiet", *argv], stdout=subprocess.PIPE, text=True,
                            env={**os.environ, **with_libraries})
    return proc if proc.stdout.readline() else report(False, f"{name} starts")


def make_certificate():
    run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=board.test", "-addext",
        "subjectAltName=DNS:board.test", "-keyout", f"{HERE}/key.pem", "-out", f"{HERE}/cert.pem")
    write("/etc/telephone/board.pem", open(f"{HERE}/cert.pem").read(), 0o644)


def call(method, target, body=None, path_id="demo", timeout=60):
    conn = http.client.HTTPConnection("127.0.0.7", BOARD, timeout=timeout)
    try:
        conn.request(method, f"/call/{path_id}{target}", body)
        answer = conn.getresponse()
        return answer.status, answer.read()
    finally:
        conn.close()


def new_token(path_id="demo"):
    conn = http.client.HTTPConnection("127.0.0.7", BOARD, timeout=30)
    conn.request("POST", f"/admin/token?path_id={path_id}&ttl=86400&iat=-10")
    return conn.getresponse().read().decode().strip()


def websocket_echo():
    with socket.create_connection(("127.0.0.7", BOARD), timeout=30) as c:
        c.sendall(b"GET /call/demo/ws HTTP/1.1\r\nHost: board\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                  b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n")
        f = c.makefile("rb")
        if b" 101 " not in f.readline():
            return False
        while f.readline().strip():
            pass
        c.sendall(b"\x81\x85\0\0\0\0hello")
        return f.read(7) == b"\x81\x05hello"


def traffic():
    """What real traffic uses: names, TLS, spool, both directions, WebSockets, many at once. The faults."""
    faults = []
    if call("GET", "/bytes/5")[0] != 200:
        faults.append("GET")
    body = os.urandom(500).hex().encode() * 1000
    code, got = call("POST", "/echo", body)
    if code != 200 or hashlib.sha256(got).digest() != hashlib.sha256(body).digest():
        faults.append(f"echo of 1 MB: {code}, {len(got)} bytes")
    if len(call("GET", "/utf8/5000000")[1]) != 5000000:
        faults.append("5 MB through the spool")
    with concurrent.futures.ThreadPoolExecutor(50) as pool:
        codes = [a[0] for a in pool.map(lambda n: call("GET", f"/delay/{n % 5 * 20}"), range(200))]
    if codes.count(200) != 200:
        faults.append(f"200 at once: {codes.count(200)}")
    if not websocket_echo():
        faults.append("WebSocket")
    return faults


def check_traffic(when):
    faults = traffic()
    report(not faults, f"traffic: {when}", faults)


LINES = f"""
PLUGBOARD_URL=wss://board.test:{TLS}/telephone/websocket
PLUGBOARD_CA_FILE=/etc/telephone/board.pem
BACKEND_HOST=app.test
BACKEND_PORT={APP}
"""


# --- phases ------------------------------------------------------------------
def documented(page="deployment.md", kind="run"):
    """What a document has its reader type: the blocks below such a mark."""
    with open(f"{HERE}/{page}") as f:
        found = re.findall(rf"<!-- system: {kind} -->\n\n((?: {{4}}.*\n)+)", f.read())
    return [re.sub(r"^ {4}", "", block, flags=re.M).rstrip("\n") for block in found]


def check_install():
    install, ask = documented()
    done = run("sh", "-c", f"cd {HERE} && {install}", timeout=240, DEBIAN_FRONTEND="noninteractive")
    report(done.returncode == 0, f"the package installs: {install}", done.stdout[-1500:] + done.stderr[-1500:])
    report(until(lambda: run("sh", "-c", ask).stdout.strip() == "waiting for a token: telephonectl token set"),
           f"and waits: {ask}")
    report(show("ActiveState") == "active", "the service runs", journal())
    report(show("UnitFileState") == "enabled", "and will after a reboot")
    report(until(lambda: "waiting for a token" in show("StatusText")), "its status says that a token is awaited",
           show("StatusText"))
    secret = open("/etc/telephone/secret").read()
    report(re.fullmatch("[0-9a-f]{64}", secret) and stat.S_IMODE(os.stat("/etc/telephone/secret").st_mode) == 0o600,
           "a secret was made, for root alone")
    report(stat.S_IMODE(os.stat(CONF).st_mode) == 0o600, "the configuration is root's alone")
    for path, user, mode in (("token", "_telephone-tok", 0o700), ("spool", "_telephone", 0o700), ("", "root", 0o755)):
        st = os.stat(f"/var/lib/telephone/{path}")
        report((pwd.getpwuid(st.st_uid).pw_name, stat.S_IMODE(st.st_mode)) == (user, mode),
               f"/var/lib/telephone/{path} is {user}'s, {mode:o}", oct(st.st_mode))
    does("systemd finds no fault with the units", "systemd-analyze", "verify", "--man=no", UNIT, "telephone@x.service",
         "telephone.socket")


def check_configure():
    with open(CONF, "a") as f:
        f.write(LINES)
    does("reload with three lines", "systemctl", "reload", UNIT)
    done = run("telephonectl", "token", "set", stdin=new_token())
    report(done.returncode == 0, "telephonectl token set", done.stdout + done.stderr)
    report(joined() and until(lambda: show("StatusText") == "joined, 2 of 2 tunnels"), "joined, and the status says so",
           show("StatusText") + journal())
    check_traffic("after the installation")
    st = os.stat("/run/telephone/telephone.sock")
    report((st.st_uid, stat.S_IMODE(st.st_mode)) == (0, 0o660) and run("stat", "-c", "%G", "/run/telephone/telephone.sock")
           .stdout.strip() == "telephone", "the control socket is for root and group telephone")


def check_walls():
    walls = status()["sandbox"]
    report(walls["mode"] == "enforce" and walls["whole"], "the walls are whole inside the unit", walls)
    own = status()
    for name, pid in {"telephone": main_pid(), **children()}.items():
        ps = proc_status(pid)
        user = {"telephone": "root", "tokend": "_telephone-tok"}.get(name, "_telephone")
        report(ps["Seccomp"] == "2" and ps["NoNewPrivs"] == "1", f"{name}: seccomp and no_new_privs",
               (ps["Seccomp"], ps["NoNewPrivs"]))
        # Its own filter is there beside the unit's.
        report(int(ps.get("Seccomp_filters", "9")) > int(proc_status(main_pid()).get("Seccomp_filters", "0")) or
               name == "telephone", f"{name}: a filter of its own", ps.get("Seccomp_filters"))
        report(pwd.getpwuid(int(ps["Uid"].split()[0])).pw_name == user, f"{name} runs as {user}", ps["Uid"])
        report(name == "telephone" or int(ps["CapEff"], 16) == int(ps["CapPrm"], 16) == 0, f"{name} has no capability")
        if name != "telephone":
            level = own["sandbox"][name]
            report(level["seccomp"] and level["landlock_abi"] > 0 and level["violations"] == 0,
                   f"{name}: seccomp and Landlock are in force", level)
    caps = {"CAP_KILL", "CAP_SETUID", "CAP_SETGID", "CAP_DAC_READ_SEARCH"}
    got = {c.strip().upper() for c in show("CapabilityBoundingSet").split()}
    report(got == caps, "no other capability in the unit", got)
    done = run("systemd-analyze", "security", "--no-pager", f"--threshold={THRESHOLD}", UNIT)
    report(done.returncode == 0, done.stdout.strip().splitlines()[-1], done.stdout)
    report("secret" not in journal().replace("SECRET_KEY_BASE", "").replace("/etc/telephone/secret", "") and
           open("/etc/telephone/secret").read() not in journal(), "no secret in the journal")


def check_reload():
    text = open(CONF).read()
    write(CONF, text + "REQUEST_TIMEOUT=400ms\n")
    does("reload", "systemctl", "reload", UNIT)
    report(call("GET", "/delay/3000")[0] == 504, "it is done when it returns")
    write(CONF, text + "REQUEST_TIMEOUT=fast\n")
    report(run("systemctl", "reload", UNIT).returncode != 0, "a faulty configuration: reload says so")
    report(call("GET", "/bytes/5")[0] == 200, "and what ran before serves")
    report(run("systemctl", "restart", UNIT).returncode != 0, "a restart with it fails")
    time.sleep(4)
    report(show("NRestarts") == "0" and show("ExecMainStatus") == "78", "with 78, and is not tried again",
           show("NRestarts") + " " + show("ExecMainStatus"))
    write(CONF, text)
    run("systemctl", "reset-failed", UNIT)
    does("restart", "systemctl", "restart", UNIT)
    report(joined(), "joined, with the stored token")


def check_crashes():
    os.kill(children()["worker"], signal.SIGKILL)
    report(until(lambda: status()["worker_restarts"] == 1) and joined(), "a worker is replaced")
    before = main_pid()
    os.kill(before, signal.SIGKILL)
    report(until(lambda: main_pid() not in (0, before)) and joined(), "a supervisor is replaced by systemd")
    report(show("NRestarts") == "1", "which counts it", show("NRestarts"))
    drop_in("watchdog", "WatchdogSec=3")
    does("restart with a short watchdog", "systemctl", "restart", UNIT)
    time.sleep(8)
    report(show("NRestarts") in ("0", "1") and joined(), "the watchdog is fed", show("NRestarts"))
    before = main_pid()
    os.kill(before, signal.SIGSTOP)
    report(until(lambda: main_pid() not in (0, before), 40) and joined(), "a supervisor that hangs is replaced")
    report("Watchdog timeout" in journal(), "by the watchdog", journal()[-1500:])
    drop_in("watchdog", None)
    run("systemctl", "restart", UNIT)
    report(joined(), "joined")
    check_traffic("after the crashes")


def check_credentials():
    os.rename("/etc/telephone/secret", "/root/secret")
    text = open(CONF).read()
    write(CONF, text.replace("SECRET_KEY_BASE_FILE=", "#SECRET_KEY_BASE_FILE="))
    write("/root/token", new_token("credential"))
    drop_in("credentials", "LoadCredential=secret_key_base:/root/secret\nLoadCredential=telephone_token:/root/token")
    does("restart with credentials", "systemctl", "restart", UNIT)
    report(joined(), "joined", journal()[-1500:])
    report(call("GET", "/bytes/5", path_id="credential")[0] == 200 and status()["token"]["path_id"] == "credential",
           "the token is the credential's")
    drop_in("credentials", "LoadCredential=secret_key_base:/root/nowhere")
    report(run("systemctl", "restart", UNIT).returncode != 0, "a credential that is not there: no start")
    drop_in("credentials", None)
    os.rename("/root/secret", "/etc/telephone/secret")
    write(CONF, text)
    run("systemctl", "reset-failed", UNIT)
    for path in glob.glob("/var/lib/telephone/token/*"):
        os.unlink(path)
    does("start with the secret's file and an empty store", "systemctl", "start", UNIT)
    report(until(lambda: "waiting for a token" in show("StatusText")), "a token is awaited again", show("StatusText"))
    run("telephonectl", "token", "set", stdin=new_token())
    report(joined() and status()["token"]["path_id"] == "demo", "joined", journal()[-1500:])


def in_flight(act):
    """Whether a request that `act` meets in flight is answered."""
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        answer = pool.submit(call, "GET", "/delay/4000")
        until(lambda: status()["worker"]["in_flight"] > 0)
        act()
        code, body = answer.result()
        return code == 200 or print(code, body, journal()[-2000:])


def check_stop():
    pids = [main_pid(), *children().values()]
    report(in_flight(lambda: does("stop", "systemctl", "stop", UNIT)), "a request in flight is answered before")
    report(show("Result") == "success" and show("ExecMainStatus") == "0", "an orderly end", show("Result"))
    report(not any(os.path.exists(f"/proc/{p}") for p in pids), "no process is left")
    report(not os.path.exists("/run/telephone"), "nothing in /run")
    does("start", "systemctl", "start", UNIT)
    report(joined(), "joined")
    report(in_flight(lambda: does("restart", "systemctl", "restart", UNIT)), "a restart answers it, too")
    report(joined(), "joined")


def health():
    conn = http.client.HTTPConnection("127.0.0.1", 8081, timeout=60)
    conn.request("GET", "/readyz")
    return conn.getresponse().status


def check_socket():
    """While the service runs, as it does where one reads the document; it stays for what follows."""
    (block,) = documented(kind="socket")
    for command in block.splitlines():
        does(f"deployment: {command}", "sh", "-c", command)
    report(until(lambda: health() == 200), "the health port answers")
    run("systemctl", "stop", UNIT)
    report(until(lambda: health() == 200), "a probe of it starts the service, and is answered")
    report("health listener: the socket that systemd passed" in journal(), "on systemd's socket")
    does("reload", "systemctl", "reload", UNIT)
    report(until(lambda: health() == 200), "after a reload, too")


def check_socket_again():
    report(until(lambda: health() == 200) and "the socket that systemd passed" in journal(),
           "after a reboot: the health port is systemd's", journal()[-1500:])


NAMES = ("alpha", "beta")


def control(name):
    return f"/run/telephone-{name}/telephone.sock"


def check_instances():
    text = open(CONF).read()
    for name in NAMES:
        write(f"/etc/telephone/{name}.conf", text)
    does("two instances", "systemctl", "enable", "--now", *(f"telephone@{n}" for n in NAMES))
    for name in NAMES:
        done = run("telephonectl", "-s", control(name), "token", "set", stdin=new_token(name))
        report(done.returncode == 0 and joined(control(name)), f"{name} is joined", done.stdout + done.stderr)
    check_instances_serve("three telephones")


def check_instances_serve(when):
    for name in NAMES:
        report(joined(control(name)) and call("GET", "/bytes/7", path_id=name)[0] == 200, f"{when}: {name} serves",
               journal(f"telephone@{name}")[-1500:])
        st = os.stat(f"/var/lib/telephone/token/{name}.db")
        report((pwd.getpwuid(st.st_uid).pw_name, stat.S_IMODE(st.st_mode)) == ("_telephone-tok", 0o600),
               f"{when}: {name} has its own store")
    report(joined() and call("GET", "/bytes/7")[0] == 200, f"{when}: the first one serves")


def next_version(deb):
    """The same files as the next version, whose changelog says so."""
    folder = "/root/next"
    run("dpkg-deb", "-R", deb, folder)
    with open(f"{folder}/DEBIAN/control") as f:
        control = re.sub(r"^(Version: .*)", r"\1+next", f.read(), flags=re.M)
    write(f"{folder}/DEBIAN/control", control, 0o644)
    write(f"{folder}/usr/share/doc/telephone/NEXT", "new\n", 0o644)
    does("the next version", "dpkg-deb", "-b", folder, "/root/next.deb")
    return "/root/next.deb"


def check_upgrade():
    """With nobody there to answer a question: stdin has ended."""
    deb = glob.glob(f"{HERE}/*.deb")[0]
    secret = open("/etc/telephone/secret").read()
    for what, file, more in (("upgrade", next_version(deb), ()), ("rollback", deb, ("--allow-downgrades",))):
        before = [main_pid(), *(main_pid(f"telephone@{n}") for n in NAMES)]
        report(in_flight(lambda: does(what, "apt-get", "install", "-y", *more, file, stdin="",
                                      DEBIAN_FRONTEND="noninteractive")), f"a request in flight is answered across the {what}")
        report(joined(), "joined")
        report(until(lambda: health() == 200), "the health port answers", show("ActiveState", "telephone.socket"))
        after = [main_pid(), *(main_pid(f"telephone@{n}") for n in NAMES)]
        report(not set(before) & set(after) and 0 not in after, "all telephones run the new version", (before, after))
        report(os.path.exists("/usr/share/doc/telephone/NEXT") == (what == "upgrade"), f"{what}: the files are that version's")
        report(open("/etc/telephone/secret").read() == secret and LINES in open(CONF).read(), "secret and configuration stay")
        report(not glob.glob("/etc/telephone/*.dpkg-*"), "dpkg had nothing to ask", glob.glob("/etc/telephone/*"))
        check_instances_serve(f"after the {what}")


@contextlib.contextmanager
def probes():
    """Somebody who asks the health port all the time: systemd would start the service for it."""
    over = threading.Event()

    def ask():
        while not over.wait(0.02):
            with socket.socket() as s:
                s.connect_ex(("127.0.0.1", 8081))
    asking = threading.Thread(target=ask)
    asking.start()
    yield
    over.set()
    asking.join()


def check_removal():
    with probes():
        does("remove", "dpkg", "-r", "telephone")
    report(run("pgrep", "-f", "telephone: ").returncode == 1, "all telephones are stopped")
    with socket.socket() as s:
        report(s.connect_ex(("127.0.0.1", 8081)) != 0, "and nobody listens on the health port", show("ActiveState", "telephone.socket"))
    report(os.path.exists(CONF) and os.path.exists("/etc/telephone/secret") and
           os.path.exists("/var/lib/telephone/token/telephone.db"), "configuration and store stay")
    deb = glob.glob(f"{HERE}/*.deb")[0]
    does("install again", "dpkg", "-i", deb)
    report(joined(), "it joins, as before", journal()[-1500:])
    for name in (*NAMES, "board.pem"):
        path = f"/etc/telephone/{name}"
        os.unlink(path if os.path.exists(path) else f"{path}.conf")
    # A volume of its own, which no purge can take away.
    does("a mount below the store's directory", "mount", "-t", "tmpfs", "tmpfs", "/var/lib/telephone/spool")
    does("purge", "dpkg", "-P", "telephone")
    report(os.listdir("/var/lib/telephone") == ["spool"], "the mount point alone is left", os.listdir("/var/lib/telephone"))
    does("and can go", "sh", "-c", "umount /var/lib/telephone/spool && rmdir /var/lib/telephone/spool /var/lib/telephone")
    left = [p for top in ("/etc", "/var/lib", "/usr/lib/systemd", "/lib/systemd", "/usr/share", "/usr/libexec", "/run", "/usr/sbin")
            for p in glob.glob(f"{top}/**/*telephone*", recursive=True) if "_telephone" not in p and "telephone-check" not in p]
    left = [p for p in left if not p.startswith(("/run/systemd/", "/etc/machine-id", "/run/log"))]
    report(not left, "nothing is left", left)
    report(show("ActiveState") == "inactive" and run("pgrep", "-f", "telephone: ").returncode == 1, "nothing runs")


# --- the unit's sandbox, line by line -----------------------------------------
TRIES = ("ProcSubset=pid", "RestrictAddressFamilies=~AF_NETLINK", "PrivateUsers=yes", "CapabilityBoundingSet=~CAP_KILL", "CapabilityBoundingSet=~CAP_DAC_READ_SEARCH", "CapabilityBoundingSet=~CAP_SETUID",
         "CapabilityBoundingSet=~CAP_SETGID", "SystemCallFilter=~capset",
         "SystemCallFilter=~setgroups", "SystemCallFilter=~setresuid", "SystemCallFilter=~setresgid",
         "SystemCallFilter=~setrlimit", "SystemCallFilter=~prlimit64", "SystemCallFilter=~seccomp",
         "SystemCallFilter=~landlock_create_ruleset", "SystemCallFilter=~memfd_secret", "SystemCallFilter=~@keyring @ipc @aio",
         "SystemCallFilter=~@chown", "IPAddressDeny=any\nIPAddressAllow=localhost", "PrivateNetwork=yes", "RootDirectory=/",
         "ProtectProc=noaccess", "TasksMax=24", "MemoryMax=256M", "UMask=0777", "InaccessiblePaths=-/srv -/opt -/var/cache")


def try_directives():
    """Each directive of the unit taken away, each further one put on: what traffic and walls say of it."""
    run("dpkg", "-i", glob.glob(f"{HERE}/*.deb")[0])
    with open(CONF, "a") as f:
        f.write(LINES)
    run("systemctl", "reload", UNIT)
    run("telephonectl", "token", "set", stdin=new_token())
    joined()
    for line in ("", *TRIES):
        drop_in("try", line)
        run("systemctl", "reset-failed", UNIT)
        done = run("systemctl", "restart", UNIT, timeout=90)
        if done.returncode != 0:
            verdict = "does not start: " + " / ".join(journal().splitlines()[-2:])
        elif not until(lambda: status()["worker"]["tunnels_joined"] == 2, 8):
            verdict = "does not join: " + " / ".join(journal().splitlines()[-3:])
        else:
            faults = traffic()
            walls = status()["sandbox"]
            reload = run("systemctl", "reload", UNIT).returncode
            verdict = f"traffic {faults or 'ok'}, walls {'whole' if walls['whole'] else 'NOT WHOLE'}, reload {reload}"
        exposure = run("systemd-analyze", "security", "--no-pager", UNIT).stdout.strip().splitlines()[-1:]
        print(f"{line!r}: {verdict}; {exposure}", flush=True)


PHASES = {
    "probe": (),
    "first": (check_install, check_configure, check_walls, check_reload, check_crashes, check_credentials, check_stop,
              check_socket, check_instances),
    "second": (lambda: check_instances_serve("after a reboot"), check_socket_again, check_upgrade, check_removal),
    "directives": (try_directives,),
    "documents": (lambda: __import__("documents").check_documents(),),
}


def main():
    with open(f"{HERE}/phase") as f:
        phase = f.read().strip()
    begin = time.monotonic()
    if phase != "probe":
        os.makedirs("/etc/telephone", exist_ok=True)
        if phase != "second":
            make_certificate()
        start_others()
    for step in PHASES[phase]:
        try:
            step()
        except Exception:  # pylint: disable=broad-except
            report(False, f"{getattr(step, '__name__', 'step')} goes through", traceback.format_exc())
        if failed:
            print("what follows needs what failed: left out")
            break
    if phase != "probe":
        print(f"{passed} passed, {failed} failed, {time.monotonic() - begin:.0f} s", flush=True)
    return failed != 0


if __name__ == "__main__":
    sys.modules["checks"] = sys.modules["__main__"]
    sys.exit(main())
