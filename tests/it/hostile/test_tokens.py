# SPDX-License-Identifier: MIT
"""A worker in an attacker's hands against the token: what it says of tokens,
and what it brings, may cost its own time and no more."""
import base64, json, os, signal, sqlite3, struct, time

from harness import check, equal, until
from hostile.test_children import order, start, types
from test_token_ctl import give, jwt
from tokendkit import Tokend, made



def send(name, payload, number=0):
    return f"send peer {types()[name]} {number} {payload.hex()}"


def refused(jti):
    return send("TOKEN_REFUSED", struct.pack("<HI", 403, len(jti)) + jti.encode())


def put(outcome, number, token=""):
    """Outcomes are those of enum proto_refresh: 0 ok, 1 refused, 2 revoked."""
    return send("TOKEN_PUT", struct.pack("<BI", outcome, len(token)) + token.encode(), number)


def carried_out(phone, name, count=1):
    phone.wait_log(rf"attack: {name} = \d+", count=count)


def rows(s):
    db = sqlite3.connect(f"file:{s.dir}/telephone.db?mode=ro", uri=True)
    try:
        return db.execute("SELECT count(*) FROM tokens").fetchone()[0]
    finally:
        db.close()


def next_worker(phone):
    old = phone.child("worker")
    os.kill(old, signal.SIGKILL)
    until(lambda: phone.children().get("worker") not in (None, old), "a new worker", 30)


def joins_again(phone):
    joined = phone.log().count("info worker: joined ")
    next_worker(phone)
    phone.wait_log(r"info worker: joined ", count=joined + 1, seconds=60)


ASKED_SOON = {"TOKEN_REFRESH_INTERVAL": "5s", "CONNECT_TIMEOUT": "50s"}


def asked(s, phone):
    """For a refresh, and the answer is the attacker's."""
    s.set(refresh_style="silent")
    until(lambda: phone.status()["token"]["refresh_in_ms"] == 0, "a refresh is due", 60)
    time.sleep(1)  # due is not yet asked: the message to the worker is on its way


def is_real(phone, jti):
    """That one is in use, or what it was refreshed to: false ones say that the clock is wrong, so that is soon."""
    token = phone.status()["token"]
    return token["jti"] == jti or token["source"] == "refresh"


def starts_again(s, phone):
    """From the store alone."""
    phone.stop()
    return s.start(TELEPHONE_TOKEN=None)


def test_a_flood_of_forged_tokens(s):
    """They neither drive the stored one out nor fill the disk."""
    phone = start(s, "worker", ["puts 200 0"])
    jti = phone.status()["token"]["jti"]
    order(phone.child("worker"), 0)
    carried_out(phone, "puts")
    until(lambda: phone.status()["token"]["jti"] != jti, "one of them is believed")
    check(rows(s) <= 3, f"{rows(s)} rows")
    joins_again(phone)
    equal(phone.status()["token"]["jti"], jti, "the real one, after the worker")
    again = starts_again(s, phone)
    check(is_real(again, jti), "the real one, after all of them")


def test_a_false_revocation(s):
    """Of the token that is to be refreshed, and then a forged one: the first
    is kept, and tried by the next worker."""
    phone = start(s, "worker", [put(2, 1), "puts 1 0"], **ASKED_SOON)
    jti = phone.status()["token"]["jti"]
    asked(s, phone)
    order(phone.child("worker"), 0)
    phone.wait_log(rf"plugboard has revoked the token {jti}")
    order(phone.child("worker"), 1)
    carried_out(phone, "puts")
    until(lambda: phone.status()["token"]["jti"] != jti, "the forged one is believed")
    s.set(refresh_style="reply")
    joins_again(phone)
    until(lambda: phone.status()["token"]["refreshes"] == 2, "the real one is refreshed", 60)
    starts_again(s, phone)


def test_a_revocation_of_all(s):
    """Nothing is left to present while that worker lives; then all is."""
    phone = start(s, "worker", [put(2, 1)], **ASKED_SOON)
    asked(s, phone)
    order(phone.child("worker"), 0)
    phone.wait_log(r"plugboard has revoked the token ")
    joins_again(phone)
    equal(phone.status()["token"]["state"], "valid")


