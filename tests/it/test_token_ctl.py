# SPDX-License-Identifier: MIT
"""telephonectl token show, set, rotate, check; what the keys do."""
import base64, concurrent.futures, hmac, json, os, re, signal, sqlite3, subprocess, time

from harness import check, equal, free_port, request, until

OTHER = "5a" * 32


def jwt(key=b"", alg="HS256", path_id="demo", iat=-10, ttl=3600, jti="made-here", header=None):
    """A token that no Plugboard has made."""
    b64 = lambda data: base64.urlsafe_b64encode(data).rstrip(b"=")
    now = int(time.time()) + iat
    claims = {"sub": "somebody", "path_id": path_id, "jti": jti, "iat": now, "exp": now + ttl}
    text = b64(json.dumps(header or {"alg": alg, "typ": "JWT"}).encode()) + b"." + b64(json.dumps(claims).encode())
    digest = {"HS256": "sha256", "HS384": "sha384", "HS512": "sha512"}.get(alg, "sha256")
    return (text + b"." + b64(hmac.new(key, text, digest).digest())).decode()


def give(phone, text, *options):
    done = subprocess.run([f"{phone.stage.bin}/telephonectl", "-s", phone.env["CONTROL_SOCKET"], "token", "set", *options],
                          input=text, capture_output=True, text=True, timeout=60, env={})
    check(len(text) < 40 or text.strip() not in done.stdout + done.stderr, "the token is shown")
    return done


def metric(port, name):
    text = request(port, "GET", "/metrics").body.decode()
    found = re.search(rf"^{re.escape(name)} (-?\d+)$", text, re.M)
    check(found, f"{name} in {text}")
    return int(found.group(1))


def tool(s, *args, **env):
    """telephonectl token check with this environment; as who runs the telephones."""
    drop = {"user": 65534, "group": 65534, "extra_groups": []} if os.geteuid() == 0 and not s.as_root else {}
    done = subprocess.run([f"{s.bin}/telephonectl", "token", "check", *args], capture_output=True, text=True, timeout=60,
                          cwd=s.dir, env=env, **drop)
    for value in env.values():
        check(len(value) < 60 or value not in done.stdout + done.stderr, "a secret is shown")
    return done


def sealed(s):
    db = sqlite3.connect(f"file:{s.dir}/telephone.db?mode=ro", uri=True)
    try:
        return [r[0] for r in db.execute("SELECT encrypted_token FROM tokens ORDER BY id")]
    finally:
        db.close()


# --- set and show ---------------------------------------------------------------
def test_set_joins_at_once(s):
    phone = s.start(wait="ready", TELEPHONE_TOKEN=None, INITIAL_BACKOFF="1h", MAX_BACKOFF="1h")
    phone.wait_log(r"there is no token")
    equal(phone.ctl("token", "show").returncode, 1, "show without a token")
    token = s.token()
    done = give(phone, token + "\n")
    equal((done.returncode, done.stderr), (0, ""), done.stdout)
    check("in use, stored" in done.stdout, done.stdout)
    phone.wait_joined()
    done = phone.ctl("token", "show", "--json")
    equal(done.returncode, 0)
    shown = json.loads(done.stdout)
    claims = json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))
    equal((shown["state"], shown["source"], shown["path_id"], shown["subject"], shown["jti"], shown["iat"], shown["exp"]),
          ("valid", "given", "demo", claims["sub"], claims["jti"], claims["iat"], claims["exp"]))
    equal((shown["verified"], shown["unsaved"], shown["stored"]), (False, False, 1))
    check(0 < shown["refresh_in_ms"] < 3600_000, shown)
    check(token not in done.stdout and token.split(".")[2] not in phone.ctl("token", "show").stdout, "the token is shown")
    check(phone.has_log(r"audit: set: jti "), "the audit log knows")
    done = phone.ctl("token", "show")  # the same for people
    equal(done.returncode, 0)
    for label in ("state", "source", "path_id", "subject", "jti", "issued", "expires", "signature", "next refresh", "stored"):
        check(re.search(rf"^{label} +\S", done.stdout, re.M), (label, done.stdout))
    phone.stop()
    s.start(TELEPHONE_TOKEN=None)  # it was stored


def test_set_when_all_are_refused(s):
    s.start_board(handshake="403")
    phone = s.start(wait=None, INITIAL_BACKOFF="1h", MAX_BACKOFF="1h")
    phone.wait_log(r"audit: refused: jti \S+ was refused \(403\)")
    until(lambda: phone.status()["worker"]["tunnel"] == "waiting", "it waits")
    s.set(handshake="ok")
    equal(give(phone, s.token(iat=-5)).returncode, 0)
    phone.wait_joined()


