# SPDX-License-Identifier: MIT
"""Started by root: a user for each process. Uses users that every Debian has."""
import os, pwd, subprocess

from harness import LeftOut, check, equal, until
from wskit import BINARY, Refused, connect, tls_app

WORKER, TOKEND = "daemon", "games"


def store_directory(s):
    path = os.path.join(s.dir, "state")
    os.mkdir(path, 0o700)
    os.chown(path, pwd.getpwnam(TOKEND).pw_uid, -1)
    return path


def ids(pid):
    with open(f"/proc/{pid}/status") as f:
        fields = dict(line.split(":", 1) for line in f if ":" in line)
    return {k: fields[k].split() for k in ("Uid", "Gid", "Groups", "NoNewPrivs", "CapEff")}


def test_three_users(s):
    phone = s.start(WORKER_USER=WORKER, TOKEND_USER=TOKEND, TOKEN_DB_PATH=store_directory(s) + "/telephone.db")
    equal(s.call("GET", "/bytes/5").status, 200)
    equal(phone.status()["separate_users"], True)
    children = phone.children()
    for name, user in (("worker", WORKER), ("tokend", TOKEND), ("lookup", WORKER)):
        pw, got = pwd.getpwnam(user), ids(children[name])
        equal(got["Uid"], [str(pw.pw_uid)] * 4, name)
        equal(got["Gid"], [str(pw.pw_gid)] * 4, name)
        equal(got["Groups"], [str(pw.pw_gid)], name)
        equal((got["NoNewPrivs"], got["CapEff"]), (["1"], ["0" * 16]), name)
    equal(ids(phone.pid)["Uid"], ["0"] * 4)
    for link in os.listdir(f"/proc/{children['worker']}/fd"):
        check("telephone.db" not in os.readlink(f"/proc/{children['worker']}/fd/{link}"), "the worker holds the store")


def test_control_socket_is_for_its_owner(s):
    phone = s.start(WORKER_USER=WORKER, TOKEND_USER=TOKEND, TOKEN_DB_PATH=store_directory(s) + "/telephone.db")
    done = subprocess.run([f"{s.bin}/telephonectl", "-s", phone.env["CONTROL_SOCKET"], "status"], env={}, user=1,
                          group=1, extra_groups=[], capture_output=True, text=True)
    equal(done.returncode, 77, done.stderr)
    check("you may not ask this telephone" in done.stderr, done.stderr)
    os.chmod(phone.env["CONTROL_SOCKET"], 0o666)  # a mistake of somebody's
    done = subprocess.run([f"{s.bin}/telephonectl", "-s", phone.env["CONTROL_SOCKET"], "status"], env={}, user=1,
                          group=1, extra_groups=[], capture_output=True, text=True)
    equal(done.returncode, 77, done.stderr)
    phone.wait_log(r"control socket: uid 1 may not ask here")


def test_missing_users(s):
    phone = s.start(wait=None, WORKER_USER="no-such-user-1", TOKEND_USER="no-such-user-2")
    phone.wait_exit(78)
    errors = [line for line in phone.log().splitlines() if " error " in line]
    equal(len(errors), 1, phone.log())
    for words in ("useradd --system", "no-such-user-1", "no-such-user-2", "WORKER_USER"):
        check(words in errors[0], errors[0])


def test_one_user_for_both(s):
    phone = s.start(wait=None, WORKER_USER=WORKER, TOKEND_USER=WORKER)
    phone.wait_exit(78)
    check(phone.has_log("must be two users"), "it says so")


def test_store_of_another_user(s):
    path = os.path.join(s.dir, "state")
    os.mkdir(path, 0o700)
    phone = s.start(wait=None, WORKER_USER=WORKER, TOKEND_USER=TOKEND, TOKEN_DB_PATH=f"{path}/telephone.db")
    phone.wait_exit(77)
    check(phone.has_log(rf"as root run: install -d -o {TOKEND} -m 0700 "), "the commands are named")
    equal(os.stat(path).st_uid, 0, "owner of what was found")


CA_FILE = "/etc/ssl/certs/ca-certificates.crt"


def certificate(directory, name):
    cert, key = f"{directory}/{name}.pem", f"{directory}/{name}.key"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                    "-days", "2", "-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}",
                    "-keyout", key, "-out", cert], check=True, stderr=subprocess.DEVNULL)
    return cert, key


