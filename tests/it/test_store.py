# SPDX-License-Identifier: MIT
"""tokend and its store: what others leave there, what disk and people do to it. Each fault has its exit code and its
remedy, and what cannot be read is not changed."""
import os, re, shutil, sqlite3, stat, subprocess, threading, time

import gostore
from harness import LeftOut, check, equal, until

from tokendkit import Tokend, made

OTHER = "5b" * 32


def nobody(*paths):
    if os.geteuid() == 0:
        for path in paths:
            os.chown(path, 65534, 65534, follow_symlinks=False)


def query(path, sql):
    db = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        return db.execute(sql).fetchall()
    finally:
        db.close()


def fresh(jti="now", iat=-10, ttl=3600):
    now = int(time.time())
    return made(now + iat, now + iat + ttl, jti)


def contents(path):
    if not os.path.isfile(path):
        return None
    with open(path, "rb") as f:
        return f.read()


# --- the Go Telephone's ---------------------------------------------------------
def adopt(s, **how):
    path, now = f"{s.dir}/telephone.db", time.time()
    left = how.pop("left", "closed")
    tokens = [(fresh("gone", iat=-9000, ttl=100), now - 8900), (fresh("older", iat=-500), now + 3100),
              (fresh("latest", iat=-100), now + 3500)]
    db = gostore.make(path, s.secret, tokens, **how)
    if left == "closed":
        db.close()
    else:  # as after a kill: the log beside it
        for suffix in ("", "-wal", "-shm"):
            shutil.copy(path + suffix, f"{s.dir}/copy{suffix}")
        db.close()
        for suffix in ("", "-wal", "-shm"):
            os.rename(f"{s.dir}/copy{suffix}", path + suffix)
            nobody(path + suffix)
    tokend = Tokend(s, db=path)
    equal(tokend.code, 0, tokend.log())
    equal(tokend.offered(), ("VALID", "latest"))
    equal(stat.S_IMODE(os.stat(path).st_mode), 0o600)
    equal(query(path, "PRAGMA user_version"), [(1,)])
    equal(query(path, "PRAGMA journal_mode"), [("wal",)])
    equal(query(path, "SELECT count(*) FROM tokens"), [(2,)], "the expired row is removed at start")
    equal(len(query(path, "SELECT name FROM sqlite_master WHERE name LIKE 'idx_tokens_%'")), 2)
    # What we store is what the Go Telephone would load.
    new = fresh("refreshed", iat=0)
    tokend.put(new)
    tokend.worker.wait("TOKEN")
    tokend.stop()
    if how.get("zone", 0) == 0:  # it compares times as texts
        equal(gostore.load(path, s.secret, time.time()), new)
    again = Tokend(s, db=path)
    equal(again.offered(), ("VALID", "refreshed"))
    again.stop()


def test_the_go_store_after_a_clean_end(s):
    adopt(s)


def test_the_go_store_after_a_kill(s):
    adopt(s, left="killed")


def test_the_go_store_without_indexes(s):
    adopt(s, indexes=False)


def test_the_go_store_of_another_zone(s):
    adopt(s, zone=2)


def test_the_go_store_closed_to_others(s):
    adopt(s, mode=0o600)


def test_the_go_store_with_an_odd_secret(s):
    """The Go Telephone took any text: it is the previous key here."""
    path = f"{s.dir}/telephone.db"
    gostore.make(path, "changeme", [(fresh("old"), time.time() + 3500)]).close()
    tokend = Tokend(s, db=path)
    equal(tokend.code, 78)
    tokend.end()
    tokend = Tokend(s, db=path, previous="changeme")
    equal(tokend.offered(), ("VALID", "old"))
    tokend.stop()
    check(gostore.unseal(s.secret, query(path, "SELECT encrypted_token FROM tokens")[0][0]), "it is sealed anew")


def test_an_empty_file_is_a_new_store(s):
    path = f"{s.dir}/telephone.db"
    open(path, "w").close()
    nobody(path)
    tokend = Tokend(s, db=path, token=fresh("given"))
    equal(tokend.offered(), ("VALID", "given"))
    tokend.stop()
    equal(query(path, "SELECT count(*) FROM tokens"), [(1,)])


# --- faults ---------------------------------------------------------------------
def good(s, path):
    gostore.make(path, s.secret, [(fresh("old"), time.time() + 3500)], mode=0o600).close()


def garbage(s, path):
    with open(path, "wb") as f:
        f.write(b"no database" * 500)


def torn(s, path):
    """Its first page is good, the rest is not."""
    good(s, path)
    with open(path, "r+b") as f:
        f.seek(4096)
        f.write(b"\xff" * 8192)


