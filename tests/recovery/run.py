#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Measures what docs/recovery.md says, and writes it there, between the marks.

usage: run.py BUILD_DIR [matrix [PATTERN] | spread [COUNT]]   (from the top of the tree)

matrix plays the rows of tests/it/test_matrix.py; spread has COUNT telephones
(200) with two tunnels each at one server, which is killed and started again
five seconds later. It takes a few minutes; one machine does it all, so on
a small one the last of them wait for the processor and not for us.
"""
import datetime, os, re, shutil, sys, tempfile, time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "it"))
sys.dont_write_bytecode = True
import harness, test_matrix
from harness import Program, until

PAGE = "docs/recovery.md"
PROGRAMS = ("telephone", "worker", "tokend", "telephonectl", "switchboard", "demo-backend")
DOWN_S = 5


def staged(build, what):
    """Runs what(stage) on the programs of this build, in fresh folders."""
    with tempfile.TemporaryDirectory(prefix="telephone-bin-") as bin_dir, \
            tempfile.TemporaryDirectory(prefix="telephone-recovery-") as directory:
        for program in PROGRAMS:
            shutil.copy2(os.path.join(build, program), bin_dir)
        os.chmod(bin_dir, 0o755)
        if os.geteuid() == 0:
            os.chown(directory, harness.NOBODY, harness.NOBODY)
        stage = harness.Stage(bin_dir, directory)
        try:
            return what(stage)
        finally:
            stage.close()


def write(mark, lines):
    with open(PAGE, encoding="utf-8") as f:
        page = f.read()
    begin, end = f"<!-- {mark}: begin -->\n", f"<!-- {mark}: end -->\n"
    head, rest = page.split(begin)
    with open(PAGE, "w", encoding="utf-8") as f:
        f.write(head + begin + "\n" + "\n".join(lines) + "\n\n" + end + rest.split(end)[1])


# --- the matrix ---------------------------------------------------------------

LOST = {"own": "in flight on that tunnel", "none": "nothing", "all": "in flight, and what comes until one is joined",
        "backend": "while the application is gone"}


def cell(found):
    """The longest of a row's injections: until the first answer, until no request fails any more; requests lost."""
    return f"{max(f[0] for f in found):.2f} s | {max(f[1] for f in found):.2f} s | {sum(f[2] for f in found)}"


def matrix(build, pattern=""):
    lines = ["| fault | what may be lost | 1 tunnel: first answer | last failure | lost | 2 tunnels: first answer "
             "| last failure | lost |", "|---|---|---|---|---|---|---|---|"]
    for row in test_matrix.ROWS:
        if not re.search(pattern, row.name):
            continue
        cells = [cell(staged(build, lambda s, n=n: test_matrix.play(s, row, n))) for n in (1, 2)]
        lines.append(f"| {row.name} | {LOST[row.lost]} | " + " | ".join(cells) + " |")
        print(lines[-1], flush=True)
    if not pattern:
        write("matrix", lines)


# --- the spread ---------------------------------------------------------------

def joined_at(phone):
    """When its tunnels joined, in seconds since the epoch."""
    for stamp in re.findall(r"^(\S+)Z info worker: joined ", phone.log(), re.M):
        yield datetime.datetime.fromisoformat(stamp).replace(tzinfo=datetime.timezone.utc).timestamp()


def histogram(times, width=0.5):
    most = max(sum(1 for t in times if i * width <= t < (i + 1) * width) for i in range(int(max(times) / width) + 1))
    for i in range(int(max(times) / width) + 1):
        n = sum(1 for t in times if i * width <= t < (i + 1) * width)
        yield f"{i * width:5.1f} s  {n:4}  {'#' * round(50 * n / most)}"


def spread(build, count=200):
    def play(s):
        s.start_board()
        port, phones = s.board.ports["http"], []
        for i in range(count):
            phones.append(s.spawn(s.env(
                TUNNELS="2", CONTROL_SOCKET=f"{s.dir}/{i}.sock", TOKEN_DB_PATH=f"{s.dir}/{i}.db",
                TELEPHONE_TOKEN=s.token(path_id=f"demo-{i}"), INITIAL_BACKOFF=None, MAX_BACKOFF=None)))
            if i % 10 == 9:
                until(lambda: s.joined() >= 2 * i, "most are joined", 120)
        until(lambda: s.joined() == 2 * count, "all are joined", 120)
        time.sleep(35)  # until each has proved itself by a heartbeat
        s.board.proc.kill()
        s.board.stop()
        time.sleep(DOWN_S)
        back = time.time()
        s.board = Program([f"{s.bin}/switchboard", "--quiet", "--listen", f"127.0.0.1:{port}"], s.dir)
        until(lambda: s.joined() == 2 * count, "all are joined again", 300)
        return [t - back for phone in phones for t in joined_at(phone) if t > back]
    times = sorted(staged(build, play))
    lines = ["```", f"{count} telephones, {len(times)} tunnels; seconds since the server was there again",
             *histogram(times), "```", "",
             f"Half of them are joined after {times[len(times) // 2]:.1f} s, the last after {times[-1]:.1f} s."]
    print("\n".join(lines))
    write("spread", lines)


def main():
    build, what, *rest = sys.argv[1:] + ["all"] * (len(sys.argv) < 3)
    if what in ("matrix", "all"):
        matrix(build, *rest)
    if what in ("spread", "all"):
        spread(build, *map(int, rest))


main()
