# SPDX-License-Identifier: MIT
"""Refreshes by the thousand, with tokend and workers killed at random: what tokend has told is in the store."""
import os, random, shutil, sqlite3, tempfile, time

from harness import NOBODY, check, equal
from tokendkit import Tokend, made


def refresh_and_kill(s, refreshes, seconds, kill_every):
    """A worker hands in new tokens one by one. Each that tokend makes known is kept, whatever happens then; one that was
    handed in and not made known may be."""
    seed = int(os.environ.get("SEED", time.time()))
    folder = tempfile.mkdtemp(prefix="telephone-soak-", dir="/dev/shm")  # where an fsync costs nothing
    if os.geteuid() == 0:
        os.chown(folder, NOBODY, NOBODY)
    try:
        return refresh_in(s, f"{folder}/t.db", seed, refreshes, seconds, kill_every)
    finally:
        shutil.rmtree(folder)


def refresh_in(s, db, seed, refreshes, seconds, kill_every):
    chance, begin = random.Random(seed), time.monotonic()
    tokend = Tokend(s, db=db, TOKEN_REFRESH_INTERVAL="1ms")
    done = kills = losses = 0
    killed = []
    iat = int(time.time()) - 1000
    known = handed = None
    while done < refreshes and time.monotonic() - begin < seconds:
        n = done + 1
        good_until = time.monotonic() + 3
        handed = made(iat, time.time() + 4, f"t{n}")
        iat += n % 200 == 0
        fate = chance.randrange(kill_every)
        tokend.is_asked(0.2)  # it is due at once; or the worker before was asked, and had no time to say so
        tokend.put(handed, tokend.worker.asked or 0)
        if fate == 0:  # tokend, at some moment of the save
            time.sleep(chance.random() * 0.002)
            tokend.kill()
            kills += 1
            killed.append(time.monotonic())
            tokend.start()
        elif fate == 1:  # the worker, before it has heard
            tokend.connect()
            tokend.greet()
            losses += 1
        else:
            name, _, payload = tokend.worker.wait("TOKEN")
            known = f"t{n}"
        state, jti = tokend.offered()
        check(jti in (known, f"t{n}"), f"SEED={seed}: after {done} refreshes {jti} is offered, {known} was known")
        if time.monotonic() < good_until:  # a busy machine may be slower than its life
            equal(state, "VALID", f"SEED={seed}")
        done, known = done + 1, jti
    rows = rows_of(tokend)
    tokend.stop()
    took = time.monotonic() - begin
    print(f"     SEED={seed}: {done} refreshes, {kills} kills of tokend, {losses} of the worker, {rows} rows, {took:.0f} s",
          flush=True)
    # Eight of each life of tokend's, until they expire.
    lives = 1 + sum(at > time.monotonic() - 6 for at in killed)
    check(rows <= 9 * lives + 4, f"{rows} rows of {lives} lives: earlier ones are not removed")
    check("malformed" not in tokend.log() and "is damaged" not in tokend.log(), tokend.log()[-2000:])
    return done


def rows_of(tokend):
    db = sqlite3.connect(f"file:{tokend.conf['TOKEN_DB_PATH']}?mode=ro", uri=True)
    try:
        equal(db.execute("PRAGMA integrity_check").fetchone(), ("ok",))
        return db.execute("SELECT count(*) FROM tokens").fetchone()[0]
    finally:
        db.close()


def test_refreshes_and_kills(s):
    check(refresh_and_kill(s, 1500, 60, 30) > 50, "too slow for anything")


def test_100000_refreshes(s):
    """SOAK_SECONDS (600) bounds it; what was reached is printed."""
    refresh_and_kill(s, 100000, int(os.environ.get("SOAK_SECONDS", "600")), 400)


test_100000_refreshes.soak = True