def foreign(s, path):
    db = sqlite3.connect(path)
    db.execute("CREATE TABLE recipes (name TEXT)")
    db.close()


def newer(s, path):
    good(s, path)
    db = sqlite3.connect(path)
    db.execute("PRAGMA user_version = 9")
    db.close()


def link(s, path):
    good(s, path + ".real")
    nobody(path + ".real")
    os.symlink(path + ".real", path)


def other_key(s, path):
    gostore.make(path, OTHER, [(fresh("old"), time.time() + 3500)], mode=0o600).close()


def of_another(s, path):
    """Readable and writable by its owner alone, who is another."""
    good(s, path)
    if os.geteuid() == 0:
        os.chown(path, 0, 0)
    else:  # as good as
        os.chmod(path, 0)


def closed_directory(s, path):
    good(s, path)
    nobody(path)
    os.chmod(os.path.dirname(path), 0o500)


FAULTS = (
    (garbage, 78, r"is damaged, or no SQLite database.*--move-aside"),
    (torn, 78, r"is damaged, or no SQLite database.*--move-aside"),
    (foreign, 78, r"is a database, but no store of telephone's"),
    (newer, 78, r"was made by a newer telephone; run that one"),
    (link, 78, r"is a symbolic link or no regular file"),
    (other_key, 78, r"nothing in the store can be read with this SECRET_KEY_BASE"),
    (of_another, 77, r"cannot be used by \w+"),
    (closed_directory, 77, r"cannot be used by \w+; TOKEN_DB_PATH must be a file in a directory"),
)


def test_each_fault_has_its_name_and_changes_nothing(s):
    for prepare, code, words in FAULTS:
        folder = f"{s.dir}/{prepare.__name__}"
        os.mkdir(folder, 0o700)
        path = f"{folder}/t.db"
        prepare(s, path)
        nobody(folder)
        if prepare not in (of_another, link):
            nobody(path)
        before = contents(path)
        for token in (None, fresh("given")):  # whether another token is given or not
            tokend = Tokend(s, db=path, token=token)
            equal(tokend.code, code, prepare.__name__ + ": " + tokend.log()[-500:])
            equal(tokend.end(), code, prepare.__name__)
        check(re.search(words, tokend.log()), (prepare.__name__, tokend.log()))
        equal(contents(path), before, prepare.__name__ + " was changed")
        os.chmod(folder, 0o700)


def test_no_directory(s):
    tokend = Tokend(s, db=f"{s.dir}/no/where/t.db")
    equal(tokend.code, 73)
    tokend.end()
    check("does not exist; run: install -d" in tokend.log(), tokend.log())


def test_owner_and_mode_are_a_warning_when_not_root(s):
    folder = f"{s.dir}/open"
    os.mkdir(folder)
    os.chmod(folder, 0o777)
    nobody(folder)
    tokend = Tokend(s, db=f"{folder}/t.db", token=fresh("given"))
    equal(tokend.offered(), ("VALID", "given"))
    tokend.stop()
    check("is open to others (mode 0777); run: chmod go-rwx" in tokend.log(), tokend.log())


def test_the_second_one_is_refused_by_name(s):
    first = Tokend(s, token=fresh("given"))
    second = Tokend(s)
    equal(second.code, 69)
    second.end()
    check(f"is in use by another telephone (pid {first.proc.pid})" in second.log(), second.log())
    equal(first.offered(), ("VALID", "given"))
    first.stop()


def test_a_lock_of_another_program(s):
    """Held for longer than DB_TIMEOUT: what is stored is used, saving is tried again until it succeeds."""
    path = f"{s.dir}/t.db"
    tokend = Tokend(s, db=path, token=fresh("given"), DB_TIMEOUT="100ms")
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("BEGIN IMMEDIATE")
    tokend.put(fresh("refreshed", iat=0))
    tokend.worker.wait("TOKEN")
    equal(tokend.offered(), ("VALID", "refreshed"), "it is used all the same")
    until(lambda: "is locked by another program for longer than DB_TIMEOUT" in tokend.log(), "its name")
    until(lambda: tokend.log().count("is not stored: a restart would need a new one") >= 2, "tried again")
    equal(db.execute("SELECT count(*) FROM tokens").fetchone(), (1,))
    db.execute("ROLLBACK")
    db.close()
    until(lambda: "the current token is stored now" in tokend.log(), "stored")
    tokend.stop()
    again = Tokend(s, db=path)
    equal(again.offered(), ("VALID", "refreshed"))
    again.stop()