def test_set_when_all_are_refused_and_then_the_server_is_ill(s):
    """What the last attempt met does not matter: all of them had no token that was of any use."""
    s.start_board(handshake="403")
    phone = s.start(wait=None, INITIAL_BACKOFF="1s", MAX_BACKOFF="1h")
    phone.wait_log(r"audit: refused: jti \S+ was refused \(403\)")
    s.set(handshake="503")
    phone.wait_log(r"ended: http status 503")
    until(lambda: phone.status()["worker"]["tunnel"] == "waiting", "it waits")
    s.set(handshake="ok")
    equal(give(phone, s.token(iat=-5)).returncode, 0)
    phone.wait_joined()


def test_set_refuses_what_is_no_token(s):
    phone = s.start()
    before = phone.status()["token"]["jti"]
    for text, words in (("garbage", "three parts"), ("", "no token on standard input"), ("a.b.c", "no token"),
                        ("x" * 20000, "longer than 16383")):
        done = give(phone, text)
        equal(done.returncode, 65, text[:20])
        check(words in done.stdout + done.stderr, (done.stdout, done.stderr))
    done = json.loads(give(phone, "garbage", "--json").stdout)
    equal((done["ok"], done["stored"]), (False, False))
    equal(phone.status()["token"]["jti"], before)


def test_set_of_an_older_one_is_kept_in_reserve(s):
    phone = s.start()
    before = phone.status()["token"]["jti"]
    done = give(phone, s.token(iat=-1000, ttl=5000), "--json")
    equal(done.returncode, 1)
    report = json.loads(done.stdout)
    equal((report["current"], report["stored"]), (False, True))
    equal(phone.status()["token"]["jti"], before)
    # And it serves when the first one is refused.
    s.admin("revoke", jti=before)
    s.fault("drop")
    phone.wait_log(r"info worker: joined ", count=2)
    equal(phone.status()["token"]["jti"], report["jti"])


def test_set_for_another_path_and_from_the_future(s):
    phone = s.start()
    done = give(phone, s.token("other", iat=90))
    equal(done.returncode, 0, done.stdout)
    phone.wait_log(r"is for path_id other, but another one \(from \w+\) is for demo")
    phone.wait_log(r"was issued (8\d|90) s in the future")


def test_set_for_another_path_moves_there(s):
    """All tunnels, and each refresh is for the new path; what is in flight on the old one is answered."""
    phone = s.start(TUNNELS="2")
    until(lambda: s.joined() == 2, "both tunnels")
    with concurrent.futures.ThreadPoolExecutor() as pool:
        slow = pool.submit(s.call, "GET", "/delay/1500")
        until(lambda: phone.status()["worker"]["in_flight"] == 1, "a request in flight")
        done = give(phone, s.token("other", iat=-1))
        equal(done.returncode, 0, done.stdout)
        check("it is for another path than the one before: a reload has begun" in done.stdout, done.stdout)
        equal(slow.result().status, 200, "in flight on the old path")
    until(lambda: [k["path_id"] for k in s.state()["sockets"]] == ["other"] * 2 and s.joined() == 2, "none is left there")
    equal(s.call("GET", "/delay/1", path_id="other").status, 200)
    before = phone.status()["token"]["refreshes"]
    done = give(phone, s.token("other", iat=-1, ttl=8))
    equal(phone.status()["token"]["path_id"], "other")
    until(lambda: phone.status()["token"]["refreshes"] > before, "a refresh for the new path")
    check(not phone.has_log("it is for another path_id"), "none was for the old one")
    equal(phone.status()["generation"], 2, "one reload")


def test_set_without_a_telephone(s):
    done = subprocess.run([f"{s.bin}/telephonectl", "-s", f"{s.dir}/nobody", "token", "set"], input="a.b.c", text=True,
                          capture_output=True, env={})
    equal(done.returncode, 69)
    for command in ("show", "rotate"):
        for more in ((), ("--json",)):
            done = subprocess.run([f"{s.bin}/telephonectl", "-s", f"{s.dir}/nobody", "token", command, *more],
                                  capture_output=True, env={})
            equal((done.returncode, done.stdout), (69, b""), command)
    for words in (("steal",), (), ("show", "--db", "x"), ("set", "eyJ.eyJ.x"), ("rotate", "now")):
        done = subprocess.run([f"{s.bin}/telephonectl", "-s", f"{s.dir}/nobody", "token", *words], capture_output=True, env={})
        equal(done.returncode, 64, words)


