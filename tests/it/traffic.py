#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""A steady load, the backend behind it, and the record of both.

usage: traffic.py FILE

A program of its own, so that its times are not those of a test runner with
many threads. Each request carries a marker that no other has; the backend
answers with it, and notes each time it sees it. Meanwhile switchboard's record
is read, before its ring forgets. Prints http=PORT (the backend's), takes lines
on its standard input, and answers each with "ok":

    load BOARD CLIENTS PAUSE_MS    begins the load, with GET and POST in turn
    probe COUNT DELAY_MS SIZE      so many more, that take that long each
    backend off|on                 the backend is gone, connections reset; and back
    board BOARD                    another switchboard: its record begins anew
    dump                           no new requests; when all have ended, writes
                                   everything to FILE, as JSON
"""
import asyncio, json, re, sys, time
from urllib.parse import parse_qs, urlsplit

REQUEST_TIMEOUT_S = 40
LOG_EVERY_S = 0.1
ID = re.compile(r'"request_id":"([0-9a-f-]{36})"')
STATUS = re.compile(r'"status":(\d+)')
REFS = re.compile(r'\["(\d+)",')
MARKER = re.compile(r"m-\d+")


def body_of(marker, size):
    """What the answer to a marker must be."""
    return (marker + "\n").encode() + b"." * size


class Backend(asyncio.Protocol):
    """One connection: answers /?m=MARKER&d=DELAY_MS&n=SIZE."""

    seen = {}  # marker: [[begin, end or None, "open", "answered" or "cancelled"], …]
    open = set()

    def connection_made(self, transport):
        self.transport, self.data, self.entry, self.timer = transport, b"", None, None
        Backend.open.add(self)

    def connection_lost(self, error):
        Backend.open.discard(self)
        if self.timer:
            self.timer.cancel()
            self.end("cancelled")

    def end(self, how):
        self.timer = None
        self.entry[1:] = [time.monotonic(), how]

    def data_received(self, data):
        self.data += data
        head, found, rest = self.data.partition(b"\r\n\r\n")
        if not found:
            return
        length = re.search(rb"(?im)^content-length: *(\d+)", head)
        length = int(length.group(1)) if length else 0
        if len(rest) < length:
            return
        self.data = rest[length:]
        query = parse_qs(urlsplit(head.split(b" ", 2)[1].decode()).query)
        marker, delay, size = query["m"][0], int(query["d"][0]), int(query["n"][0])
        if head.startswith(b"POST") and rest[:length] != marker.encode() * 3:
            marker = "wrong-" + marker
        self.entry = [time.monotonic(), None, "open"]
        Backend.seen.setdefault(marker, []).append(self.entry)
        self.timer = asyncio.get_running_loop().call_later(delay / 1000, self.answer, marker, size)

    def answer(self, marker, size):
        body = body_of(marker, size)
        self.transport.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: %d\r\n\r\n" % len(body) + body)
        self.end("answered")


async def fetch(port, head, body=b""):
    """(status, body) of one exchange on a connection of its own."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(head.encode() + b"host: x\r\nconnection: close\r\ncontent-length: %d\r\n\r\n" % len(body) + body)
        answer = await reader.read(-1)
    finally:
        writer.transport.abort()
    head, found, body = answer.partition(b"\r\n\r\n")
    if not found:
        raise OSError("no answer")
    length = re.search(rb"(?im)^content-length: *(\d+)", head)
    if length and len(body) < int(length.group(1)):
        # Its sender died under it: no answer, and not a wrong one.
        raise OSError(f"cut off: {len(body)} of {int(length.group(1))} octets")
    return int(head.split(b" ", 2)[1]), body


class Traffic:
    def __init__(self, file):
        self.file, self.board, self.since = file, None, 0
        self.requests, self.messages, self.events = [], [], []
        self.last, self.stopped, self.tasks, self.server = 0, False, set(), None

    async def backend(self, what):
        if what == "on":
            port = self.port if self.server else 0
            self.server = await asyncio.get_running_loop().create_server(Backend, "127.0.0.1", port, backlog=512)
            self.port = self.server.sockets[0].getsockname()[1]
        else:
            self.server.close()
            for connection in list(Backend.open):
                connection.transport.abort()

    # --- clients -------------------------------------------------------------
    async def request(self, delay, size):
        self.last += 1
        marker = f"m-{self.last}"
        post = self.last % 2 == 0
        entry = {"marker": marker, "begin": time.monotonic(), "end": None, "status": 0, "right": False, "text": "",
                 "delay": delay}
        self.requests.append(entry)
        head = f"{'POST' if post else 'GET'} /call/demo/t?m={marker}&d={delay}&n={size} HTTP/1.1\r\n"
        try:
            entry["status"], body = await asyncio.wait_for(
                fetch(self.board, head, marker.encode() * 3 if post else b""), REQUEST_TIMEOUT_S)
            entry["right"] = body == body_of(marker, size)
            entry["text"] = body[:200].decode("latin-1")
        except (OSError, asyncio.TimeoutError) as e:
            entry["text"] = repr(e)
        entry["end"] = time.monotonic()

    async def client(self, number, pause):
        while not self.stopped:
            # A server gives requests to its sockets in turn: by five, so that the long ones are not always one's.
            await self.request((0, 0, 40, 150, 0)[self.last % 5], (0, 2000, 0, 30000)[self.last // 5 % 4])
            await asyncio.sleep(pause)

    def spawn(self, coro):
        task = asyncio.ensure_future(coro)
        self.tasks.add(task)
        return task

    # --- switchboard's record --------------------------------------------------
    async def read_log(self):
        if self.board is None:
            return
        _, body = await fetch(self.board, f"GET /admin/log?since={self.since} HTTP/1.1\r\n")
        for line in body.decode().splitlines():
            entry = json.loads(line)
            self.since = entry["n"]
            self.note(entry)

    def note(self, e):
        t = e["t"] / 1000
        if e["dir"] == "event":
            self.events.append({"t": t, "socket": e["socket"], "what": e["what"], "text": e["text"]})
            return
        text, refs = e.get("text", ""), REFS.match(e.get("text", ""))
        event = "proxy_req" if '"proxy_req"' in text[:200] else "proxy_res" if '"proxy_res"' in text[:200] else None
        if event is None or not refs or not ID.search(text):
            return
        marker, status = MARKER.search(text[text.index("proxy_re"):]), STATUS.search(text)
        self.messages.append({"t": t, "socket": e["socket"], "join_ref": refs.group(1), "event": event,
                              "id": ID.search(text).group(1), "marker": marker.group(0) if marker else None,
                              "status": int(status.group(1)) if status and event == "proxy_res" else None})

    async def watch(self):
        while True:
            try:
                await self.read_log()
            except OSError:
                pass  # it restarts
            await asyncio.sleep(LOG_EVERY_S)

    # --- commands --------------------------------------------------------------
    async def command(self, verb, *args):
        if verb == "load":
            self.board = int(args[0])
            self.watcher = asyncio.ensure_future(self.watch())
            for n in range(int(args[1])):
                self.spawn(self.client(n, int(args[2]) / 1000))
        elif verb == "probe":
            for _ in range(int(args[0])):
                self.spawn(self.request(int(args[1]), int(args[2])))
        elif verb == "backend":
            await self.backend(args[0])
        elif verb == "board":
            self.board, self.since = int(args[0]), 0
        elif verb == "dump":
            await self.dump()

    async def dump(self):
        self.stopped = True
        await asyncio.gather(*self.tasks)
        await asyncio.sleep(LOG_EVERY_S)
        self.watcher.cancel()
        await self.read_log()
        with open(self.file, "w") as f:
            json.dump({"requests": self.requests, "messages": self.messages, "events": self.events,
                       "backend": Backend.seen}, f)

    async def run(self):
        await self.backend("on")
        print(f"traffic http={self.port}", flush=True)
        reader = asyncio.StreamReader()
        await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        while line := (await reader.readline()).decode().split():
            await self.command(*line)
            print("ok", flush=True)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        print("usage: traffic.py FILE", file=sys.stderr)
        sys.exit(64)
    asyncio.run(Traffic(sys.argv[1]).run())