def test_a_false_refusal(s):
    phone = start(s, "worker", ["hold"])
    jti = phone.status()["token"]["jti"]
    with open(f"{s.bin}/attacks", "w") as f:
        f.write(refused(jti) + "\n")
    joins_again(phone)  # it has read the orders
    order(phone.child("worker"), 0)
    until(lambda: phone.status()["token"]["state"] == "refused", "it is believed")
    joins_again(phone)
    equal(phone.status()["token"]["state"], "valid", "after the worker")


def test_each_stored_token_has_its_turn(s):
    """However many stand before it and behind."""
    phone = s.start()
    first = phone.status()["token"]["jti"]
    real = s.token(iat=-5)
    for i in range(60):
        equal(give(phone, jwt(iat=5 + i, jti=f"false-{i}")).returncode, 0)
        if i == 30:
            equal(give(phone, real).returncode, 1, "it stands behind them")
    real_jti = json.loads(base64.urlsafe_b64decode(real.split(".")[1] + "=="))["jti"]
    phone.stop()
    s.admin("revoke", jti=first)
    again = s.start(TELEPHONE_TOKEN=None)
    check(is_real(again, real_jti), "the real one")


# --- a tokend alone -----------------------------------------------------------
def made_at(iat, exp, jti):
    now = time.time()
    return made(now + iat, now + exp, jti)


def stored(tokend):
    db = sqlite3.connect(f"file:{tokend.conf['TOKEN_DB_PATH']}?mode=ro", uri=True)
    try:
        return db.execute("SELECT count(*) FROM tokens").fetchone()[0]
    finally:
        db.close()


def reached(tokend, limit):
    """What an honest worker presents to a server that takes none of them."""
    tokend.connect()
    tokend.greet()
    seen = []
    while len(seen) < limit:
        seen.append(tokend.offered()[1])
        tokend.refused(seen[-1])
    return seen


def test_false_answers_to_true_questions(s):
    """Each is stored in its turn, but neither the operator's token nor the one
    that was in use before makes room."""
    tokend = Tokend(s, token=made_at(-5000, 4000, "given"), TOKEN_REFRESH_INTERVAL="1ms")
    tokend.refresh(made_at(-4990, 4010, "refreshed"))
    time.sleep(1)
    for n in range(30):
        tokend.refresh(made_at(-4980 + n, 4020 + n, f"false-{n}"))
    check(stored(tokend) <= 10, f"{stored(tokend)} rows")
    seen = reached(tokend, 15)
    check({"given", "refreshed"} <= set(seen), seen)
    tokend.stop()
    tokend.start()
    seen = reached(tokend, 15)
    check({"given", "refreshed"} <= set(seen), seen)
    tokend.stop()


def test_false_answers_that_stand_in_reserve(s):
    tokend = Tokend(s, token=made_at(-10, 3600, "given"), TOKEN_REFRESH_INTERVAL="1ms")
    tokend.put(made_at(-9, 5, "false"))
    for n in range(60):
        tokend.refresh(made_at(-9, 6, f"false-{n}"))
    check(stored(tokend) <= 30, f"{stored(tokend)} rows")
    equal(tokend.offered(), ("VALID", "given"))
    check("given" in reached(tokend, 1), "still the first")
    tokend.stop()


def test_one_token_for_one_question(s):
    """Late is fine, twice is not."""
    tokend = Tokend(s, token=made_at(-5000, 4000, "given"))
    _, asked, _ = tokend.worker.wait("REFRESH_DUE")
    tokend.put("", asked, "TIMEOUT")
    tokend.put(made_at(-10, 4010, "late"))
    tokend.worker.wait("TOKEN")
    equal(tokend.offered(), ("VALID", "late"))
    tokend.put(made_at(-9, 4020, "unasked"))
    equal(tokend.offered(), ("VALID", "late"))
    tokend.put(made_at(-8, 4030, "again"))
    equal(tokend.offered(), ("VALID", "late"))
    equal(tokend.log().count("that nobody asked it for"), 1, "lines")
    tokend.stop()


def test_what_another_worker_answers(s):
    """Who was not asked cannot say that it failed."""
    tokend = Tokend(s, token=made_at(-5000, 4000, "given"))
    _, asked, _ = tokend.worker.wait("REFRESH_DUE")
    old, tokend.worker = tokend.worker, None
    tokend.connect()
    tokend.greet()
    tokend.put("", asked, "REVOKED")
    equal(tokend.offered(), ("VALID", "given"))
    tokend.worker.close()
    tokend.worker = old
    tokend.put("", asked, "REVOKED")
    equal(tokend.offered()[0], "NONE", "it was for this one to say")
    tokend.stop()
