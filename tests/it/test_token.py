# SPDX-License-Identifier: MIT
"""Tokens: kept, refreshed, refused, missing."""
import base64, json, os, re, sqlite3, stat, sys, threading, time

from harness import check, equal, free_port, request, until
from test_token_ctl import give

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "hostile"))
from rawboard import RawBoard, upgraded


def rows(s, sql):
    db = sqlite3.connect(f"file:{s.dir}/telephone.db?mode=ro", uri=True)
    try:
        return db.execute(sql).fetchall()
    finally:
        db.close()


def refresh_and_restart(s, style):
    s.start_board(refresh_style=style, token_ttl=3600)
    phone = s.start(TELEPHONE_TOKEN=s.token(ttl=6, iat=0))
    phone.wait_log(r"token refreshed: jti ")
    old = re.search(r"token: valid, from given, path_id demo, jti (\S+),", phone.log()).group(1)
    status = until(lambda: (t := phone.status()["token"])["jti"] != old and t, "a new token")
    equal((status["source"], status["refreshes"]), ("refresh", 1))
    equal(s.counter("connects"), 1, "no reconnect")
    phone.stop()
    # From the store alone: no token is given, and the old one is dead.
    again = s.start(TELEPHONE_TOKEN=None)
    equal(again.status()["token"]["source"], "store")
    equal(again.status()["token"]["jti"], status["jti"], "the refreshed one")
    equal(s.call("GET", "/bytes/3").status, 200)


def test_refresh_by_reply(s):
    refresh_and_restart(s, "reply")


def test_refresh_by_push(s):
    refresh_and_restart(s, "push")


def test_refreshed_token_is_used_for_the_next_handshake(s):
    s.start_board(token_ttl=3600)
    phone = s.start(TELEPHONE_TOKEN=s.token(ttl=6, iat=0))
    phone.wait_log(r"token refreshed: jti ")
    s.fault("drop")
    phone.wait_log(r"info worker: joined ", count=2)
    equal(s.counter("rejected_403"), 0, "403s")


def test_revoked(s):
    s.start_board(refresh_style="error")  # :token_revoked
    phone = s.start(TELEPHONE_TOKEN=s.token(ttl=20, iat=-9))
    phone.wait_log(r"plugboard has revoked the token ")
    equal(phone.status()["token"]["state"], "refused")
    equal(phone.status()["token"]["refresh_in_ms"], -1, "a refresh is planned")


def test_refused_for_a_while(s):
    """A Plugboard that says 403 and then thinks better of it."""
    s.start_board(handshake="403", token_ttl=3600)
    phone = s.start(wait=None, TELEPHONE_TOKEN=s.token(ttl=12, iat=0))
    phone.wait_log(r"plugboard refused the token ")
    s.set(handshake="ok")
    phone.wait_joined()
    phone.wait_log(r"token refreshed: jti ")
    equal(phone.status()["token"]["state"], "valid")


def test_lost_refresh_reply(s):
    s.start_board(refresh_style="silent")
    phone = s.start(TELEPHONE_TOKEN=s.token(ttl=20, iat=-9), CONNECT_TIMEOUT="500ms")
    phone.wait_log(r"token refresh failed.*timeout")
    s.set(refresh_style="reply")
    phone.wait_log(r"token refreshed: jti ", seconds=40)


