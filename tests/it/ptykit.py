# SPDX-License-Identifier: MIT
"""A terminal for programs that want one: a pty, and as much of a screen as the
sequences that telephonectl sends. Whatever else is sent is a failure."""
import fcntl, os, pty, re, select, signal, struct, subprocess, termios, threading, time, unicodedata

from harness import Failure, check, until

SEQUENCE = re.compile(r"\x1b\[(\??)([0-9;]*)([A-Za-z])")
MODES = {"1049", "25", "7"}  # alternate screen, cursor, wrapping


def width_of(c):
    return 0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1


class Screen:
    def __init__(self, rows, columns):
        self.modes = {"25": True, "7": True, "1049": False}
        self.faults, self.text = [], ""
        self.resize(rows, columns)

    def resize(self, rows, columns):
        self.rows, self.columns = rows, columns
        self.cells = [[" "] * columns for _ in range(rows)]
        self.row = self.column = 0

    def feed(self, text):
        self.text += text
        while self.text:
            if self.text[0] == "\x1b":
                found = SEQUENCE.match(self.text)
                if not found:
                    if len(self.text) > 20:
                        self.faults.append(f"no sequence: {self.text[:20]!r}")
                        self.text = self.text[1:]
                        continue
                    return  # the rest is yet to come
                self.obey(*found.groups())
                self.text = self.text[found.end():]
            else:
                self.put(self.text[0])
                self.text = self.text[1:]

    def obey(self, private, numbers, what):
        if private and what in "hl" and numbers in MODES:
            self.modes[numbers] = what == "h"
        elif what == "H" and not private:
            row, column = (int(n) for n in numbers.split(";"))
            self.row, self.column = row - 1, column - 1
            if row > self.rows or column > self.columns:
                self.faults.append(f"the cursor is sent to {row};{column} of {self.rows}x{self.columns}")
                self.row = min(self.row, self.rows - 1)
        elif what == "K" and numbers == "":
            self.cells[self.row][self.column:] = [" "] * (self.columns - self.column)
        elif what == "J" and numbers == "":
            for row in range(self.row, self.rows):
                self.cells[row] = [" "] * self.columns
        elif what == "m" and numbers in ("0", "1"):
            pass
        else:
            self.faults.append(f"an unknown sequence: {private}{numbers}{what}")

    def put(self, c):
        if not self.modes["1049"]:
            return  # the line discipline's, or what comes before and after
        if unicodedata.category(c) in ("Cc", "Cf"):
            self.faults.append(f"a control character: {c!r}")
            return
        width = width_of(c)
        if self.column + width > self.columns:
            self.faults.append(f"beyond the last column: {c!r} at {self.row + 1};{self.column + 1}")
            return
        if width:
            self.cells[self.row][self.column] = c
            if width == 2:
                self.cells[self.row][self.column + 1] = ""
        self.column += width

    def lines(self):
        return ["".join(row).rstrip() for row in self.cells]


class Terminal:
    """A program on a pty of its own; what it shows is in .screen."""

    def __init__(self, argv, rows=24, columns=80, env=None):
        self.screen, self.raw, self.lock = Screen(rows, columns), b"", threading.Lock()
        self.master, slave = pty.openpty()
        self.resize(rows, columns, tell=False)
        self.before = termios.tcgetattr(slave)
        self.slave = slave

        def session():
            os.setsid()
            fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
        self.proc = subprocess.Popen(argv, stdin=slave, stdout=slave, stderr=slave, preexec_fn=session, close_fds=True,
                                     env={"TERM": "xterm", "LC_ALL": "C.UTF-8", "PATH": os.environ["PATH"], **(env or {})})
        self.reading, self.stopped = True, False
        self.thread = threading.Thread(target=self.read, daemon=True)
        self.thread.start()

    def read(self):
        rest = b""
        while not self.stopped:
            if not self.reading:
                time.sleep(0.05)
                continue
            if not select.select([self.master], [], [], 0.1)[0]:
                continue
            try:
                data = os.read(self.master, 65536)
            except OSError:
                return
            with self.lock:
                self.raw += data
                data = rest + data
                text = data.decode(errors="ignore") if len(data) < 3 else data.decode("utf-8", "replace")
                # A character may be cut in two by a read.
                for cut in range(1, 4):
                    try:
                        text = data[:len(data) - cut + 1 if cut > 1 else len(data)].decode()
                        rest = data[len(data) - cut + 1:] if cut > 1 else b""
                        break
                    except UnicodeDecodeError:
                        continue
                self.screen.feed(text)

    def resize(self, rows, columns, tell=True):
        with self.lock:
            self.screen.resize(rows, columns)
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def lines(self):
        with self.lock:
            check(not self.screen.faults, self.screen.faults[:3])
            return self.screen.lines()

    def shows(self, pattern, seconds=30):
        until(lambda: any(re.search(pattern, line) for line in self.lines()),
              lambda: f"{pattern!r} on the screen:\n" + "\n".join(self.lines()), seconds)

    def keys(self, text):
        os.write(self.master, text if isinstance(text, bytes) else text.encode())

    def ends(self, code=0, seconds=30):
        try:
            got = self.proc.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            raise Failure("it does not end: " + "\n".join(self.screen.lines())) from None
        check(got == code, f"exit {got}, want {code}: {self.raw[-300:]!r}")

    def is_given_back(self):
        """The terminal is as it was: its modes, screen, cursor and wrapping."""
        until(lambda: self.screen.modes == {"25": True, "7": True, "1049": False}, lambda: f"modes {self.screen.modes}")
        after = termios.tcgetattr(self.slave)
        check(after == self.before, f"{after} was {self.before}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.proc.poll() is None:
            self.proc.send_signal(signal.SIGCONT)
            self.proc.kill()
        self.proc.wait()
        self.stopped = True
        self.thread.join(20)
        os.close(self.master)
        os.close(self.slave)
