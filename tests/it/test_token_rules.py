# SPDX-License-Identifier: MIT
"""The rules of docs/tokens.md, one by one, on a tokend of one's own (tokendkit.py)."""
import json, re, sqlite3, time

import gostore
from harness import check, equal, until
from test_token_ctl import jwt
from tokendkit import Tokend, made


def fresh(jti, iat=-10, ttl=3600, path_id="demo"):
    now = int(time.time())
    return made(now + iat, now + iat + ttl, jti, path_id)


def due(tokend, seconds=30):
    """The id of the next REFRESH_DUE."""
    got = tokend.worker.wait("REFRESH_DUE", seconds=seconds)
    check(got is not None, "tokend is gone")
    return got[1]


def news(tokend):
    check(tokend.worker.wait("TOKEN") is not None, "tokend is gone")


def stored(tokend, s):
    db = sqlite3.connect(f"file:{tokend.conf['TOKEN_DB_PATH']}?mode=ro", uri=True)
    try:
        return [gostore.unseal(s.secret, text) for text, in db.execute("SELECT encrypted_token FROM tokens ORDER BY id")]
    finally:
        db.close()


# --- the choice -----------------------------------------------------------------
def test_a_fresh_token_of_the_operator_beats_a_stale_stored_one(s):
    Tokend(s, token=fresh("stored", iat=-1000)).stop()
    tokend = Tokend(s, token=fresh("given", iat=-10))
    equal(tokend.offered(), ("VALID", "given"))
    tokend.stop()
    tokend = Tokend(s, token=fresh("stale", iat=-2000, ttl=9000))  # and the other way round
    equal(tokend.offered(), ("VALID", "given"))
    tokend.stop()


def test_an_expired_one_never_beats_a_valid_one(s):
    Tokend(s, token=fresh("valid", iat=-1000)).stop()
    tokend = Tokend(s, token=fresh("expired", iat=-500, ttl=100))
    equal(tokend.offered(), ("VALID", "valid"))
    tokend.refused("valid")
    equal(tokend.offered(), ("EXPIRED", "expired"))
    tokend.refused("expired")
    equal(tokend.offered(), ("REFUSED_ALL", "valid"), "once")
    tokend.stop()


def test_expired_alone_is_tried_once(s):
    tokend = Tokend(s, token=fresh("expired", iat=-500, ttl=100))
    equal(tokend.offered(), ("EXPIRED", "expired"))
    tokend.refused("expired")
    equal(tokend.offered()[0], "NONE")
    check("no token is left to present" in tokend.log(), tokend.log())
    tokend.stop()


def test_the_refused_have_their_turn(s):
    Tokend(s, token=fresh("a", iat=-1000)).stop()
    tokend = Tokend(s, token=fresh("b", iat=-10))
    seen = []
    for _ in range(6):
        seen.append(tokend.offered())
        tokend.refused(seen[-1][1])
    equal(seen, [("VALID", "b"), ("VALID", "a"), *[("REFUSED_ALL", "b"), ("REFUSED_ALL", "a")] * 2])
    equal(tokend.log().count("audit: refused"), 2, "each is said once")
    check("plugboard refused the token b (403): trying the next one" in tokend.log(), tokend.log())
    tokend.refused("nobody's")  # one that is not current changes nothing
    equal(tokend.offered()[0], "REFUSED_ALL")
    tokend.stop()


def test_the_future_is_warned_about_and_locks_nobody_out(s):
    tokend = Tokend(s, token=fresh("ahead", iat=1000, ttl=100))
    equal(tokend.offered(), ("VALID", "ahead"))
    found = re.search(r"the token ahead was issued (\d+) s in the future: this clock is behind", tokend.log())
    check(found and 900 <= int(found[1]) <= 1000, tokend.log())
    tokend.stop()


def test_another_path_is_a_warning(s):
    Tokend(s, token=fresh("a", iat=-1000, path_id="old")).stop()
    tokend = Tokend(s, token=fresh("b", path_id="new"))
    equal(tokend.offered(), ("VALID", "b"))
    check("is for path_id new, but another one (from store) is for old" in tokend.log(), tokend.log())
    tokend.stop()


# --- refreshing -----------------------------------------------------------------
def test_stored_before_it_is_used(s):
    tokend = Tokend(s, token=fresh("a", iat=-5000, ttl=9000), TOKEN_REFRESH_INTERVAL="1ms")
    for n in range(10):
        new = fresh(f"r{n}", iat=n - 4990, ttl=9000)
        tokend.refresh(new)
        check(new in stored(tokend, s), "it is used, but not stored")
    tokend.stop()


