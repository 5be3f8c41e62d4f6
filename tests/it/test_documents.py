# SPDX-License-Identifier: MIT
"""Commands in the documents: blocks behind <!-- run --> are run as they stand,
with a telephone that has joined; they may fail, but not as a wrong command does."""
import glob, os, re, subprocess

from harness import check, equal, free_port

BLOCK = re.compile(r"<!-- run -->\n\n((?:    .*\n|\n)+)")
FOUND = sorted(p for p in [*glob.glob("*.md"), *glob.glob("docs/*.md")] if BLOCK.search(open(p, encoding="utf-8").read()))


def commands(page):
    with open(page, encoding="utf-8") as f:
        for block in BLOCK.findall(f.read()):
            for line in re.sub(r"\\\n\s*", "", block).splitlines():
                if line.strip():
                    yield line.split("  #")[0].strip()


def play(s, page):
    port = free_port()
    phone = s.start(HEALTH_CHECK_PORT=port)
    with open(f"{s.dir}/.env", "w", encoding="utf-8") as f:
        f.write("".join(f"{k}={phone.env[k]}\n" for k in ("PLUGBOARD_URL", "SECRET_KEY_BASE", "TOKEN_DB_PATH")))
    os.chmod(f"{s.dir}/.env", 0o644)
    env = {"PATH": f"{s.bin}:/usr/bin:/bin", "CONTROL_SOCKET": phone.env["CONTROL_SOCKET"]}
    done = 0
    for line in commands(page):
        line = line.replace("127.0.0.1:8081", f"127.0.0.1:{port}").replace("PATH_OF_STORE", phone.env["TOKEN_DB_PATH"])
        result = subprocess.run(["sh", "-c", line], cwd=s.dir, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                                timeout=60)
        equal(result.returncode, 0, f"{page}: {line}: {result.stdout}{result.stderr}")
        done += 1
    check(done > 0, f"{page}: no command was run")


for _page in FOUND:
    globals()[f"test_{re.sub(r'[^a-z]', '_', _page.lower())}"] = lambda s, page=_page: play(s, page)


def test_some_are_run(s):
    del s
    check(len(FOUND) >= 2, f"blocks are found in {FOUND}")
