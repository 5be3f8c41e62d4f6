#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Keeps the structure what the documents say it is: who links and includes
what, how executables are hardened, and that man pages know every key, option
and command.

usage: run.py BUILD_DIR (from the top of the tree)
"""
import glob, hashlib, json, os, re, subprocess, sys, tempfile

BUILD = sys.argv[1]
passed = failed = 0


def check(what, faults):
    global passed, failed
    faults = list(faults)
    passed, failed = passed + (not faults), failed + bool(faults)
    print("FAIL" if faults else "ok  ", "meta:", what)
    for fault in faults:
        print("      ", fault)


def read(path):
    with open(path, encoding="utf-8") as f:
        return f.read()


def output(*argv):
    return subprocess.run(argv, capture_output=True, text=True, check=True, env={"PATH": os.environ["PATH"]}).stdout


# --- what each executable links -----------------------------------------------
BASE = {"libc", "ld-linux-x86-64", "ld-linux-aarch64", "libm", "libgcc_s"}
SANITIZERS = {"libasan", "libubsan"}
MAY_LINK = {
    "telephone": {"libevent_core-2.1"},
    "telephonectl": set(),
    "worker": {"libevent_core-2.1", "libwebsockets", "libuv", "libcurl", "libssl", "libcrypto"},
    "tokend": {"libevent_core-2.1", "libsqlite3", "libcrypto", "libcjson"},
}


def check_links():
    for name, allowed in MAY_LINK.items():
        needed = re.findall(r"NEEDED.*\[(.*?)\.so", output("readelf", "-d", f"{BUILD}/{name}"))
        check(f"{name} links what its row allows",
              (f"{lib} is not allowed" for lib in needed if lib not in allowed | BASE | SANITIZERS))
        check(f"{name} needs each of them", (f"{lib} is not linked" for lib in allowed if lib not in needed))


# --- hardening ----------------------------------------------------------------
def check_hardening():
    if "-D_FORTIFY_SOURCE=2" not in read(f"{BUILD}/flags"):
        print("left out: hardening (not the release build)")
        return
    for name in MAY_LINK:
        header, dynamic = output("readelf", "-hW", f"{BUILD}/{name}"), output("readelf", "-dW", f"{BUILD}/{name}")
        segments = output("readelf", "-lW", f"{BUILD}/{name}")
        symbols = output("readelf", "-sW", "--dyn-syms", f"{BUILD}/{name}")
        faults = {
            "no PIE": "DYN (" not in header,
            "lazy binding": "BIND_NOW" not in dynamic and "NOW" not in dynamic,
            "no RELRO": "GNU_RELRO" not in segments,
            "an executable stack": bool(re.search(r"GNU_STACK.*RWE", segments)),
            "no stack protector": "__stack_chk_fail" not in symbols,
            "no _FORTIFY_SOURCE": "_chk@" not in symbols and "_chk" not in symbols,
        }
        check(f"{name} is hardened", (fault for fault, there in faults.items() if there))


# --- what ships ---------------------------------------------------------------
INSTALLED = {
    "usr/sbin/telephone", "usr/sbin/telephonectl", "usr/libexec/telephone/worker", "usr/libexec/telephone/tokend",
    "usr/lib/systemd/system/telephone.service", "usr/lib/systemd/system/telephone@.service",
    "usr/lib/systemd/system/telephone.socket", "usr/lib/sysusers.d/telephone.conf", "usr/lib/tmpfiles.d/telephone.conf",
    "usr/share/bash-completion/completions/telephone", "usr/share/bash-completion/completions/telephonectl",
    "usr/share/zsh/site-functions/_telephonectl", "usr/share/fish/vendor_completions.d/telephonectl.fish",
    "etc/telephone/telephone.conf"}


def install(target, top):
    output("make", "-s", target, f"O={BUILD}", f"DESTDIR={top}", "PREFIX=/usr")
    return {os.path.relpath(os.path.join(folder, name), top): os.stat(os.path.join(folder, name)).st_mode
            for folder, _, names in os.walk(top) for name in names}


def check_installed():
    documents = {f"usr/share/man/man{p[-1]}/{os.path.basename(p)}" for p in glob.glob("man/*.[0-9]")} | {
        f"usr/share/doc/telephone/{os.path.basename(p)}" for p in (
            "README.md", "CHANGELOG.md", "SECURITY.md", "telephone.conf.example", *glob.glob("docs/*.md"), *glob.glob("docs/*.json"))}
    with tempfile.TemporaryDirectory() as top:
        modes = install("install", top)
        conf = read(f"{top}/etc/telephone/telephone.conf")
        with open(f"{top}/etc/telephone/telephone.conf", "a", encoding="utf-8") as f:
            f.write("BACKEND_PORT=1\n")
        install("install", top)
        kept = read(f"{top}/etc/telephone/telephone.conf")
        left = install("uninstall", top)
    check("make install installs what it should", (p for p in (INSTALLED | documents) ^ set(modes)))
    check("nothing installed is setuid, setgid, or writable by others",
          (f"{p}: {mode:o}" for p, mode in modes.items() if mode & 0o6022))
    check("the configuration is its owner's alone", [] if modes["etc/telephone/telephone.conf"] & 0o777 == 0o600 else ["no"])
    check("it names the places that tmpfiles.d makes", (k for k in (
        "TOKEN_DB_PATH=/var/lib/telephone/token/telephone.db", "SECRET_KEY_BASE_FILE=/etc/telephone/secret",
        "SPOOL_DIR=/var/lib/telephone/spool") if f"\n{k}\n" not in conf))
    # Each operator has changed it, so dpkg would ask each of them about another one.
    check("it is the text of all versions", [] if hashlib.sha256(conf.encode()).hexdigest() ==
          "55d3dedcda7cde7651da89af0fab4fa130b6f7a899f317282e24fa3d61240a7c" else ["another one: an upgrade asks every operator"])
    check("make install keeps the operator's configuration", [] if kept == conf + "BACKEND_PORT=1\n" else ["it is another"])
    check("make uninstall leaves the configuration alone", (p for p in left if p != "etc/telephone/telephone.conf"))


def check_units():
    """What is written twice must be the same."""
    users = read("packaging/systemd/telephone.sysusers")
    table = read("common/conf.c")
    for key in ("WORKER_USER", "TOKEND_USER"):
        name = re.search(rf'ROW\({key},.*?"(_[a-z-]+)"', table, re.S)[1]
        check(f"sysusers.d has {name}", [] if re.search(rf"^u {name} ", users, re.M) else ["no"])
    one, many = (read(f"packaging/systemd/telephone{x}.service.in") for x in ("", "@"))
    check("both services have the same walls", [] if "@SANDBOX@" in one and "@SANDBOX@" in many else ["no"])

    def settings(text):
        return {line for line in text.splitlines() if re.match(r"[A-Z]\w+=", line)
                and not line.startswith(("Description", "After", "Environment", "ExecStart", "RuntimeDirectory", "SyslogIdentifier"))}
    check("they differ in their names alone", settings(one) ^ settings(many))


def check_no_attacks():
    """What turns evil on command is in the executables of build/hostile alone."""
    mark = re.search(r'mark\[\] = "(.+?)"', read("tests/it/hostile/attack.c"))[1].encode()

    def holds(path):
        with open(path, "rb") as f:
            return mark in f.read()
    check("no executable that ships holds the code of an attack", (name for name in MAY_LINK if holds(f"{BUILD}/{name}")))
    check("the executables of build/hostile hold it", (n for n in ("worker", "tokend") if not holds(f"{BUILD}/hostile/{n}")))


def check_sbom():
    """Every library that an executable names, with its version; the same twice."""
    text = output(sys.executable, "packaging/sbom.py", BUILD, "1.2.3")
    check("two bills of materials are the same", [] if text == output(sys.executable, "packaging/sbom.py", BUILD, "1.2.3")
          else ["they differ"])
    bill = json.loads(text)
    versions = {p["name"].split(".so")[0]: p.get("versionInfo") for p in bill["packages"]}
    libraries = set().union(*MAY_LINK.values()) | {"libwebsockets-evlib_uv"}
    check("the bill of materials has each library with its version",
          (f"{name}: {versions.get(name)}" for name in libraries if not versions.get(name)))
    known = {"SPDXRef-DOCUMENT"} | {p["SPDXID"] for p in bill["packages"] + bill["files"]}
    check("its relationships name what it has", (r for r in bill["relationships"] if not
                                                 {r["spdxElementId"], r["relatedSpdxElement"]} <= known))
    sums = {f["fileName"][2:]: f["checksums"][0]["checksumValue"] for f in bill["files"]}
    check("its check sums are those of the files", (name for name in MAY_LINK if sums.get(name) != hashlib.sha256(
        open(f"{BUILD}/{name}", "rb").read()).hexdigest()))


# --- who includes what --------------------------------------------------------
FOLDERS = ("common", "supervisor", "worker", "tokend")
ONLY_IN = {
    r"sqlite3\.h": r"tokend/store\w*\.c",
    r"openssl/.*": r"tokend/(seal|jwt)\.c|worker/(tls\w*\.[ch]|ws_tls\.c)",
    r"curl/.*": r"worker/backend\w*\.[ch]",
    r"libwebsockets\.h": r"worker/(loop|plugboard)\w*\.[ch]",
    r"uv\.h": r"worker/loop\.c",
    r"cjson/.*": r"tokend/jwt\.c",
    r"event2/.*": r"common/peer\.c|(supervisor|worker|tokend)/\w+\.c",
}
NOT_IN = {"event2/": ("supervisor/telephonectl",)}
PURE = ("worker/phx", "worker/http_head", "worker/inspect", "worker/ready", "worker/json", "worker/request", "worker/head", "worker/body", "worker/framing", "worker/unsupported", "worker/response", "worker/backoff",
        "worker/via_head", "worker/target", "common/pin", "common/proxy_url", "common/base64",
        "worker/trace_context", "worker/trace_sampler", "worker/trace_json", "worker/ws_base64", "worker/ws_frame", "worker/ws_handshake", "worker/ws_event",
        "tokend/jwt", "tokend/token", "common/utf8", "common/url", "common/otel", "common/list", "common/pack", "common/buf")


def sources(*folders):
    for folder in folders:
        yield from sorted(glob.glob(f"{folder}/*.[ch]"))


def includes(path):
    return re.findall(r'^#include ([<"])(.+?)[>"]', read(path), re.M)


def check_includes():
    faults, pure = [], []
    for path in sources(*FOLDERS):
        folder = path.split("/")[0]
        for kind, name in includes(path):
            if kind == '"' and not os.path.exists(f"{folder}/{name}") and not os.path.exists(f"common/{name}"):
                faults.append(f"{path} includes {name}, which is in neither {folder} nor common")
            for pattern, where in ONLY_IN.items():
                if re.fullmatch(pattern, name) and not re.fullmatch(where, path):
                    faults.append(f"{path} includes {name}: only {where} may")
            for part, wheres in NOT_IN.items():
                if name.startswith(part) and path.startswith(wheres):
                    faults.append(f"{path} includes {name}")
            if path.startswith(PURE) and re.match(r"event2/|sys/socket|netinet/|libwebsockets|curl/|sqlite3", name):
                pure.append(f"{path} includes {name}")
    check("folders include their own and common's headers, libraries stay in their files", faults)
    check("pure files know no loop, socket or handle", pure)
    strangers = [f"{path} includes {name}" for path in sources("tests/switchboard", "tests/backend")
                 for kind, name in includes(path)
                 if kind == '"' and not os.path.exists(os.path.join(os.path.dirname(path), name))]
    check("switchboard and demo-backend share nothing with the daemon", strangers)


# --- form ---------------------------------------------------------------------
def function_lengths(path):
    """KNF: a function begins with { in the first column and ends with }."""
    begin = None
    for number, line in enumerate(read(path).splitlines(), 1):
        if line == "{":
            begin = number
        elif line.startswith("}") and begin:
            yield begin, number - begin - 1
            begin = None


def check_form():
    files = list(sources(*FOLDERS)) + sorted(glob.glob("tests/**/*.[ch]", recursive=True))
    check("each file begins with its licence", (p for p in files if not read(p).startswith("/* SPDX-License-Identifier")))
    check("each header has its guard", (p for p in files if p.endswith(".h") and "#ifndef " not in read(p)[:2500]))
    daemon = list(sources(*FOLDERS))
    check("random numbers are the system's", (p for p in daemon if re.search(r"\b(s?rand|s?random|[dlm]rand48)\(", read(p))))
    check("files are below 650 lines", (f"{p}: {n}" for p in daemon if (n := read(p).count("\n")) >= 650))
    check("functions are below 80 lines",
          (f"{p}:{at}: {n}" for p in daemon if p.endswith(".c") for at, n in function_lengths(p) if n >= 80))
    tests = {os.path.basename(p) for p in glob.glob("tests/it/**/*.py", recursive=True)} - {
        "run.py", "harness.py", "raw.py", "rawboard.py", "load.py", "netns.py", "traffic.py", "wskit.py", "ptykit.py", "schemakit.py", "otelkit.py", "tokendkit.py", "gostore.py"}
    check("each file of tests/it is run", (p for p in tests if not p.startswith("test_")))


# --- documents ----------------------------------------------------------------
def check_documents():
    keys = set(re.findall(r"^    ROW\(([A-Z_]+),", read("common/conf.c"), re.M))
    enum = re.search(r"enum conf_id \{(.*?)\}", read("common/conf.h"), re.S).group(1)
    names = set(re.findall(r"CONF_([A-Z_]+)", enum)) - {"KEYS"}
    check("the table has every key", (k for k in names if k not in keys))
    page, example = read("man/telephone.conf.5"), read("telephone.conf.example")
    check("telephone.conf(5) knows every key", (k for k in names if f".It Cm {k}\n" not in page))
    check("telephone.conf.example shows every key", (k for k in names if not re.search(rf"^#?{k}=", example, re.M)))
    options = re.findall(r"--([a-z-]+)", output(f"{BUILD}/telephone", "--help"))
    check("telephone(8) knows every option",
          (o for o in set(options) if not re.search(rf"Fl (\w , )?-{o}\b", read("man/telephone.8"))))
    commands = re.findall(r"^  ([a-z]+) ", output(f"{BUILD}/telephonectl", "help"), re.M)
    check("telephonectl(8) knows every command",
          (c for c in commands if f".It Cm {c}" not in read("man/telephonectl.8")))
    metrics = set(re.findall(r'"((?:telephone|process)_[a-z_]+)"', read("common/metrics.h") + read("common/metrics_requests.c")))
    check("telephone(8) knows every metric", (m for m in metrics if m not in read("man/telephone.8")))
    readme = read("README.md")
    targets = set(re.findall(r"`?make ([a-z][a-z0-9-]*)", readme))
    makefile = read("Makefile") + read("packaging/packaging.mk")
    check("README's make targets exist", (t for t in targets if not re.search(rf"^{t}:", makefile, re.M)))


def key_rows():
    """{key: its row} of the table."""
    return {m[1]: m[2] for m in re.finditer(r"^    ROW\((\w+),(.*?)\),?$(?=\n    ROW|\n\})", read("common/conf.c"), re.M | re.S)}


def check_manuals():
    """telephone.conf(5) says of each key what the table does; no manual names what is not there."""
    page, rows = read("man/telephone.conf.5"), key_rows()
    items = {m[1]: re.sub(r"\s+", " ", re.sub(r"^\.\w\w ", "", m[2], flags=re.M)) for m in re.finditer(
        r"^\.It Cm (\w+)\n(.*?)(?=^\.(?:It|El)|\Z)", page, re.M | re.S)}
    wrong, restart = [], []
    check("the table is read", [] if len(rows) == len(set(re.findall(r"^    ROW\((\w+),", read("common/conf.c"), re.M))) else [str(len(rows))])
    check("telephone.conf(5) names no other key", sorted(set(items) - set(rows)))
    for key, row in rows.items():
        default = re.search(r'\.def = "([^"]*)"', row)
        if default and default[1] and f"default {default[1]}" not in items.get(key, ""):
            wrong.append(f"{key}: {default[1]}: {items.get(key, '')[:150]}")
        if (".reloadable = true" not in row) != ("needs a restart" in items.get(key, "").split(").")[0]):
            restart.append(key)
    check("its defaults are the table's", wrong)
    check("it says what needs a restart", restart)
    ctl = read("man/telephonectl.8")
    commands = set(re.findall(r"^  ([a-z]+) ", output(f"{BUILD}/telephonectl", "help"), re.M)) | {"help"}
    check("telephonectl(8) names no other command", sorted(set(re.findall(
        r"^\.It Cm ([a-z]+)", ctl.split("The commands are:")[1].split(".Sh ")[0], re.M)) - commands))
    metrics = set(re.findall(r'"((?:telephone|process)_[a-z_]+)"', read("common/metrics.h") + read("common/metrics_requests.c") + read("common/metrics.c"))) | {
        "telephone_build_info", "telephone_token"}
    check("telephone(8) names no other metric", sorted(set(re.findall(
        r"\b((?:telephone|process)_[a-z_]+)\b", read("man/telephone.8"))) - metrics))
    options = set(re.findall(r"--([a-z-]+)", output(f"{BUILD}/telephone", "--help")))
    check("telephone(8) names no other option", sorted(set(re.findall(
        r"^\.It Fl (?:\w , )?-([a-z-]+)", read("man/telephone.8"), re.M)) - options - {"env"}))


def check_pages():
    """What documents name exists: links, make targets, keys, commands, metrics, files."""
    pages = {p: read(p) for p in [*glob.glob("*.md"), *glob.glob("docs/*.md")]}
    prose = {p: t for p, t in pages.items() if p != "CHANGELOG.md"}
    makefile = read("Makefile") + read("packaging/packaging.mk")

    def broken(page, text):
        for target, anchor in re.findall(r"\]\((?!https?:)([^)#\s]*)(#[^)]*)?\)", text):
            path = os.path.normpath(os.path.join(os.path.dirname(page), target)) if target else page
            if not os.path.exists(path):
                yield f"{page}: {target}"
            elif anchor:
                heads = re.findall(r"^#+ (.*)", read(path), re.M)
                if anchor[1:] not in {re.sub(r"[^a-z0-9_ -]", "", h.lower()).replace(" ", "-") for h in heads}:
                    yield f"{page}: {target}{anchor}"
    check("links of the documents lead somewhere", (f for p, t in pages.items() for f in broken(p, t)))
    check("make targets in the documents exist", (
        f"{p}: {t}" for p, text in prose.items() for t in set(re.findall(r"(?:`| {4}|\$ )make ([a-z][a-z0-9-]+)", text))
        if not re.search(rf"^(?:[a-z0-9 -]* )?{t}(?: [a-z0-9 -]*)?:", makefile, re.M)))
    keys = set(re.findall(r"^    ROW\(([A-Z_]+),", read("common/conf.c"), re.M))
    like = re.compile(r"`([A-Z][A-Z]+(?:_[A-Z]+)+)(?:=[^`]*)?`")
    others = {"SOURCE_DATE_EPOCH", "NO_DEPS", "LISTEN_FDS", "RLIMIT_MEMLOCK", "NOTIFY_SOCKET", "PR_SET_PDEATHSIG", "SOCK_SEQPACKET", "AF_NETLINK", "POD_NAME"}
    check("keys in the documents exist", (f"{p}: {k}" for p, text in prose.items() for k in set(like.findall(text))
                                          if k not in keys | others and not k.startswith(("CAP_", "AF_", "CONF_", "ADD_", "REMOVE_"))))
    commands = set(re.findall(r"^  ([a-z]+) ", output(f"{BUILD}/telephonectl", "help"), re.M)) | {"help"}
    check("telephonectl's commands in the documents exist", (
        f"{p}: {c}" for p, text in prose.items()
        for c in set(re.findall(r"telephonectl (?:-s \S+ )?([a-z]+)", re.sub(r"\s+", " ", "\n".join(
            re.findall(r"`[^`]*`|^    .*$", text, re.M)))))
        if c not in commands))
    metrics = set(re.findall(r'"(telephone_[a-z_]+)"', read("common/metrics.h")))
    check("metrics in the documents exist", (f"{p}: {m}" for p, text in prose.items()
                                             for m in set(re.findall(r"`(telephone_[a-z_]+)", text)) if m not in metrics | {"telephone_token"}))
    check("files that CONTRIBUTING names exist", (
        f for f in re.findall(r"`((?:common|worker|supervisor|tokend|tests|packaging|man)/[\w./-]+)`", read("CONTRIBUTING.md"))
        if not os.path.exists(f)))


def check_threat_model():
    """Each row names tests, and they exist (those of batches end with a number).
    The same of what docs/recovery.md promises."""
    promises = [r for r in read("docs/recovery.md").split("## What proves it")[1].splitlines() if "`test_" in r]
    check("docs/recovery.md has its promises", [] if len(promises) >= 20 else [str(len(promises))])
    rows = [r for r in read("SECURITY.md").splitlines() if r.startswith("| ") and not r.startswith("| the attacker holds")]
    check("SECURITY.md has its rows", [] if len(rows) >= 12 else [str(len(rows))])
    check("each row of the threat model names a test", (r for r in rows if "`test_" not in r.split("|")[-2]))
    sources_of = {os.path.relpath(p, "tests/it"): read(p) for p in glob.glob("tests/it/**/test_*.py", recursive=True)}

    def exists(path, name):
        text = sources_of.get(path, "")
        batch = re.sub(r"_\d+$", "", name).removeprefix("test_")
        return f"def {name}(" in text or f'"{batch}"' in text or "_may_not_send_to_" in name and "may_not_send_to_" in text
    sys.path.insert(0, "tests/mutants")
    from catalogue import MUTANTS
    from walls import WALLS
    patterns = [m.tests for m in WALLS + MUTANTS]
    for kind in ("--walls",), ():
        done = subprocess.run([sys.executable, "-B", "tests/mutants/run.py", *kind, "--compile", BUILD], capture_output=True, text=True)
        check(f"all of tests/mutants {' '.join(kind)} compiles", [] if done.returncode == 0 else [done.stdout + done.stderr])

    def named(row):
        return [f"{path[:-3].replace('/', '.')}.{name}" for path, names in re.findall(r"`([\w/]+\.py)`: ((?:`test_\w+`(?:, )?)+)", row)
                for name in re.findall(r"`(test_\w+)`", names)]
    check("a wall or a fault of tests/mutants stands before each row of the threat model",
          (row for row in rows if not re.search("what it (shares|says)|terminal", row) and not any(re.search(p, name) for p in patterns for name in named(row))))
    check("the tests of the threat model and of the promises exist",
          (f"{path}: {name}" for row in rows + promises for path, names in re.findall(r"`([\w/]+\.py)`: ((?:`test_\w+`(?:, )?)+)", row)
           for name in re.findall(r"`(test_\w+)`", names) if not exists(path, name)))


def check_messages():
    """docs/troubleshooting.md has a row for each message, and no other."""
    sys.path.insert(0, "tests/meta")
    from messages import literals, messages, rows
    named, said = list(rows(read("docs/troubleshooting.md"))), list(messages(*FOLDERS))
    check("there are messages and rows", [] if len(said) > 150 and len(named) > 120 else [f"{len(said)}, {len(named)}"])
    check("docs/troubleshooting.md has each message", (
        f"{path}:{line}: {text}" for path, line, text in said if not any(row in text for row in named)))
    there = {text for _, _, text in said} | set(literals(*FOLDERS))
    check("docs/troubleshooting.md names no others", (row for row in named if not any(row in text for text in there)))
    check("it names each once", (row for row in set(named) if named.count(row) > 1))


COMMANDS = ("make sudo apt apt-get dnf rpm rpmbuild apk pacman telephone telephonectl switchboard systemctl systemd-analyze journalctl docker "
            "podman kubectl install cp mv git gpg openssl curl sqlite3 promtool sha256sum node npm python3 sh ps $").split()


def code_blocks(text):
    """(line, mark, lines) of each block of a document: indented by four, or fenced."""
    lines, at = text.splitlines(), 0
    while at < len(lines):
        fenced = lines[at].startswith("```")
        if not fenced and not (lines[at].startswith("    ") and (at == 0 or not lines[at - 1]) and not re.match(r"\s+([-*]|\d\.) ", lines[at])):
            at += 1
            continue
        begin, block = at, []
        at += fenced
        while at < len(lines) and (not lines[at].startswith("```") if fenced else lines[at].startswith("    ") or not lines[at]):
            block.append(lines[at].strip())
            at += 1
        at += fenced
        yield begin + 1, lines[begin - 2] if begin > 1 else "", block


def check_blocks():
    """Each block of commands is run by a test, or says why not."""
    pages = ["README.md", "CONTRIBUTING.md", "SECURITY.md", *glob.glob("docs/*.md"), *glob.glob("packaging/**/*.md", recursive=True)]
    found = [(f"{page}:{line}", mark, block) for page in sorted(pages) for line, mark, block in code_blocks(read(page))]
    commands = [(where, mark) for where, mark, block in found if any(re.split(r"[ =]", line)[0] in COMMANDS for line in block)]
    check("blocks of commands are found", [] if len(commands) > 15 else [str(len(commands))])
    check("each is marked <!-- run --> or <!-- not run: WHY -->", (
        where for where, mark in commands if not re.fullmatch(r"<!-- (run|system: \w+|not run: .{10,}) -->", mark)))
    manuals = [(page, mark) for page in glob.glob("man/*.[58]") for mark in re.findall(
        r"^(.*)\n\.Bd -literal", read(page).split("\n.Sh EXAMPLES\n")[1].split("\n.Sh ")[0], re.M)]
    check("so are the examples of the manuals", [] if len(manuals) > 8 else [str(len(manuals))])
    check("with .\\\" run, not run: WHY, configuration", (f"{page}: {mark}" for page, mark in manuals if not re.fullmatch(
        r'\.\\" (run|not run: .{10,}|configuration)', mark)))


def check_exit_codes():
    """telephone(8) lists those that its units and its troubleshooting name."""
    page = read("man/telephone.8").split(".Sh EXIT STATUS")[1].split(".Sh EXAMPLES")[0]
    listed = set(re.findall(r"^\.It (\d+)$", page, re.M))
    sysexits = {name: code for name, code in re.findall(r"#define (EX_\w+)\s+(\d+)", read("/usr/include/sysexits.h"))}
    used = {sysexits[n] for path in sources("supervisor", "worker", "tokend") if not path.startswith(("supervisor/telephonectl", "tokend/diagnose"))
            for n in re.findall(r"\b(EX_[A-Z]+)\b", read(path)) if n in sysexits}
    used -= {"65", "66", "74", "75"}  # what telephonectl is answered, or a start that goes on
    check("telephone(8) lists each exit code", sorted(used - listed))
    check("and no other", sorted(listed - used - {"1", "71"}))
    tests = "".join(read(p) for p in glob.glob("tests/it/**/*.py", recursive=True))
    check("a test shows each exit code", (code for code in sorted(listed - {"1", "71"}) if not re.search(
        rf"(wait_exit|returncode|code)\W[^\n]*\b{code}\b|, {code}[,)]", tests)))


def check_error_codes():
    """telephone(8) lists each code that a client may see."""
    page = read("man/telephone.8").split(".Ss Errors that clients see")[1].split(".Sh ENVIRONMENT")[0]
    listed = set(re.findall(r"\b[a-z]+(?:_[a-z]+)*\b", page))
    codes = set(re.findall(r"\{\"([a-z_]+)\",", read("worker/backend_error.c"))) - {"ok"}
    for path in glob.glob("worker/*.c"):
        codes |= set(re.findall(r"\b[45]\d\d,\s*\"([a-z_]+)\"", read(path)))
    codes |= set(re.findall(r"\bcode = \"([a-z_]+)\"", read("worker/proxy_try.c")))
    check("there are codes", [] if len(codes) > 40 else sorted(codes))
    check("telephone(8) lists each", sorted(codes - listed))


def check_promises():
    """tests/it/fidelity/README.md names each test there, and none that is not there."""
    named = {f"{file}: {name}" for row in re.findall(r"^\| .* \| (.*) \|$", read("tests/it/fidelity/README.md"), re.M)
             for file, names in re.findall(r"\b(test_\w+): ([\w, ]+)", row) for name in names.split(", ")}
    there = {f"{os.path.basename(p)[:-3]}: {name}" for p in glob.glob("tests/it/fidelity/test_*.py")
             for name in re.findall(r"^def test_(\w+)\(", read(p), re.M)}
    check("each promise of fidelity names tests that exist", sorted(named - there))
    check("each test of fidelity has its promise", sorted(there - named))


def check_workflows():
    sys.path.insert(0, "tests/meta")
    import workflows
    makefile = read("Makefile") + read("packaging/packaging.mk")
    targets = {t for line in re.findall(r"^([a-z][a-z0-9 -]*):(?!=)", makefile, re.M) for t in line.split()}
    check("workflows are well formed, and what they run exists", workflows.faults(targets))
    check("what .ci/run calls exists", workflows.of_ci(targets))
    packaged = read("packaging/packaging.mk")
    tools = {"check-autopkgtest": "autopkgtest", "check-bare": "mmdebstrap", "check-arm64": "mmdebstrap",
             "check-image": "buildah", "check-system": "systemd-container"}
    ci = read(".ci/run") + "".join(read(p) for p in glob.glob(".github/workflows/*.yml"))
    check("what they need is installed for them", (f"{t}: {p}" for t, p in tools.items() if t in ci and p not in packaged))


def check_containers():
    import containers
    check("Dockerfile, compose.yaml and .dockerignore agree with each other and with the keys", containers.faults(set(key_rows())))



for step in (check_workflows, check_containers, check_links, check_hardening, check_installed, check_units, check_no_attacks, check_sbom, check_includes, check_form, check_documents, check_manuals, check_pages, check_threat_model, check_messages, check_blocks, check_exit_codes, check_error_codes):
    step()
check_promises()
print(f"{passed} passed, {failed} failed")
sys.exit(failed != 0)
