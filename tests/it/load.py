# SPDX-License-Identifier: MIT
"""The load of traffic.py on a stage, and the judgement of its record:
requests answered wrongly, twice, or on another tunnel than they came by.
"""
import collections, json, os, re, subprocess, sys

from harness import Failure, check

HERE = os.path.dirname(os.path.abspath(__file__))
# What the telephone says when it is the backend that failed.
BACKEND_FAILED = re.compile(r'"error":"backend_')


class Traffic:
    """Stands in for the backend of a stage, too."""

    def __init__(self, stage):
        self.stage = stage
        self.file = os.path.join(stage.dir, "traffic.json")
        self.proc = subprocess.Popen([sys.executable, "-B", f"{HERE}/traffic.py", self.file], stdin=subprocess.PIPE,
                                     stdout=subprocess.PIPE, text=True)
        self.ports = {"http": int(re.search(r"http=(\d+)", self.proc.stdout.readline()).group(1))}
        stage.backend = self

    def say(self, *words):
        print(*words, file=self.proc.stdin, flush=True)
        answer = self.proc.stdout.readline()
        check(answer == "ok\n", f"traffic: {words} was answered with {answer!r}")

    def load(self, clients=4, pause_ms=30):
        self.say("load", self.stage.board.ports["http"], clients, pause_ms)

    def probe(self, count, delay_ms, size=0):
        self.say("probe", count, delay_ms, size)

    def finish(self):
        self.say("dump")
        self.stop()
        with open(self.file) as f:
            return Record(json.load(f))

    def stop(self):
        if self.proc.poll() is None:
            self.proc.terminate()
        self.proc.wait(timeout=20)
        for pipe in (self.proc.stdin, self.proc.stdout):
            if not pipe.closed:
                pipe.close()


class Record:
    def __init__(self, raw):
        self.requests, self.messages = raw["requests"], raw["messages"]
        self.events, self.backend = raw["events"], raw["backend"]
        self.asked = {m["marker"]: m for m in self.messages if m["event"] == "proxy_req"}
        self.failed = [r for r in self.requests if r["status"] != 200]

    def via(self, request):
        """(socket, join_ref) that a request was given to, or None."""
        m = self.asked.get(request["marker"])
        return (m["socket"], m["join_ref"]) if m else None

    def faults(self):
        """None of these may ever be."""
        faults, answers = [], collections.Counter()
        by_id = {m["id"]: m for m in self.messages if m["event"] == "proxy_req"}
        for r in self.requests:
            if r["end"] is None:
                faults.append(f"{r['marker']}: no end")
            elif r["status"] == 200 and not r["right"]:
                faults.append(f"{r['marker']}: answered wrongly with {r['text']!r}")
        for m in self.messages:
            if m["event"] != "proxy_res":
                continue
            answers[m["id"]] += 1
            asked = by_id.get(m["id"])
            if asked is None:
                faults.append(f"{m['id']}: an answer to what was not asked")
                continue
            if (m["socket"], m["join_ref"]) != (asked["socket"], asked["join_ref"]):
                faults.append(f"{asked['marker']}: asked on {asked['socket']}, join {asked['join_ref']}, "
                              f"answered on {m['socket']}, join {m['join_ref']}")
            if m["status"] == 200 and m["marker"] != asked["marker"]:
                faults.append(f"{asked['marker']}: answered as {m['marker']}")
        faults += [f"{i}: answered {n} times" for i, n in answers.items() if n > 1]
        for marker, seen in self.backend.items():
            if marker.startswith("wrong-"):
                faults.append(f"{marker}: the body was not what was sent")
            if len(seen) > 1:
                faults.append(f"{marker}: reached the backend {len(seen)} times")
        return faults

    def uncancelled(self, vias, cut_s, grace_s):
        """Requests lost with their join that the backend went on to work at."""
        found = []
        for r in self.requests:
            for begin, end, how in self.backend.get(r["marker"], []):
                if self.via(r) in vias and r["status"] != 200 and how == "answered" and end > cut_s + grace_s:
                    found.append(f"{r['marker']}: worked at until {end - cut_s:.2f} s after the loss")
        return found


def must(faults, what):
    if faults:
        raise Failure(f"{what}: {len(faults)}, " + "; ".join(faults[:8]))