def test_show_says_what_is_not_usable(s):
    """--json and exit code 1: no token, an expired one, all refused."""
    s.start_board(handshake="403")
    for token, state in ((None, "none"), (s.token(iat=-100, ttl=-50), "expired"), (s.token(), "refused")):
        phone = s.start(wait="ready", TELEPHONE_TOKEN=token, TOKEN_DB_PATH=f"{s.dir}/{state}.db", INITIAL_BACKOFF="1h",
                        MAX_BACKOFF="1h")
        shown = until(lambda: (t := json.loads(phone.ctl("token", "show", "--json").stdout))["state"] == state and t
                      or state == "expired" and t["set_aside"] == 1 and t, state)
        equal(phone.ctl("token", "show").returncode, 1, state)
        if state == "refused":
            check("was refused (403)" in shown["last_refusal"] and shown["set_aside"] == 1, shown)
        phone.stop()


def test_rotate_reports_what_no_key_opens(s):
    """Rows of a third key: exit code 1, counted, left as they are."""
    phone = s.start()
    phone.stop()
    db = sqlite3.connect(f"{s.dir}/telephone.db")
    db.execute("INSERT INTO tokens (encrypted_token, expires_at, updated_at) VALUES ('AQIDBAUGBwgJCgsMD2/1SX+A+zWd0dgmSxlGaiaU9YLm', "
               "'2040-01-01 00:00:00+00:00', '2020-01-01 00:00:00+00:00')")
    db.commit()
    db.close()
    phone = s.start(SECRET_KEY_BASE=OTHER, SECRET_KEY_BASE_PREVIOUS=s.secret, TELEPHONE_TOKEN=None)
    done = phone.ctl("token", "rotate", "--json")
    report = json.loads(done.stdout)
    equal((done.returncode, report["ok"], report["rows"], report["resealed"], report["unreadable"], report["previous_given"]),
          (1, False, 2, 1, 1, True))
    check("opened by neither key" in report["text"], report)
    check("AQIDBAUGBwgJCgsMD2/1SX+A+zWd0dgmSxlGaiaU9YLm" in sealed(s), "it was changed")


def test_tokend_dies_over_a_set(s):
    phone = s.start(DB_TIMEOUT="10ms")
    os.kill(phone.child("tokend"), signal.SIGSTOP)
    done = give(phone, s.token())
    equal(done.returncode, 69, done.stdout)
    check("tokend ended before it answered" in done.stderr, done.stderr)


# --- what the server says -------------------------------------------------------
def test_a_revoked_token_is_not_presented_again(s):
    s.start_board(refresh_style="error")
    phone = s.start(TELEPHONE_TOKEN=s.token(ttl=20, iat=-9))
    phone.wait_log(r"plugboard has revoked the token \S+: it is set aside and not presented again")
    connects = s.counter("connects")
    s.fault("drop")
    phone.wait_log(r"there is no token: waiting for one")
    time.sleep(1.5)  # several times MAX_BACKOFF
    equal(s.counter("connects"), connects, "it was presented again")
    s.set(refresh_style="reply")
    equal(give(phone, s.token(iat=0)).returncode, 0)
    phone.wait_log(r"info worker: joined ", count=2)


def test_an_expired_token_is_tried_once(s):
    s.start_board(handshake="403")
    phone = s.start(wait=None, TELEPHONE_TOKEN=s.token(iat=-100, ttl=-50))
    phone.wait_log(r"was refused \(403\), after its life")
    phone.wait_log(r"no token is left to present")
    time.sleep(1.5)
    equal(s.counter("rejected_403"), 1, "403s")


def test_metrics(s):
    port = free_port()
    s.start_board(token_ttl=3600)
    phone = s.start(TELEPHONE_TOKEN=s.token(ttl=6, iat=0), HEALTH_CHECK_PORT=port)
    phone.wait_log(r"token refreshed: jti ")
    until(lambda: metric(port, 'telephone_token_refreshes_total{outcome="ok"}') == 1, "the refresh is counted")
    check(3000 < metric(port, "telephone_token_expires_in_seconds") <= 3600, "seconds to expiry")
    check(metric(port, "telephone_token_expiry_timestamp_seconds") > time.time() + 3000, "expiry")
    equal(metric(port, "telephone_store_rows"), phone.status()["token"]["stored"])
    equal(metric(port, 'telephone_store_errors_total{kind="full"}'), 0)
    equal(metric(port, "telephone_token_unsaved"), 0)
    os.kill(phone.child("worker"), 9)  # its successor shows the same
    phone.wait_log(r"info worker: joined ", count=2)
    until(lambda: metric(port, 'telephone_token_refreshes_total{outcome="ok"}') == 1, "counted by tokend")


