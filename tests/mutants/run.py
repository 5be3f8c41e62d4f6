#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Breaks copies of the tree in the ways of catalogue.py, one at a time, and
asks the tests that must notice.

usage: run.py BUILD_DIR [PATTERN] (from the top of the tree, after `make`)

First and last a copy is built with a comment more, and all these tests pass:
else a test that always fails would catch everything. In between each mutant
applies at exactly one place, compiles, and fails at least one of its tests:
anything else (it survives, its code is gone, it does not compile) is a failure.
PATTERN chooses mutants by name. The copies begin with the objects of BUILD_DIR,
so that each mutant costs a compilation and a link, and work side by side.
"""
import concurrent.futures, glob, os, queue, re, shutil, subprocess, sys, time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
sys.dont_write_bytecode = True
from catalogue import MUTANTS

TEST_SECONDS = 300  # a mutant may also make something wait for ever
COPIES = (os.cpu_count() or 1) + 1  # tests wait more than they work
LEFT_OUT = shutil.ignore_patterns("build", ".git", "__pycache__")
BUILT = ("obj", "*.a", "flags", "version.c", "telephone", "worker", "tokend", "telephonectl", "switchboard",
         "demo-backend", "hostile")
UNIT = "unit:"  # what a pattern of tests begins with that names a unit test


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


def copy(out, tree):
    """The tree and what was built of it, with the same times."""
    shutil.copytree(".", tree, ignore=LEFT_OUT, symlinks=True)
    os.mkdir(f"{tree}/build")
    for path in (p for pattern in BUILT for p in glob.glob(f"{out}/{pattern}")):
        to = f"{tree}/build/{os.path.basename(path)}"
        shutil.copytree(path, to) if os.path.isdir(path) else shutil.copy2(path, to)
    with open(f"{out}/version.c", encoding="utf-8") as f:
        version = re.search(r'version\[\] = "(.*)"', f.read())[1]
    with open(f"{tree}/VERSION", "w", encoding="utf-8") as f:
        f.write(version + "\n")  # by git it could change, and no worker of another version is taken


def commands(tree, target):
    """What make would run for it, were everything older: {source: its compilation}, [what follows]. Make itself would
    build all anew, for the folder is a flag of its."""
    status, output = run(tree, "make", "-n", "NO_DEPS=1", "VARIANT=release", "O=build", target)
    if status != 0:
        sys.exit(output)
    compile, link = {}, []
    for line in output.splitlines():
        source = re.search(r" -c -o \S+\.o (\S+\.c)$", line)
        if source:
            compile[source[1]] = line
        elif re.search(rf"\brcs build/(worker|tokend|common)\.a | -o {target} ", line):
            link.append(line)
    return compile, link


def do(tree, lines):
    for line in lines:
        status, output = run(tree, "sh", "-c", line)
        if status != 0:
            raise Fault("it does not compile:\n" + output[-3000:])


def build(tree, target, source):
    """The target, after a change of this source."""
    compile, link = commands(tree, target)
    own = [line for path, line in compile.items() if path == source or path.startswith("tests/unit/")]
    for path in re.findall(r" -o (build/\S+)", " ".join(own + link)):
        os.makedirs(os.path.dirname(f"{tree}/{path}"), exist_ok=True)
    do(tree, own + link)


def unit_test(tree, name, source):
    build(tree, f"build/unit/{name}", source)
    status, output = run(tree, f"build/unit/{name}", seconds=TEST_SECONDS)
    return ([name], [], output) if status == 0 else ([], [name], output)


def tests(tree, pattern, source, jobs="2"):
    """Names of those that passed and of those that failed after a change of this source, and what they said."""
    if pattern.startswith(UNIT):
        return unit_test(tree, pattern[len(UNIT):], source)
    for name in ("worker", "tokend"):  # both: the last mutant may have been the other one's
        build(tree, f"build/{name}", source)
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
    source = os.path.relpath(path, tree)
    built = f"{tree}/build/obj/{source[:-2]}.o"
    with open(path, encoding="utf-8") as f:
        text = f.read()
    shutil.copy2(built, f"{tree}/kept.o")
    try:
        with open(path, "w", encoding="utf-8") as f:
            f.write(text.replace(old, new))
        passed, failed, output = tests(tree, mutant.tests, source)
    finally:
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        shutil.copy2(f"{tree}/kept.o", built)
    if not failed:
        raise Fault(f"it survives {', '.join(passed) or 'because no test ran'}: {'' if passed else output[-2000:]}")
    return failed


def report(trees, mutant):
    """A line about one mutant; true when it was caught."""
    at, tree = time.monotonic(), trees.get()
    try:
        noticed = try_one(tree, mutant)
        return True, f"caught   {mutant.name}: {', '.join(noticed)} ({time.monotonic() - at:.0f} s)"
    except Fault as fault:
        return False, f"FAIL     {mutant.name}: {fault}"
    finally:
        trees.put(tree)


def control(tree, chosen, begin):
    """As a mutant is tried, with a change that changes nothing."""
    with open(f"{tree}/worker/main.c", "a", encoding="utf-8") as f:
        f.write("/* the same */\n")
    units = sorted({m.tests for m in chosen if m.tests.startswith(UNIT)})
    others = "|".join(sorted({f"({m.tests})" for m in chosen if not m.tests.startswith(UNIT)}))
    count = 0
    for pattern in units + ([others] if others else []):
        passed, failed, output = tests(tree, pattern, "worker/main.c", jobs="4")
        if failed or not passed:
            sys.exit(f"the tree itself fails: {', '.join(failed) or 'no test ran'}\n{output[-3000:]}")
        count += len(passed)
    print(f"ok       the tree as it is, {count} tests ({time.monotonic() - begin:.0f} s)", flush=True)


def main():
    out, pattern = os.path.abspath(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else ""
    chosen = [m for m in MUTANTS if re.search(pattern, m.name)]
    if not chosen:
        sys.exit(f"no mutant's name matches {pattern!r}")
    begin, top, trees = time.monotonic(), os.path.join(out, "mutants"), queue.Queue()
    shutil.rmtree(top, ignore_errors=True)
    copies = [f"{top}/{n}" for n in range(min(COPIES, len(chosen)))]
    for tree in copies:
        copy(out, tree)
        trees.put(tree)
    control(copies[0], chosen, begin)
    caught = 0
    with concurrent.futures.ThreadPoolExecutor(len(copies)) as pool:
        for good, line in pool.map(lambda m: report(trees, m), chosen):
            caught += good
            print(line, flush=True)
    control(copies[0], chosen, begin)
    print(f"{caught} of {len(chosen)} mutants caught, {time.monotonic() - begin:.0f} s")
    shutil.rmtree(top, ignore_errors=True)
    return 0 if caught == len(chosen) else 1


sys.exit(main())
