#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Takes the walls of walls.py away in a copy of the tree, one at a time, and
asks the attacks that must notice.

usage: take_walls.py BUILD_DIR [PATTERN] (from the top of the tree)

First and last the copy is built with a comment more, and all these tests pass: else a
test that always fails would catch everything. In between each part of a
wall is found at exactly one place, what is left compiles, and at least one of
its tests fails: anything else is a failure. PATTERN chooses walls by name.
"""
import glob, os, re, shutil, subprocess, sys, time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
sys.dont_write_bytecode = True
from catalogue import Mutant
from walls import WALLS

PROGRAMS = [f"build/{name}" for name in ("telephone", "worker", "tokend", "hostile/worker", "hostile/tokend")]

TEST_SECONDS = 300  # a mutant may also make something wait for ever
LEFT_OUT = shutil.ignore_patterns("build", ".git", "__pycache__")


class Fault(Exception):
    pass


def run(tree, *argv, seconds=900):
    """(exit status, output); None when it took too long."""
    process = subprocess.Popen(argv, cwd=tree, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
    try:
        output, _ = process.communicate(timeout=seconds)
        return process.returncode, output
    except subprocess.TimeoutExpired:
        process.terminate()
        output, _ = process.communicate()
        return None, output


def build(tree, *targets):
    status, output = run(tree, "make", "-j2", "NO_DEPS=1", "VARIANT=release", "O=build", *targets)
    if status != 0:
        raise Fault("it does not compile:\n" + output[-3000:])


def tests(tree, pattern, jobs="2"):
    """Names of those that passed and of those that failed."""
    status, output = run(tree, sys.executable, "-B", "tests/it/run.py", "build", "-j", jobs, "-k", pattern,
                         seconds=TEST_SECONDS)
    if status is None:
        return [], ["(no end)"], output
    return [re.findall(rf"^{word} +(\S+) \(", output, re.M) for word in ("ok", "FAIL")] + [output]


def find(tree, mutant):
    """[(path, old, new)]: one place for each of its pairs."""
    found = []
    folders = ("worker", "common", "tokend", "supervisor")
    for path in sorted(path for folder in folders for path in glob.glob(f"{tree}/{folder}/*.c")):
        with open(path, encoding="utf-8") as f:
            text = f.read()
        found += [(path, old, new) for old, new in mutant.pairs for _ in range(text.count(old))]
    if len(found) != len(mutant.pairs) or len(found) != len(set(found)):
        raise Fault(f"its code was found {len(found)} times: its catalogue has to follow the change")
    return found


def try_one(tree, mutant):
    """The tests that noticed."""
    found, texts = find(tree, mutant), {}
    for path, _, _ in found:
        with open(path, encoding="utf-8") as f:
            texts[path] = f.read()
    try:
        for path, old, new in found:
            with open(path, encoding="utf-8") as f:
                text = f.read()
            with open(path, "w", encoding="utf-8") as f:
                f.write(text.replace(old, new))
        build(tree, *PROGRAMS)
        passed, failed, output = tests(tree, mutant.tests)
    finally:
        for path, text in texts.items():
            with open(path, "w", encoding="utf-8") as f:
                f.write(text)
    if not failed:
        raise Fault(f"it survives {', '.join(passed) or 'because no test ran'}: {'' if passed else output[-2000:]}")
    return failed


def control(tree, chosen, begin):
    """As a mutant is tried, with a change that changes nothing."""
    with open(f"{tree}/worker/main.c", "a", encoding="utf-8") as f:
        f.write("/* the same */\n")
    build(tree, *PROGRAMS)
    passed, failed, output = tests(tree, "|".join(sorted({f"({m.tests})" for m in chosen})))
    if failed or not passed:
        sys.exit(f"the tree itself fails: {', '.join(failed) or 'no test ran'}\n{output[-3000:]}")
    print(f"ok       the tree as it is, {len(passed)} tests ({time.monotonic() - begin:.0f} s)", flush=True)


def main():
    out, pattern = os.path.abspath(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else ""
    chosen = [Mutant(name, tests, *pairs) for name, tests, *pairs in WALLS if re.search(pattern, name)]
    if not chosen:
        sys.exit(f"no wall's name matches {pattern!r}")
    begin, tree = time.monotonic(), os.path.join(out, "walls")
    shutil.rmtree(tree, ignore_errors=True)
    shutil.copytree(".", tree, ignore=LEFT_OUT, symlinks=True)
    with open(f"{tree}/VERSION", "w", encoding="utf-8") as f:
        f.write("mutant\n")  # by git it could change, and no worker of another version is taken
    build(tree, "all")
    control(tree, chosen, begin)
    faults = 0
    for mutant in chosen:
        at = time.monotonic()
        try:
            print(f"noticed  {mutant.name}: {', '.join(try_one(tree, mutant))} ({time.monotonic() - at:.0f} s)", flush=True)
        except Fault as fault:
            faults += 1
            print(f"FAIL     {mutant.name}: {fault}", flush=True)
    control(tree, chosen, begin)
    print(f"{len(chosen) - faults} of {len(chosen)} walls noticed, {time.monotonic() - begin:.0f} s")
    shutil.rmtree(tree, ignore_errors=True)
    return 1 if faults else 0


sys.exit(main())