def test_a_lock_keeps_tokend_waiting_once(s):
    """However much there is to be written: each statement would wait for DB_TIMEOUT, and the supervisor kills a tokend
    that is silent for a few seconds more than that."""
    path, words = f"{s.dir}/t.db", "is locked by another program for longer than DB_TIMEOUT"
    gone = [(fresh(f"gone-{i}", iat=-9000, ttl=100), time.time() - 8900) for i in range(5)]
    gostore.make(path, s.secret, [*gone, (fresh("good"), time.time() + 3500)]).close()
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("PRAGMA user_version = 1")  # nothing is to be migrated, which would have to wait, too
    count = lambda: db.execute("SELECT count(*) FROM tokens").fetchone()[0]
    db.execute("BEGIN IMMEDIATE")
    tokend = Tokend(s, db=path, previous="an old key", DB_TIMEOUT="1s")
    equal(tokend.log().count(words), 1, "waits before READY")
    equal(tokend.offered(), ("VALID", "good"))
    for do in (lambda: tokend.set(fresh("newer", iat=0)), tokend.rotate):
        before = tokend.log().count(words)
        do()
        check(tokend.log().count(words) - before <= 2, "its own wait, and one for what is tried again")  # of four
    db.execute("ROLLBACK")
    until(lambda: "the current token is stored now" in tokend.log(), "stored")
    until(lambda: count() == 2, "what is expired goes with it")
    db.close()
    tokend.stop()


def test_a_store_that_is_removed_under_it(s):
    """What is written to a file without a name is lost: it is made anew, with the token that is in use."""
    tokend = Tokend(s, token=fresh("given"))
    for suffix in ("", "-wal", "-shm"):
        os.unlink(f"{s.dir}/t.db{suffix}")
    tokend.put(fresh("refreshed", iat=0))
    tokend.worker.wait("TOKEN")
    check("was removed or replaced while it was in use" in tokend.log(), tokend.log())
    equal(query(f"{s.dir}/t.db", "SELECT count(*) FROM tokens"), [(1,)])
    tokend.stop()
    again = Tokend(s)
    equal(again.offered(), ("VALID", "refreshed"))
    again.stop()


def test_a_store_that_is_replaced_under_it(s):
    """What cannot be read is not changed; what can takes the token that is in use."""
    tokend, path = Tokend(s, secret=OTHER, db=f"{s.dir}/other.db", token=fresh("other", iat=-3000)), f"{s.dir}/t.db"
    tokend.stop()
    Tokend(s, db=f"{s.dir}/backup.db", token=fresh("backup", iat=-3000)).stop()
    tokend = Tokend(s, token=fresh("given"))
    os.rename(f"{s.dir}/other.db", path)
    before = contents(path)
    tokend.put(fresh("refreshed", iat=0))
    tokend.worker.wait("TOKEN")
    equal(tokend.offered(), ("VALID", "refreshed"), "it is used all the same")
    until(lambda: tokend.log().count("is not stored: a restart would need a new one") >= 2, "tried again")
    check("nothing in the store can be read with this SECRET_KEY_BASE" in tokend.log(), tokend.log())
    equal(tokend.rotate()[0], 69, "nothing to rotate there")
    equal(contents(path), before)
    os.rename(f"{s.dir}/backup.db", path)
    until(lambda: "the current token is stored now" in tokend.log(), "stored", 40)
    equal(query(path, "SELECT count(*) FROM tokens"), [(2,)])
    tokend.stop()
    again = Tokend(s)
    equal(again.offered(), ("VALID", "refreshed"))
    again.refused("refreshed")
    equal(again.offered(), ("VALID", "backup"))
    again.stop()


def mounted(s, options):
    """A file system of its own."""
    if os.geteuid() != 0:
        raise LeftOut("mounting needs root")
    where = f"{s.dir}/disk"
    os.mkdir(where)
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"uid=65534,gid=65534,mode=700,{options}", "none", where],
                          capture_output=True, text=True)
    if done.returncode != 0:
        raise LeftOut(f"mounting is not allowed here: {done.stderr.strip()}")
    return where


def unmount(where):
    subprocess.run(["umount", "-l", where], check=True)


