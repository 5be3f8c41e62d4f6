# SPDX-License-Identifier: MIT
"""The messages of level warn and error that the sources have, and the faults
of a configuration, as an operator sees them: what printf fills in stands as
"…". docs/troubleshooting.md has a row for each."""
import glob, re

# Where the text stands among the arguments, and what another argument must hold.
VERBS = {
    "log_warn": (0, ""), "log_warnx": (0, ""), "log_errorx": (0, ""), "fatal": (0, ""), "fatalx": (0, ""), "log_exit": (1, ""),
    "log_async": (2, ""), "log_audit": (2, "LOG_LEVEL_(WARN|ERROR)"),
    # faults of a configuration: "where: KEY: what is wrong"
    "buf_printf": (1, "- > (faults|warnings)$"), "note": (2, "- > (faults|warnings)$"), "util_fmt": (2, "CONF_FAULT_MAX"),
    "fault": (-1, ""),
}
FAULTS = ("supervisor/config.c", "worker/tls_load.c")  # others have a fault() that is none of these
CALL = re.compile(rf"\b({'|'.join(VERBS)})\s*\(")
TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|\'(?:[^\'\\]|\\.)*\'|/\*.*?\*/|[A-Za-z_]\w*|.', re.S)
CONVERSION = re.compile(r"%[-+ 0#]*(?:\d+|\*)?(?:\.(?:\d+|\*))?(?:hh|h|ll|l|j|z|t)?[a-zA-Z]|%%")


def arguments(text, at):
    """The arguments of the call whose parenthesis ends before `at`, as lists of tokens."""
    depth, out = 1, [[]]
    for m in TOKEN.finditer(text, at):
        t = m[0]
        if t.startswith("/*") or t.isspace():
            continue
        depth += (t in "([{") - (t in ")]}") if len(t) == 1 else 0
        if depth == 0:
            return out
        if t == "," and depth == 1:
            out.append([])
        else:
            out[-1].append(t)
    raise ValueError("a call without end")


def texts(tokens):
    """Each literal of an argument, its pieces and the macros between them joined."""
    out, joined = [], False
    for t in tokens:
        if t.startswith('"'):
            piece = t[1:-1].replace('\\"', '"').replace("\\\\", "\\").replace("\\n", "\n")
            out[-1:] = [out[-1] + piece] if joined else out[-1:] + [piece]
            joined = True
        elif t.startswith("PRI") and joined:
            out[-1] += t[3]  # the conversion's letter
        else:
            joined = False
    return [CONVERSION.sub(lambda m: "%" if m[0] == "%%" else "…", s) for s in out]


def messages(*folders):
    """(file, line, message) of each."""
    for path in sorted(p for folder in folders for p in glob.glob(f"{folder}/*.c")):
        with open(path, encoding="utf-8") as f:
            text = f.read()
        for m in CALL.finditer(text):
            at, mark = VERBS[m[1]]
            args = arguments(text, m.end())
            if path == "common/log.c" or m[1] == "fault" and path not in FAULTS or at >= len(args) or not any(re.search(mark, " ".join(a)) for a in args):
                continue  # the verbs themselves, and what is said to nobody
            for said in texts(args[at]):
                if re.search("[a-z]", said):  # what is all variable has its words elsewhere
                    yield path, text.count("\n", 0, m.start()) + 1, said.strip()


def literals(*folders):
    """Every text of the sources, whatever it is for."""
    for path in sorted(p for folder in folders for p in glob.glob(f"{folder}/*.c")):
        with open(path, encoding="utf-8") as f:
            yield from texts(m[0] for m in TOKEN.finditer(f.read()) if not m[0].isspace() and not m[0].startswith("/*"))


def rows(page):
    """The messages that the tables of a page name: those in backquotes of the first cell."""
    section = page.split("## What the log says\n")[1].split("\n## ")[0]
    for row in re.findall(r"^\| (`.*)$", section, re.M):
        yield from re.findall(r"`([^`]*)`", row.split(" | ")[0])
