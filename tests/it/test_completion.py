# SPDX-License-Identifier: MIT
"""What shells offer for telephonectl, held against its own table of commands."""
import os, re, shutil, subprocess

from harness import LeftOut, check, equal

PACKAGING = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "packaging")
LEVELS = {"debug", "info", "warn", "error"}
PROCESSES = {"supervisor", "worker", "tokend"}


def run(s, *argv):
    if shutil.which(argv[0]) is None:
        raise LeftOut(f"{argv[0]} is not installed")
    env = {"PATH": f"{s.bin}:{os.environ['PATH']}", "HOME": s.dir, "TERM": "dumb"}
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, env=env, cwd=s.dir)
    equal(done.stderr, "", " ".join(argv)[:80])
    return set(done.stdout.split())


def table(s):
    """(commands, words behind token, options of those) of telephonectl help."""
    text = subprocess.run([f"{s.bin}/telephonectl", "help"], capture_output=True, text=True, check=True).stdout
    rows = re.findall(r"^  ([a-z]+)((?: \S+)*)", text, re.M)
    commands = {name for name, _ in rows}
    tokens = {rest.split()[0] for name, rest in rows if name == "token"}
    check(len(commands) >= 8 and len(tokens) == 4, rows)
    return commands, tokens, set(re.findall(r"--[a-z-]+", " ".join(rest for name, rest in rows if name == "token")))


def options_of(s, command):
    text = subprocess.run([f"{s.bin}/telephonectl", "help"], capture_output=True, text=True, check=True).stdout
    return set(re.findall(r"--[a-z-]+", re.search(rf"^  {command}(.*)$", text, re.M)[1]))


def bash(s, *words):
    script = (f'. {PACKAGING}/completion/telephonectl; COMP_WORDS=(telephonectl "$@" ""); COMP_CWORD=$(($# + 1));'
              '_telephonectl; printf "%s\\n" "${COMPREPLY[@]}"')
    return run(s, "bash", "--norc", "-c", script, "bash", *words)


def test_bash(s):
    commands, tokens, options = table(s)
    equal(bash(s), commands | {"--help", "--version", "--socket"})
    equal(bash(s, "token"), tokens)
    equal(bash(s, "token", "check"), options)
    equal(bash(s, "status"), {"--json"})
    equal(bash(s, "requests"), options_of(s, "requests"))
    equal(bash(s, "top"), {"-d", "-n"})
    equal(bash(s, "log"), LEVELS)
    equal(bash(s, "log", "debug"), PROCESSES)
    equal(bash(s, "-s", "/x/y.sock", "token"), tokens)


def fish(s, line):
    script = f'source {PACKAGING}/completion-fish/telephonectl.fish; complete -C "{line}" | string replace -r "\\t.*" ""'
    return run(s, "fish", "--no-config", "-c", script)


def test_fish(s):
    commands, tokens, options = table(s)
    equal(fish(s, "telephonectl "), commands)
    check(tokens <= fish(s, "telephonectl token "), fish(s, "telephonectl token "))
    check(options <= fish(s, "telephonectl token check --"), fish(s, "telephonectl token check --"))
    requests = fish(s, "telephonectl requests --")
    check(options_of(s, "requests") <= requests, requests)
    check({"-d", "-n"} <= fish(s, "telephonectl top -"), fish(s, "telephonectl top -"))
    equal(fish(s, "telephonectl log "), LEVELS | PROCESSES)


def test_zsh(s):
    commands, tokens, options = table(s)
    path = f"{PACKAGING}/completion-zsh/_telephonectl"
    equal(run(s, "zsh", "-fn", path), set())
    with open(path) as f:
        text = f.read()
    check(text.startswith("#compdef telephonectl\n"), "compinit finds it")
    for word in tokens | options | options_of(s, "requests") | LEVELS | PROCESSES:
        check(re.search(rf"[\s('\[]{word}[\s)'\[]", text), word)
    # Its list of commands is telephonectl's own.
    script = re.search(r'\$\(telephonectl help.*?\)"', text, re.S)[0][2:-2]
    equal(run(s, "sh", "-c", script), commands)
