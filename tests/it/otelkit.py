# SPDX-License-Identifier: MIT
"""A collector of OpenTelemetry: takes OTLP/HTTP in JSON, and takes nothing that
the published mapping does not have. Standard library only.

https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding: names in
lowerCamelCase, ids in hexadecimal (a sender writes one case: lower), integers
of 64 bits as decimal strings, enums as numbers. The fields are those of
opentelemetry/proto/trace/v1/trace.proto and its imports.

As a program it prints the spans that come, each below its parent:
usage: otelkit.py [PORT]"""
import http.server, json, re, ssl, sys, threading, time

from harness import check, equal, until

SERVER, CLIENT = 2, 3


class Malformed(Exception):
    pass


def must(good, what):
    if not good:
        raise Malformed(what)


def fields(value, where, required, optional=()):
    must(isinstance(value, dict), f"{where} is no object")
    must(not set(value) - set(required) - set(optional), f"{where} has {sorted(set(value) - set(required) - set(optional))}")
    must(set(required) <= set(value), f"{where} lacks {sorted(set(required) - set(value))}")


def text(value, where, least=0):
    must(isinstance(value, str) and len(value) >= least, f"{where}: {value!r}")


def hexadecimal(value, where, digits):
    must(isinstance(value, str) and re.fullmatch(f"[0-9a-f]{{{digits}}}", value) and value.strip("0"), f"{where}: {value!r}")


def integer(value, where, bits, least=0):
    """A number up to 32 bits, above that a string."""
    if bits == 64:
        must(isinstance(value, str) and re.fullmatch("0|-?[1-9][0-9]*", value), f"{where}: {value!r}")
        value = int(value)
    must(type(value) is int and least <= value < 2 ** (bits - (least < 0)), f"{where}: {value!r}")
    return value


def attributes(values, where):
    """As a dict; each key once, each value of one kind."""
    must(isinstance(values, list), f"{where} is no array")
    found = {}
    for a in values:
        fields(a, where, ("key", "value"))
        text(a["key"], where, 1)
        must(a["key"] not in found, f"{where}: {a['key']} twice")
        fields(a["value"], a["key"], (), ("stringValue", "intValue", "boolValue", "doubleValue"))
        must(len(a["value"]) == 1, f"{a['key']} has {a['value']}")
        (kind, value), = a["value"].items()
        if kind == "intValue":
            value = integer(value, a["key"], 64, -2 ** 63)
        else:
            must(type(value) is {"stringValue": str, "boolValue": bool, "doubleValue": float}[kind], f"{a['key']}: {value!r}")
        found[a["key"]] = value
    return found


class Span:
    def __init__(self, raw, resource):
        fields(raw, "span", ("traceId", "spanId", "name", "kind", "startTimeUnixNano", "endTimeUnixNano"),
               ("traceState", "parentSpanId", "flags", "attributes", "droppedAttributesCount", "events",
                "droppedEventsCount", "links", "droppedLinksCount", "status"))
        hexadecimal(raw["traceId"], "traceId", 32)
        hexadecimal(raw["spanId"], "spanId", 16)
        if "parentSpanId" in raw:
            hexadecimal(raw["parentSpanId"], "parentSpanId", 16)
        text(raw["name"], "name", 1)
        text(raw.get("traceState", "a"), "traceState", 1)
        self.trace, self.id, self.parent = raw["traceId"], raw["spanId"], raw.get("parentSpanId")
        self.state, self.name, self.resource = raw.get("traceState", ""), raw["name"], resource
        self.kind = integer(raw["kind"], "kind", 3)
        must(1 <= self.kind <= 5, f"kind {self.kind}")
        self.flags = integer(raw.get("flags", 0), "flags", 32)
        must(self.flags & ~0x3ff == 0, f"flags {self.flags:#x}")
        self.begin = integer(raw["startTimeUnixNano"], "startTimeUnixNano", 64)
        self.end = integer(raw["endTimeUnixNano"], "endTimeUnixNano", 64)
        must(0 < self.begin <= self.end, f"from {self.begin} to {self.end}")
        must(abs(self.end / 1e9 - time.time()) < 3600, f"ended {self.end}")
        self.attrs = attributes(raw.get("attributes", []), "attributes")
        status = raw.get("status", {})
        fields(status, "status", (), ("code", "message"))
        self.error = integer(status.get("code", 0), "status.code", 2) == 2
        self.events = [self.event(e) for e in raw.get("events", [])]

    def event(self, raw):
        fields(raw, "event", ("timeUnixNano", "name"), ("attributes", "droppedAttributesCount"))
        text(raw["name"], "event", 1)
        at = integer(raw["timeUnixNano"], "timeUnixNano", 64)
        must(self.begin <= at <= self.end, f"event at {at}, span from {self.begin} to {self.end}")
        return raw["name"], attributes(raw.get("attributes", []), "event")