# --- keys -----------------------------------------------------------------------
def test_rotation_at_start(s):
    phone = s.start()
    phone.stop()
    before = sealed(s)
    phone = s.start(SECRET_KEY_BASE=OTHER, SECRET_KEY_BASE_PREVIOUS=s.secret, TELEPHONE_TOKEN=None)
    phone.wait_log(r"audit: rotated: 1 rows of the store sealed anew, 0 unreadable")
    after = sealed(s)
    equal(len(after), len(before))
    check(not set(after) & set(before), "sealed anew")
    done = phone.ctl("token", "rotate")
    equal(done.returncode, 0)
    check("1 rows, 1 sealed anew, 0 unreadable" in done.stdout and "no longer needed" in done.stdout, done.stdout)
    phone.stop()
    phone = s.start(SECRET_KEY_BASE=OTHER, TELEPHONE_TOKEN=None)  # without the old one
    done = phone.ctl("token", "rotate", "--json")
    equal((done.returncode, json.loads(done.stdout)["previous_given"]), (0, False))
    check("openssl rand -hex 32" in done.stdout, "it guides")


def test_rotation_by_reload(s):
    s.start_board()
    s.start_backend()
    env = s.env()
    old = env.pop("SECRET_KEY_BASE")
    path = f"{s.dir}/telephone.env"

    def write(text):
        with open(path, "w") as f:
            f.write(text)
        os.chmod(path, 0o644)

    write(f"SECRET_KEY_BASE={old}\n")
    phone = s.spawn(env, ["-f", path])
    phone.wait_joined()
    write(f"SECRET_KEY_BASE={OTHER}\n")
    equal(phone.ctl("reload").returncode, 78, "another key without the previous one")
    write(f"SECRET_KEY_BASE={OTHER}\nSECRET_KEY_BASE_PREVIOUS={old}\n")
    done = phone.ctl("reload")
    equal(done.returncode, 0, done.stdout)
    phone.wait_log(r"audit: rotated: 1 rows")
    equal(phone.ctl("token", "rotate").returncode, 0)
    write(f"SECRET_KEY_BASE={OTHER}\n")
    equal(phone.ctl("reload").returncode, 0)
    phone.stop()
    s.start(SECRET_KEY_BASE=OTHER, TELEPHONE_TOKEN=None)


def key_file(s, text):
    path = f"{s.dir}/jwt-key"
    with open(path, "w") as f:
        f.write(text + "\n")
    os.chmod(path, 0o600)
    if os.geteuid() == 0:
        os.chown(path, 65534, 65534)
    return path


def test_signatures(s):
    path = key_file(s, "k" * 40)
    s.start_board()
    good = [jwt(b"k" * 40, alg) for alg in ("HS256", "HS384", "HS512")]
    for token in good:
        done = tool(s, "--json", "--db", f"{s.dir}/none.db", SECRET_KEY_BASE=s.secret, TELEPHONE_TOKEN=token,
                    PLUGBOARD_JWT_SECRET_FILE=path)
        report = json.loads(done.stdout)
        equal((done.returncode, report["given_token"]["verified"]), (0, True), done.stderr)
    bad = (jwt(b"other" * 9), jwt(b"k" * 40, header={"alg": "none"}), jwt(b"k" * 40, header={"alg": "RS256"}),
           jwt(b"k" * 40, header={"alg": "HS256", "crit": ["x"]}))
    for token in bad:
        done = tool(s, "--json", "--db", f"{s.dir}/none.db", SECRET_KEY_BASE=s.secret, TELEPHONE_TOKEN=token,
                    PLUGBOARD_JWT_SECRET_FILE=path)
        equal((done.returncode, json.loads(done.stdout)["given"]), (78, "faulty"), done.stderr)
    phone = s.start(wait="ready", TELEPHONE_TOKEN=good[0], PLUGBOARD_JWT_SECRET_FILE=path)
    equal(phone.status()["token"]["verified"], True)
    equal(give(phone, jwt(b"other" * 9, jti="x")).returncode, 65)