def test_a_full_disk(s):
    where = mounted(s, "size=256k")
    try:
        tokend = Tokend(s, db=f"{where}/t.db", token=fresh("given", iat=-6000, ttl=9000), TOKEN_REFRESH_INTERVAL="1ms")
        equal(tokend.offered(), ("VALID", "given"))
        with open(f"{where}/ballast", "wb", buffering=0) as f:
            try:
                while f.write(b"x" * 4096):
                    pass
            except OSError:
                pass
        tokend.refresh(fresh("r", iat=-5000, ttl=9000))  # one that is to be refreshed at once
        for n in range(20):  # its log may have room left
            tokend.refresh(fresh(f"r{n}" + "x" * 200, iat=n - 4990, ttl=9000))
            if "no space is left there" in tokend.log():
                break
        check("no space is left there; make some, it is tried again" in tokend.log(), tokend.log())
        equal(tokend.offered()[1], f"r{n}" + "x" * 200, "it is used all the same")
        os.unlink(f"{where}/ballast")
        until(lambda: "the current token is stored now" in tokend.log(), "stored")
        tokend.kill()
        again = Tokend(s, db=f"{where}/t.db")
        equal(again.offered()[1], f"r{n}" + "x" * 200)
        again.stop()
        # A start on a full disk goes on with what could be read.
        with open(f"{where}/ballast", "wb", buffering=0) as f:
            try:
                while f.write(b"x" * 4096):
                    pass
            except OSError:
                pass
        again = Tokend(s, db=f"{where}/t.db")
        equal((again.code, again.offered()[1]), (0, f"r{n}" + "x" * 200), again.log())
        again.stop()
    finally:
        unmount(where)


def test_a_read_only_file_system(s):
    where = mounted(s, "size=1m")
    try:
        tokend = Tokend(s, db=f"{where}/t.db", token=fresh("given"))
        tokend.stop()
        subprocess.run(["mount", "-o", "remount,ro", where], check=True)
        tokend = Tokend(s, db=f"{where}/t.db")
        equal(tokend.code, 77, tokend.log())
        tokend.end()
        check("is read-only; remount it, or name another file in TOKEN_DB_PATH" in tokend.log(), tokend.log())
    finally:
        unmount(where)


# --- keys -----------------------------------------------------------------------
def test_killed_while_the_key_changes(s):
    """All rows by the new key or all by the old one, and the next start finishes it."""
    rows = 40
    for n in range(12):
        path = f"{s.dir}/{n}.db"
        db = gostore.make(path, OTHER, [(fresh("x" * 200 + str(i), iat=-i), time.time() + 3000) for i in range(2)], mode=0o600)
        sealed, = db.execute("SELECT encrypted_token FROM tokens LIMIT 1").fetchone()
        for i in range(rows - 2):
            db.execute("INSERT INTO tokens (encrypted_token, expires_at, updated_at) VALUES (?, 'x', 'x')", (sealed,))
        db.close()
        tokend = Tokend.__new__(Tokend)
        killer(tokend, s, path, n * 0.004)
        left = [text for text, in query(path, "SELECT encrypted_token FROM tokens")]
        equal(len(left), rows)
        anew = sum(gostore.unseal(s.secret, text) is not None for text in left[:3] + left[-3:])
        old = sum(gostore.unseal(OTHER, text) is not None for text in left[:3] + left[-3:])
        check((anew, old) in ((6, 0), (0, 6)), f"{anew} by the new key and {old} by the old one of 6")
        again = Tokend(s, db=path, previous=OTHER)
        equal(again.code, 0, again.log())
        again.stop()
        again = Tokend(s, db=path)  # the old one is no longer needed
        equal(again.offered()[0], "VALID")
        again.stop()


def killer(tokend, s, path, seconds):
    """Born with both keys, and killed so many seconds later, READY or not."""

    def strike():
        until(lambda: getattr(tokend, "proc", None), "born", every=0.001)
        time.sleep(0.05 + seconds)
        tokend.proc.kill()
    thread = threading.Thread(target=strike)
    thread.start()
    try:
        tokend.__init__(s, db=path, previous=OTHER)
    except (TypeError, OSError):
        pass  # it died on the way
    thread.join()
    tokend.end()


def test_a_file_that_may_not_grow(s):
    """A limit of the kernel's on its size is a fault like any other, not the end of tokend."""
    os.mkdir(f"{s.dir}/own")
    nobody(f"{s.dir}/own")
    tokend = Tokend(s, db=f"{s.dir}/own/t.db", token=fresh("given", iat=-100), file_limit=128 << 10)
    for n in range(40):
        tokend.set(fresh(f"r{n}", iat=n - 50))
        if "is not stored: a restart would need a new one" in tokend.log():
            break
    check("is not stored: a restart would need a new one" in tokend.log(), tokend.log())
    equal(tokend.proc.poll(), None, "it goes on")
    equal(tokend.offered(), ("VALID", f"r{n}"), "it is used all the same")
    check("holds other things" not in tokend.log(), "a directory of its own")
    tokend.stop()


def test_a_directory_that_holds_other_things(s):
    with open(f"{s.dir}/letter", "w") as f:
        f.write("mine")
    tokend = Tokend(s, token=fresh("given"))
    check(re.search(rf"the directory of TOKEN_DB_PATH \({re.escape(s.dir)}\) holds other things \(", tokend.log()), tokend.log())
    tokend.stop()