def with_file(s, mine, theirs, **more):
    """A telephone that sees the file `mine` at the place of `theirs`, in a
    mount namespace of its own."""
    if subprocess.run(["unshare", "-m", "true"], stderr=subprocess.DEVNULL).returncode != 0:
        raise LeftOut("mount namespaces are not allowed here")
    env = s.env(WORKER_USER=WORKER, TOKEND_USER=TOKEND, TOKEN_DB_PATH=store_directory(s) + "/telephone.db",
                PATH=os.environ["PATH"], **more)
    return s.spawn(env, prefix=["unshare", "-m", "sh", "-c", f'mount --bind {mine} {theirs} && exec "$@"', "sh"])


def with_system_ca(s, name):
    """Its system CA store is the certificate of a switchboard that calls
    itself `name`."""
    cert, key = certificate(s.dir, name)
    s.start_board("--tls", "127.0.0.1:0", "--cert", cert, "--key", key)
    s.start_backend()
    return with_file(s, cert, CA_FILE, PLUGBOARD_URL=f"wss://localhost:{s.board.ports['tls']}/telephone/websocket")


def test_names_by_the_lookup_helper(s):
    hosts = f"{s.dir}/hosts"
    with open(hosts, "w") as f:
        f.write("127.0.0.1 localhost plugboard.test backend.test\n::1 plugboard.test backend.test\n")
    s.start_board()
    s.start_backend()
    phone = with_file(s, hosts, "/etc/hosts", BACKEND_HOST="backend.test",
                      PLUGBOARD_URL=f"ws://plugboard.test:{s.board.ports['http']}/telephone/websocket")
    phone.wait_joined()
    for _ in range(3):
        equal(s.call("GET", "/bytes/1000").body, s.direct("/bytes/1000").body)
    other = s.start(wait="joined", BACKEND_HOST="no-such-name.invalid", WORKER_USER=WORKER, TOKEND_USER=TOKEND,
                    TOKEN_DB_PATH=f"{s.dir}/state/2.db", CONTROL_SOCKET=f"{s.dir}/2.sock", CONNECT_TIMEOUT="5s",
                    TELEPHONE_TOKEN=s.token("other"))
    answer = s.call("GET", "/x", path_id="other")
    check(answer.status == 502 and answer.json()["error"] == "backend_unresolved", answer.body)
    check(b"no-such-name" not in answer.body, "a name of the inside goes out")


def test_wss_with_the_system_store(s):
    phone = with_system_ca(s, "localhost")
    phone.wait_joined()
    for target in ("/bytes/3000000", "/binary/300000", "/utf8/100001"):
        check(s.call("GET", target).body == s.direct(target).body, f"{target} differs")
    s.fault("drop")
    phone.wait_log(r"info worker: joined ", count=2)
    equal(s.call("GET", "/bytes/5").status, 200)


def test_wss_name_mismatch(s):
    phone = with_system_ca(s, "other.example")
    phone.wait_log(r"ended: tls failed: name mismatch: the certificate is not for localhost")
    equal(phone.status()["ready"], False)


def websocket_over_tls(s, name):
    cert, key = certificate(s.dir, name)
    s.start_board()
    s.backend = tls_app(cert, key)
    phone = with_file(s, cert, CA_FILE, BACKEND_SCHEME="https", BACKEND_HOST="localhost")
    phone.wait_joined()
    return phone


def test_websockets_over_tls(s):
    websocket_over_tls(s, "localhost")
    ws = connect(s, "/x")
    for n in (0, 1, 125, 70000, 1 << 20):
        ws.send(BINARY, bytes(n))
        check(ws.recv() == (BINARY, bytes(n)), f"{n} bytes differ")
    ws.close(4002)
    equal(ws.recv_close()[0], 4002)


def test_websockets_over_tls_name_mismatch(s):
    phone = websocket_over_tls(s, "other.example")
    try:
        connect(s, "/x")
        raise AssertionError("it was upgraded")
    except Refused as e:
        check(b"TLS with the application failed" in e.body, e.body)
    phone.wait_log(r"TLS with the application failed: hostname mismatch")
    equal(len(s.backend.links), 0, "nothing was said to it")


for test in list(globals().values()):
    if callable(test) and getattr(test, "__name__", "").startswith("test_") and test.__module__ == __name__:
        test.needs_root = True