# --- check ----------------------------------------------------------------------
def test_check(s):
    phone = s.start()
    db = f"{s.dir}/telephone.db"
    env = {"SECRET_KEY_BASE": s.secret, "TOKEN_DB_PATH": db}
    done = tool(s, "--json", **env)  # while it runs
    report = json.loads(done.stdout)
    equal((done.returncode, report["state"], report["store"]["state"], report["store"]["rows"]), (0, "valid", "ok", 1))
    equal(report["token"]["jti"], phone.status()["token"]["jti"])
    phone.stop()
    done = tool(s, **env)
    equal(done.returncode, 0, done.stdout + done.stderr)
    check("there is a usable token" in done.stdout and "not verified" in done.stdout, done.stdout)
    with open(f"{s.dir}/some.env", "w") as f:
        f.write(f"SECRET_KEY_BASE={s.secret}\nTELEPHONE_TOKEN={s.token(iat=-100, ttl=-50)}\n")
    os.chmod(f"{s.dir}/some.env", 0o644)
    done = tool(s, "--env", f"{s.dir}/some.env", "--db", f"{s.dir}/none.db", "--json")
    report = json.loads(done.stdout)
    equal((done.returncode, report["state"], report["store"]["state"]), (1, "expired", "absent"))
    check(any("check the clock" in a for a in report["advice"]), report["advice"])
    check(not os.path.exists(f"{s.dir}/none.db"), "it made a store")
    equal(tool(s, "--db", db).returncode, 78, "without a secret")
    equal(tool(s, "--what").returncode, 64)


def test_check_concludes_nothing_from_half_a_configuration(s):
    """A file that is not read may hold the key; and another store is not the one to move."""
    s.start().stop()
    db = f"{s.dir}/telephone.db"
    before = sealed(s)
    for fault in ({"args": ("--env", f"{s.dir}/none.env")}, {"args": ("--env", s.dir)}, {"env": {"MAX_INFLIGHT": "many"}}):
        done = tool(s, *fault.get("args", ()), "--move-aside", "--db", db, SECRET_KEY_BASE=OTHER, **fault.get("env", {}))
        equal((done.returncode, done.stdout), (78, ""), fault)
        check("nothing was looked at: correct the configuration first" in done.stderr, done.stderr)
        check("SECRET_KEY_BASE" not in done.stderr, done.stderr)
    equal(sealed(s), before, "it was moved")


def test_check_moves_aside_only_what_cannot_be_read(s):
    phone = s.start()
    db = f"{s.dir}/telephone.db"
    busy = tool(s, "--move-aside", SECRET_KEY_BASE=OTHER, TOKEN_DB_PATH=db)
    check(busy.returncode == 78 and os.path.exists(db), "moved under a running telephone")
    check("is in use" in busy.stderr, busy.stderr)
    phone.stop()
    equal(tool(s, "--move-aside", SECRET_KEY_BASE=s.secret, TOKEN_DB_PATH=db).returncode, 0)
    check(os.path.exists(db), "a good one was moved")
    equal(tool(s, SECRET_KEY_BASE=OTHER, TOKEN_DB_PATH=db).returncode, 78)
    check(os.path.exists(db), "moved without being told")
    done = tool(s, "--move-aside", "--json", SECRET_KEY_BASE=OTHER, TOKEN_DB_PATH=db)
    moved = json.loads(done.stdout)["store"]["moved_to"]
    check(not os.path.exists(db) and os.path.exists(moved), done.stdout)
    s.start(SECRET_KEY_BASE=OTHER)
    with open(db + ".other", "wb") as f:
        f.write(b"x" * 5000)
    if os.geteuid() == 0:
        os.chown(db + ".other", 65534, 65534)
    done = tool(s, "--db", db + ".other", SECRET_KEY_BASE=s.secret)
    equal(done.returncode, 78, done.stderr)
    check("is damaged" in done.stderr and "--move-aside" in done.stdout, done.stderr + done.stdout)


def test_a_new_tokend_is_asked_when_it_knows(s):
    """However soon a worker asks, it is not told that there is no token."""
    phone = s.start()
    for n in range(1, 9):
        os.kill(phone.child("tokend"), signal.SIGKILL)
        phone.wait_log(r"tokend: token: valid", count=n + 1, seconds=30)
    os.kill(phone.child("worker"), signal.SIGKILL)
    phone.wait_log(r"info worker: joined ", count=2, seconds=30)
    check(not phone.has_log("there is no token"), "the token was there all the time")
