#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Breaks a copy of the tree in the ways of catalogue.py, one at a time, and
asks the tests that must notice.

usage: run.py BUILD_DIR [PATTERN] (from the top of the tree)

First and last the copy is built with a comment more, and all these tests pass: else a
test that always fails would catch everything. In between each mutant applies
at exactly one place, compiles, and fails at least one of its tests: anything
else (it survives, its code is gone, it does not compile) is a failure.
PATTERN chooses mutants by name.
"""
import glob, os, re, shutil, subprocess, sys, time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
sys.dont_write_bytecode = True
from catalogue import MUTANTS

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
    """(path, old, new) of the only place where it applies."""
    found = []
    for path in sorted(path for folder in ("worker", "tokend", "common") for path in glob.glob(f"{tree}/{folder}/*.c")):
        with open(path, encoding="utf-8") as f:
            text = f.read()
        found += [(path, old, new) for old, new in mutant.pairs for _ in range(text.count(old))]
    if len(found) != 1:
        raise Fault(f"its code was found {len(found)} times: catalogue.py has to follow the change")
    return found[0]


def try_one(tree, mutant):
    """The tests that noticed."""
    path, old, new = find(tree, mutant)
    with open(path, encoding="utf-8") as f:
        text = f.read()
    try:
        with open(path, "w", encoding="utf-8") as f:
            f.write(text.replace(old, new))
        build(tree, "build/worker", "build/tokend")
        passed, failed, output = tests(tree, mutant.tests)
    finally:
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
    if not failed:
        raise Fault(f"it survives {', '.join(passed) or 'because no test ran'}: {'' if passed else output[-2000:]}")
    return failed


def control(tree, chosen, begin):
    """As a mutant is tried, with a change that changes nothing."""
    with open(f"{tree}/worker/main.c", "a", encoding="utf-8") as f:
        f.write("/* the same */\n")
    build(tree, "build/worker")
    passed, failed, output = tests(tree, "|".join(sorted({f"({m.tests})" for m in chosen})))
    if failed or not passed:
        sys.exit(f"the tree itself fails: {', '.join(failed) or 'no test ran'}\n{output[-3000:]}")
    print(f"ok       the tree as it is, {len(passed)} tests ({time.monotonic() - begin:.0f} s)", flush=True)


def main():
    out, pattern = os.path.abspath(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else ""
    chosen = [m for m in MUTANTS if re.search(pattern, m.name)]
    if not chosen:
        sys.exit(f"no mutant's name matches {pattern!r}")
    begin, tree = time.monotonic(), os.path.join(out, "mutants")
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
            print(f"caught   {mutant.name}: {', '.join(try_one(tree, mutant))} ({time.monotonic() - at:.0f} s)", flush=True)
        except Fault as fault:
            faults += 1
            print(f"FAIL     {mutant.name}: {fault}", flush=True)
    control(tree, chosen, begin)
    print(f"{len(chosen) - faults} of {len(chosen)} mutants caught, {time.monotonic() - begin:.0f} s")
    shutil.rmtree(tree, ignore_errors=True)
    return 1 if faults else 0


sys.exit(main())