def test_failures_state_the_time_left_louder_and_louder(s):
    tokend = Tokend(s, token=fresh("a", iat=-60, ttl=100))
    tokend.put("", due(tokend), "TIMEOUT")
    found = until(lambda: re.search(r"warn tokend: token refresh failed \(timeout\), (\d+) s of its life are left", tokend.log()),
                  "a warning")
    check(20 <= int(found[1]) <= 40, found[0])
    tokend.stop()
    tokend = Tokend(s, db=f"{s.dir}/2.db", token=fresh("b", iat=-93, ttl=100))
    for n in range(1, 3):  # it is asked again: after a quarter of what is left at most
        tokend.put("", due(tokend), "REFUSED")
        found = until(lambda: re.search(rf"error tokend: token refresh failed {n} times \(\w+\): (-?\d+) s of its life are "
                                        r"left; a new one \(telephonectl token set\) would help", tokend.log()), "an error")
        check(int(found[1]) <= 7, found[0])
    tokend.stop()
    tokend = Tokend(s, db=f"{s.dir}/3.db", token=fresh("c", iat=-200, ttl=100))
    tokend.put("", due(tokend), "REFUSED")
    found = until(lambda: re.search(r"error tokend: token refresh failed 1 times \(\w+\): the token expired (\d+) s ago; give a "
                                    r"new one \(telephonectl token set\)", tokend.log()), "no life is left")
    check(int(found[1]) >= 100, found[0])
    tokend.stop()


def test_one_at_a_time_and_again_on_another(s):
    tokend = Tokend(s, token=fresh("a", iat=-60, ttl=100))
    first = due(tokend)
    time.sleep(1)
    tokend.connect()  # the worker that was asked is gone
    tokend.greet()
    second = due(tokend)
    check(second not in (0, first), "it is asked again, and told apart")
    check("token refresh failed (tunnel lost" in tokend.log() or "token refresh failed (" in tokend.log(), tokend.log())
    tokend.put(fresh("b", iat=0), first)  # a late answer to the first question is good all the same
    news(tokend)
    equal(tokend.offered(), ("VALID", "b"))
    tokend.stop()


def test_what_the_one_before_asked_for_is_no_answer(s):
    """Each has put the one before out of use: both are taken, and the second is the one to present."""
    tokend = Tokend(s, token=fresh("a", iat=-60, ttl=100))
    asked = due(tokend)
    tokend.put(fresh("b", iat=-1))  # a worker has kept it while there was no tokend
    news(tokend)
    equal(tokend.offered(), ("VALID", "b"))
    tokend.put(fresh("c", iat=0), asked)
    news(tokend)
    equal(tokend.offered(), ("VALID", "c"))
    tokend.put(fresh("d", iat=0))
    equal(tokend.offered(), ("VALID", "c"), "nobody asked for that one")
    tokend.stop()


def test_the_new_one_is_judged(s):
    for bad, words in ((fresh("x", path_id="other"), "it is for another path_id"), ("junk", "three parts"),
                       (made(2000, 1000, "x"), "it expires before it was issued")):
        tokend = Tokend(s, token=fresh("a", iat=-100))
        tokend.put(bad)
        until(lambda: f"new token is not usable: {words}" in tokend.log() or words in tokend.log(), words)
        equal(tokend.offered(), ("VALID", "a"))
        tokend.stop()
    # It would expire earlier: in reserve, for when the server refuses the other.
    tokend = Tokend(s)
    tokend.put(fresh("shorter", iat=0, ttl=600))
    news(tokend)
    equal(tokend.offered(), ("VALID", "a"))
    check(re.search(r"the refreshed token expires \d+ s before the one it should replace", tokend.log()), tokend.log())
    tokend.refused("a")
    equal(tokend.offered(), ("VALID", "shorter"))
    tokend.stop()


def test_failures_are_those_of_one_token(s):
    """One that the operator sets has its own half-life."""
    tokend = Tokend(s, token=fresh("a", iat=-60, ttl=100))
    tokend.put("", due(tokend), "REVOKED")
    tokend.set(fresh("b", iat=0))
    check(not tokend.is_asked(8), "it is asked for a refresh as if it had failed")
    tokend.stop()


def test_an_earlier_one_is_read_again(s):
    """It has left the memory, not the store."""
    tokend = Tokend(s, token=fresh("a"))
    tokend.put(fresh("b", iat=0))
    news(tokend)
    tokend.refused("b")
    equal(tokend.offered(), ("VALID", "a"))
    check("1 earlier tokens of the store are tried again" in tokend.log(), tokend.log())
    tokend.stop()