def parse(body):
    """The spans of one ExportTraceServiceRequest, or Malformed."""
    request, spans = json.loads(body), []
    fields(request, "request", ("resourceSpans",))
    for r in request["resourceSpans"]:
        fields(r, "resourceSpans", ("resource", "scopeSpans"), ("schemaUrl",))
        fields(r["resource"], "resource", ("attributes",), ("droppedAttributesCount",))
        resource = attributes(r["resource"]["attributes"], "resource")
        must(resource.get("service.name"), "no service.name")
        for s in r["scopeSpans"]:
            fields(s, "scopeSpans", ("scope", "spans"), ("schemaUrl",))
            fields(s["scope"], "scope", ("name",), ("version", "attributes"))
            equal(s["scope"]["name"], "telephone")
            must(s["spans"], "no spans")
            spans += [Span(raw, resource) for raw in s["spans"]]
    return spans


class Collector:
    """Answers 200 {}, or whatever answer(number of the request) says: (status,
    fields, body), after `delay` seconds; None: never."""

    def __init__(self, answer=None, delay=0, port=0, tls=None):
        self.answer, self.delay, self.requests, self.faults = answer, delay, [], []
        self.times, self.bodies, self.spans, self.heads = [], [], [], []
        self.lock, self.ended, self.connections = threading.Lock(), threading.Event(), 0
        collector = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self):
                super().setup()
                collector.connections += 1

            def do_POST(self):
                collector.take(self)

            def log_message(self, *args):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.server.daemon_threads = True
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*tls)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.port = self.server.server_address[1]
        self.url = f"http{'s' if tls else ''}://127.0.0.1:{self.port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def take(self, handler):
        body = handler.rfile.read(int(handler.headers["content-length"]))
        with self.lock:
            number = len(self.bodies)
            self.times.append(time.monotonic())
            self.bodies.append(body)
            self.heads.append((handler.path, {k.lower(): v for k, v in handler.headers.items()}))
        status, more, answer = 200, {}, b"{}"
        try:
            must(handler.headers["content-type"] == "application/json", handler.headers["content-type"])
            spans = parse(body)
        except Exception as e:
            self.faults.append(f"{type(e).__name__}: {e}")
            return
        if self.delay:
            self.ended.wait(self.delay)
        if self.answer:
            said = self.answer(number)
            if said is None:
                self.ended.wait(600)
                return
            status, more, answer = said
        if status == 200:
            with self.lock:
                self.spans += spans
        handler.send_response(status)
        for name, value in {"content-type": "application/json", **more}.items():
            handler.send_header(name, value)
        handler.send_header("content-length", str(len(answer)))
        handler.end_headers()
        try:
            handler.wfile.write(answer)
        except OSError:
            pass

    def wait(self, count, seconds=20):
        """So many spans, all of them well-formed, and none more."""
        until(lambda: self.faults or len(self.spans) >= count, lambda: f"{count} spans, {len(self.spans)} came", seconds)
        time.sleep(0.3)
        check(not self.faults, self.faults)
        equal(len(self.spans), count, "spans")
        ids = [s.id for s in self.spans]
        equal(len(set(ids)), count, "ids")
        return self.spans

    def stop(self):
        self.ended.set()
        self.server.shutdown()
        self.server.server_close()


def lines(spans, parent=None, depth=0):
    """A tree of them, for people."""
    ids = {x.id for x in spans}
    for x in sorted(spans, key=lambda x: x.begin):
        if x.parent == parent if parent else x.parent not in ids:
            what = x.attrs.get("url.full") or x.attrs.get("url.path", "")
            code = x.attrs.get("http.response.status_code", "-")
            yield (f"{'  ' * depth}{('SERVER', 'CLIENT')[x.kind - 2]} {x.name} {what} {code} {(x.end - x.begin) / 1e6:.1f} ms"
                   + (f" {x.attrs['error.type']}" if x.error else "") + (f" trace={x.trace}" if not depth else ""))
            for name, attrs in x.events:
                yield f"{'  ' * (depth + 1)}{name} {attrs}"
            yield from lines(spans, x.id, depth + 1)


def of(spans, kind):
    return [s for s in spans if s.kind == kind]


def fast(collector, **more):
    """The least that a telephone needs to be traced within a test's patience."""
    return {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_BSP_SCHEDULE_DELAY": "100", **more}


def metrics(port):
    """The figures of tracing, of one worker."""
    from harness import request
    page = request(port, "GET", "/metrics").body.decode()
    found = {k: int(v) for k, v in re.findall(r'^telephone_trace_spans_total\{outcome="(\w+)"\} (\d+)$', page, re.M)}
    for name in ("queue_spans", "export_retries_total"):
        found[name] = int(re.search(rf"^telephone_trace_{name} (\d+)$", page, re.M)[1])
    return found


def main():
    shown = 0
    c = Collector(port=int(sys.argv[1]) if len(sys.argv) > 1 else 4318)
    print(f"OTEL_EXPORTER_OTLP_ENDPOINT={c.url}", flush=True)
    while True:
        time.sleep(0.1)
        with c.lock:
            new, faults = c.spans[shown:], c.faults[:]
            shown, c.faults[:] = len(c.spans), []
        for line in [*faults, *lines(new)]:
            print(line, flush=True)


if __name__ == "__main__":
    main()