def test_store_form(s):
    phone = s.start()
    phone.stop()
    equal(stat.S_IMODE(os.stat(f"{s.dir}/telephone.db").st_mode), 0o600)
    equal(rows(s, "PRAGMA journal_mode"), [("wal",)])
    schema = dict(rows(s, "SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%'"))
    equal(sorted(schema), ["idx_tokens_expires_at", "idx_tokens_updated_at", "tokens"])
    equal(" ".join(schema["tokens"].split()),
          "CREATE TABLE tokens (id INTEGER PRIMARY KEY AUTOINCREMENT, encrypted_token TEXT NOT NULL, expires_at "
          "DATETIME NOT NULL, updated_at DATETIME NOT NULL, created_at DATETIME DEFAULT CURRENT_TIMESTAMP)")
    (sealed, expires, updated), = rows(s, "SELECT encrypted_token, expires_at, updated_at FROM tokens")
    check(re.fullmatch(r"[A-Za-z0-9+/]+=*", sealed), "base64")
    check(re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\+00:00", expires), expires)
    check(re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d{1,9})?\+00:00", updated), updated)


def test_wrong_secret(s):
    phone = s.start()
    phone.stop()
    path = f"{s.dir}/telephone.db"
    with open(path, "rb") as f:
        before = f.read()
    for token in (None, s.token()):
        other = s.start(wait=None, SECRET_KEY_BASE="ab" * 32, TELEPHONE_TOKEN=token)
        other.wait_exit(78)
        check(other.has_log(r"nothing in the store can be read with this SECRET_KEY_BASE"), "it says so")
    with open(path, "rb") as f:
        check(f.read() == before, "the store was changed")
    s.start(TELEPHONE_TOKEN=None).stop()


def test_bad_secret(s):
    s.start_board()
    for secret, words in ((None, "SECRET_KEY_BASE is missing"), ("abc", "not 64 hex digits"), ("g" * 64, "not 64 hex")):
        phone = s.start(wait=None, SECRET_KEY_BASE=secret)
        phone.wait_exit(78)
        check(phone.has_log(words), words)


def test_bad_token(s):
    s.start_board()
    good = s.token()
    for token, words in (("garbage", "three parts"), (good + ".x", "three parts"), ("!" + good, "base64url")):
        phone = s.start(wait=None, TELEPHONE_TOKEN=token)
        phone.wait_exit(78)
        check(phone.has_log(rf"TELEPHONE_TOKEN is no token: .*{words}"), words)


def test_no_token(s):
    from harness import free_port, request
    port = free_port()
    phone = s.start(wait="ready", TELEPHONE_TOKEN=None, HEALTH_CHECK_PORT=port)
    phone.wait_log(r"no token was given and none is stored")
    until(lambda: phone.has_log("there is no token"), "the worker says so, too")
    equal(request(port, "GET", "/livez").status, 200)
    ready = request(port, "GET", "/readyz")
    equal((ready.status, ready.body), (503, b"no_token\n"))
    status = phone.status()
    equal((status["token"]["state"], status["worker"]["tunnel"]), ("none", "no_token"))
    check("awaited" in phone.ctl("status").stdout, "status says that a token is awaited")


def test_token_by_reload(s):
    s.start_board()
    env_file = f"{s.dir}/telephone.env"
    env = s.env(TELEPHONE_TOKEN=None)
    s.start_backend()
    env["BACKEND_PORT"] = str(s.backend.ports["http"])
    with open(env_file, "w") as f:
        f.write("# no token yet\n")
    os.chmod(env_file, 0o644)
    phone = s.spawn(env, ["-f", env_file])
    phone.wait_log(r"no token was given")
    until(lambda: phone.has_log("there is no token"), "the worker asked")
    with open(env_file, "w") as f:
        f.write(f"TELEPHONE_TOKEN='{s.token()}'\n")
    done = phone.ctl("reload")
    equal(done.returncode, 0, done.stdout + done.stderr)
    phone.wait_joined()


def test_superseded_and_refused_tokens(s):
    phone = s.start()
    jti = phone.status()["token"]["jti"]
    phone.stop()
    s.admin("revoke", jti=jti)
    again = s.start(wait=None, TELEPHONE_TOKEN=s.token(iat=-5000, ttl=9000))
    again.wait_log(rf"plugboard refused the token {jti} \(403\): trying the next one")
    again.wait_joined()


def presented(s):
    """The jti of each handshake, in their order."""
    log = [json.loads(x) for x in s.admin("log?since=0").splitlines()]
    return [re.search(r"token=([^&\s]+)", e["text"]).group(1) for e in log if e["what"] == "handshake"]


def test_a_mismatch_is_the_end_of_its_token(s):
    """It is presented no more; the next one is, and both are named."""
    s.start_board()
    first, second = "j-first", "j-second"
    s.start(TELEPHONE_TOKEN=s.token(jti=second)).stop()
    s.set(join="mismatch")
    begin = len(presented(s))
    phone = s.start(wait=None, TELEPHONE_TOKEN=s.token(jti=first, iat=-1), MAX_BACKOFF="60s")
    phone.wait_log(rf"plugboard refused the token {first} .*trying the next one")
    phone.wait_log(rf"plugboard refused the token {second} ")
    equal(presented(s)[begin:begin + 2], [first, second], "presented")
    phone.wait_log("plugboard refused every token")
    equal(phone.status()["ready"], False)
    s.set(join="ok")
    equal(give(phone, s.token(jti="j-third", iat=0)).returncode, 0)
    phone.wait_joined()
    equal(presented(s)[-1], "j-third", "the new one")


def test_a_superseded_token_is_replaced_and_not_refused(s):
    """While it is being presented a newer one arrives; the server's 403 is for
    the old one and says nothing of the new, nor counts as a refusal."""
    port, asked, answer = free_port(), [], threading.Event()

    def greet(sock, handshake):
        asked.append(jti_of(handshake))
        if len(asked) == 1:
            answer.wait(30)
            sock.sendall(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n")
            raise EOFError
        sock.sendall(upgraded(handshake))
    s.board = RawBoard(greet)
    phone = s.spawn(s.env(TELEPHONE_TOKEN=unsigned("j-old", -100), HEALTH_CHECK_PORT=port, CONNECT_TIMEOUT="30s"))
    until(lambda: asked, "the old one is presented")
    equal(give(phone, unsigned("j-new", -5)).returncode, 0)
    answer.set()
    phone.wait_joined()
    equal(asked, ["j-old", "j-new"], "presented")
    check(not phone.has_log("plugboard refused"), "nothing is said to be refused")
    check("\ntelephone_tokens_refused_total 0\n" in request(port, "GET", "/metrics").body.decode(), "or counted")
    token = phone.status()["token"]
    equal((token["state"], token["jti"]), ("valid", "j-new"))


def unsigned(jti, iat):
    """A token that nobody signed, for a server that asks for none."""
    def part(value):
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()
    now = int(time.time())
    return ".".join((part({"alg": "HS256", "typ": "JWT"}), part(
        {"sub": "demo", "jti": jti, "iat": now + iat, "exp": now + 3600, "path_id": "demo"}), "c2ln"))


def jti_of(handshake):
    token = re.search(rb"token=([^&\s]+)", handshake).group(1).split(b".")[1]
    return json.loads(base64.urlsafe_b64decode(token + b"=="))["jti"]


def test_second_telephone_on_one_store(s):
    s.start()
    other = s.start(wait=None, CONTROL_SOCKET=f"{s.dir}/other.sock")
    other.wait_exit(69)
    check(other.has_log(r"in use by another telephone"), "it says so")


def test_only_a_joined_tunnel_refreshes(s):
    """Long past half of its life and with Plugboard ill, a token waits for the join."""
    s.start_board(handshake="503", token_ttl=3600)
    phone = s.start(wait="ready", TELEPHONE_TOKEN=s.token(ttl=60, iat=-45))
    phone.wait_log(r"ended: http status 503", count=4)
    check(not phone.has_log("token refresh failed") and not phone.has_log("token refreshed"), "it was asked for")
    s.set(handshake="ok")
    phone.wait_joined()
    phone.wait_log(r"token refreshed: jti ")