def test_revoked_is_not_presented_again(s):
    tokend = Tokend(s, token=fresh("a", iat=-60, ttl=100))
    tokend.put("", due(tokend), "REVOKED")
    news(tokend)
    equal(tokend.offered()[0], "NONE")
    check("plugboard has revoked the token a: it is set aside and not presented again" in tokend.log(), tokend.log())
    tokend.put(fresh("b", iat=0))
    news(tokend)
    equal(tokend.offered(), ("VALID", "b"))
    tokend.refused("b")
    equal(tokend.offered(), ("REFUSED_ALL", "b"), "it came back from the store")
    tokend.stop()


def test_the_interval(s):
    tokend = Tokend(s, token=fresh("a", iat=0), TOKEN_REFRESH_INTERVAL="1s")
    begin = time.monotonic()
    check(due(tokend) != 0 and time.monotonic() - begin < 20, "an hour's half-life is awaited")
    tokend.stop()


def test_few_rows_stay(s):
    tokend = Tokend(s, token=fresh("a", iat=-5000, ttl=9000), TOKEN_REFRESH_INTERVAL="1ms")
    for n in range(40):
        last = fresh(f"r{n}", iat=n - 4990, ttl=9000)
        tokend.refresh(last)
    rows = stored(tokend, s)
    check(len(rows) <= 10 and rows[-1] == last, len(rows))
    tokend.stop()


def test_the_deadline_of_a_refresh(s):
    """Its own, a minute, for a worker that never answers."""
    tokend = Tokend(s, token=fresh("a", iat=-600, ttl=1200))
    first, begin = due(tokend), time.monotonic()
    second = due(tokend, seconds=200)
    check(second != first and 50 < time.monotonic() - begin < 150, time.monotonic() - begin)
    check("token refresh failed (timeout)" in tokend.log(), tokend.log())
    tokend.stop()


test_the_deadline_of_a_refresh.soak = True


# --- clocks ---------------------------------------------------------------------
def test_a_clock_that_is_ahead_asks_no_more_often(s):
    """By its word each token has expired when it comes."""
    tokend = Tokend(s, token=fresh("a", iat=-7200))
    tokend.refresh(fresh("b", iat=-7200))
    check(not tokend.is_asked(3), "what came just now is to be refreshed at once")
    equal(tokend.offered(), ("EXPIRED", "b"))
    found = re.search(r"the token b was issued (\d+) s before it came: this clock is ahead", tokend.log())
    check(found and 7200 <= int(found[1]) < 7300, tokend.log())
    tokend.stop()


def test_a_clock_that_is_behind_is_never_too_late(s):
    """How much of its life is over is not known, so it is refreshed at once, and what comes at half of its life."""
    tokend = Tokend(s, token=fresh("a", iat=7200))
    tokend.refresh(fresh("b", iat=7200, ttl=6))
    begin = time.monotonic()
    check(tokend.is_asked(30), "it would have expired")
    check(time.monotonic() - begin > 1, "not before")
    tokend.stop()


# --- the audit log --------------------------------------------------------------
def test_audit(s):
    """Its own category, whatever the level; never the token."""
    tokend = Tokend(s, token=fresh("a"), LOG_LEVEL="error", LOG_FORMAT="json")
    tokend.put(fresh("b", iat=0))
    news(tokend)
    tokend.refused("b")
    tokend.offered()
    tokend.set(fresh("c", iat=0))
    tokend.set("junk")
    tokend.rotate()
    tokend.stop()
    again = Tokend(s, previous=s.secret, secret="7c" * 32, LOG_LEVEL="error", LOG_FORMAT="json")
    again.stop()
    wrong = Tokend(s, LOG_LEVEL="error", LOG_FORMAT="json")
    equal(wrong.code, 78)
    wrong.end()
    lines = [json.loads(line) for line in wrong.log().splitlines() if line.startswith("{")]
    audit = [line for line in lines if line.get("category") == "audit"]
    equal([a["event"] for a in audit][:4], ["loaded", "refreshed", "refused", "set"])
    equal({a["event"] for a in audit}, {"loaded", "refreshed", "refused", "set", "rotated", "unreadable"})
    for word in (fresh("a").split(".")[1][:60], s.secret):
        check(word not in wrong.log(), "the log holds a secret")


# --- signatures -----------------------------------------------------------------
def test_unsigned_is_said(s):
    tokend = Tokend(s, token=jwt(b"x" * 40))
    check("signature not verified" in tokend.log(), tokend.log())
    tokend.stop()
