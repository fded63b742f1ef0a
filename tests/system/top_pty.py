#!/usr/bin/env python3
"""Drives a full-screen program on a pty: top_pty.py PROGRAM ARGS…. Exit status 0 when all was as it should be."""
import fcntl, os, pty, re, select, signal, struct, sys, termios, time

failed = False


def check(what, good, detail=""):
    global failed
    print(("good: " if good else "BAD: ") + what + ("" if good else " " + repr(detail)[-1500:]))
    failed = failed or not good


class Session:
    def __init__(self, rows=24, cols=120):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.environ["TERM"] = "xterm"
            os.environ.pop("NO_COLOR", None)
            time.sleep(0.1)
            os.execv(sys.argv[1], sys.argv[1:])
        self.size(rows, cols)
        self.before = termios.tcgetattr(self.fd)
        self.all = b""

    def size(self, rows, cols):
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, cols, 0, 0))

    def read(self, seconds):
        end, got = time.time() + seconds, b""
        while time.time() < end:
            if select.select([self.fd], [], [], 0.05)[0]:
                try:
                    data = os.read(self.fd, 65536)
                except OSError:
                    break
                if not data:
                    break
                got += data
        self.all += got
        return got.decode("utf-8", "replace")

    def until(self, pattern, seconds=10):
        """The last whole picture that matches, or None."""
        end, text = time.time() + seconds, ""
        while time.time() < end:
            text += self.read(0.1)
            for picture in reversed(text.split("\033[H")):
                plain = re.sub(r"\033\[[0-9;?]*[A-Za-z]", "", picture)
                if re.search(pattern, plain, re.S | re.M):
                    return plain
        self.last = text
        return None

    def key(self, k):
        os.write(self.fd, k.encode())

    def end(self):
        for _ in range(100):
            self.read(0.05)
            time.sleep(0.02)
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                return status
        return None

    def restored(self):
        now = termios.tcgetattr(self.fd)
        return now[3] == self.before[3] and self.all.rstrip().endswith(b"\033[?1049l") and b"\033[?25h" in self.all


def order(picture):
    return [line.split()[0] for line in picture.splitlines() if re.match(r"(busy|calm) ", line)]


s = Session()
p = s.until(r"^busy .*\|.*0\.[45].*\[host\].*\[total\]")
check("zones, bars, the host's row and the total", p is not None, s.all)
check("by CPU first", p and order(p) == ["busy", "calm"], p)
s.key("N")
p = s.until(r"by name\s*$")
s.key("r")
p = s.until(r"by name reversed")
check("N by name, r reversed", p and order(p) == ["calm", "busy"], p)
s.key("r")
s.key("M")
check("M by memory", s.until(r"by memory\s*$") is not None, s.all)
s.key("i")
p = s.until(r"^busy (?!.*^calm )")
check("i hides idle zones", p is not None, s.all)
s.key("h")
check("h helps", s.until(r"reverse the order") is not None, s.all)
s.key(" ")
s.key("i")
check("any key leaves the help", s.until(r"^calm ") is not None, s.all)
s.size(12, 60)
p = s.until(r"^busy ")
p = s.until(r"^busy ")
check("a smaller window: no line is longer", p and max(len(x.rstrip("\r")) for x in p.splitlines()) <= 60, p)
check("... and none is below it", p and len(p.splitlines()) <= 12, p)
s.key("\033[A")
s.key("x")
check("unknown keys do nothing", s.until(r"^busy ") is not None, s.all)
s.key("q")
status = s.end()
check("q: status 0", status == 0, status)
check("the terminal is as before", s.restored(), s.all[-200:])
for sig in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGSEGV):
    s = Session()
    s.until(r"^busy ")
    os.kill(s.pid, sig)
    status = s.end()
    check("%s ends it by that signal" % sig.name, status is not None and os.WIFSIGNALED(status) and os.WTERMSIG(status) == sig, status)
    check("... and the terminal is as before", s.restored(), s.all[-200:])
sys.exit(failed)
