# SPDX-License-Identifier: MIT
"""Commands in the documents and the manuals: blocks behind <!-- run --> (in a
manual: .\\" run) are run as they stand, with a telephone that has joined.
tests/meta sees that each block of commands has its mark."""
import glob, os, re, subprocess

from harness import check, equal, free_port

BLOCK = {".md": re.compile(r"<!-- run -->\n\n((?:    .*\n|\n)+)"),
         "man": re.compile(r'^\.\\" run\n\.Bd -literal.*\n((?:[^.].*\n)+)\.Ed', re.M)}
CONFIGURATION = re.compile(r'^\.\\" configuration\n\.Bd -literal.*\n((?:[^.].*\n)+)\.Ed', re.M)
PAGES = sorted([*glob.glob("*.md"), *glob.glob("docs/*.md"), *glob.glob("man/*.[58]")])


def read(page):
    with open(page, encoding="utf-8") as f:
        return f.read()


def blocks(page):
    kind = ".md" if page.endswith(".md") else "man"
    return [b.replace(r"\e", "\\") if kind == "man" else b for b in BLOCK[kind].findall(read(page))]


def commands(page):
    for block in blocks(page):
        for line in re.sub(r"\\\n\s*", "", block).splitlines():
            if line.strip() and not line.strip().startswith("#"):
                yield line.split("  #")[0].strip()


FOUND = [page for page in PAGES if blocks(page)]


def private(path, text):
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)
    os.chmod(path, 0o644)  # started by root, telephones run as nobody


def play(s, page):
    port = free_port()
    phone = s.start(HEALTH_CHECK_PORT=port)
    private(f"{s.dir}/.env", "".join(f"{k}={phone.env[k]}\n" for k in ("PLUGBOARD_URL", "SECRET_KEY_BASE", "TOKEN_DB_PATH")))
    private(f"{s.dir}/token", s.token(iat=0))
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
    check({"README.md", "docs/troubleshooting.md", "man/telephone.8", "man/telephonectl.8"} <= set(FOUND), f"blocks are found in {FOUND}")


def test_configurations_are_accepted(s):
    """Those of the manual, with a secret, a token and a place that there are."""
    s.start_board()
    private(f"{s.dir}/secret", s.secret)
    found = [c for page in PAGES if not page.endswith(".md") for c in CONFIGURATION.findall(read(page))]
    check(found, "examples of a configuration")
    for text in found:
        for old, new in (("/etc/telephone/secret", f"{s.dir}/secret"), ("eyJ...", s.token()),
                         ("/var/lib/telephone/token/", f"{s.dir}/")):
            text = text.replace(old, new)
        private(f"{s.dir}/telephone.conf", text)
        done = subprocess.run([f"{s.bin}/telephone", "-n", "-f", f"{s.dir}/telephone.conf"], env={"PATH": "/usr/bin:/bin"},
                              cwd=s.dir, capture_output=True, text=True, timeout=60)
        equal(done.returncode, 0, done.stdout + done.stderr)
        faults = [line for line in done.stderr.splitlines() if " error " in line or "unknown" in line]
        equal(faults, [], "faults")
