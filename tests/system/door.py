#!/usr/bin/env python3
# A door out of a test's own network namespace, for apt: `door.py out SOCKET` is an HTTP proxy on a Unix socket, outside, which keeps
# packages in a folder so that the mirror is asked once; `door.py in SOCKET PORT` takes connections inside and passes them on.
import hashlib, http.client, http.server, os, socket, socketserver, sys, threading, urllib.parse

CACHE = os.path.join(os.environ.get("ZONED_TEST_CACHE", "/var/tmp/zoned-cache"), "apt")


class Proxy(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.0"

    def address_string(self):
        return "-"

    def log_message(self, *args):
        pass

    def answer(self, status, headers, body):
        self.send_response(status)
        for k, v in headers:
            self.send_header(k, v)
        self.end_headers()
        while self.command != "HEAD" and (piece := body.read(65536)):
            self.wfile.write(piece)

    def do_GET(self):
        url = urllib.parse.urlsplit(self.path)
        if url.scheme != "http" or not url.hostname:
            return self.send_error(400)
        keep = url.path.endswith(".deb") or "/by-hash/" in url.path
        path = os.path.join(CACHE, hashlib.sha256(self.path.encode()).hexdigest())
        if keep and os.path.exists(path):
            with open(path, "rb") as f:
                return self.answer(200, [("Content-Length", str(os.path.getsize(path)))], f)
        c = http.client.HTTPConnection(url.hostname, url.port or 80, timeout=60)
        c.request("GET", url.path + ("?" + url.query if url.query else ""), headers={"Host": url.netloc})
        r = c.getresponse()
        if not keep or r.status != 200:
            length = r.getheader("Content-Length")
            return self.answer(r.status, ([("Content-Length", length)] if length else []) +
                               [(k, v) for k, v in r.getheaders() if k.lower() in ("location", "last-modified")], r)
        part = "%s.%d.%d" % (path, os.getpid(), threading.get_ident())
        with open(part, "wb") as f:
            while piece := r.read(65536):
                f.write(piece)
        if r.length:  # cut off
            os.unlink(part)
            return self.send_error(502)
        os.rename(part, path)
        with open(path, "rb") as f:
            self.answer(200, [("Content-Length", str(os.path.getsize(path)))], f)

    do_HEAD = do_GET


class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True

    def get_request(self):
        return self.socket.accept()[0], ("-", 0)


def pump(a, b):
    try:
        while piece := a.recv(65536):
            b.sendall(piece)
        b.shutdown(socket.SHUT_WR)
    except OSError:
        pass


def inside(path, port):
    s = socket.create_server(("0.0.0.0", port))
    while True:
        c = s.accept()[0]
        u = socket.socket(socket.AF_UNIX)
        u.connect(path)
        for x, y in ((c, u), (u, c)):
            threading.Thread(target=pump, args=(x, y), daemon=True).start()


if sys.argv[1] == "out":
    os.makedirs(CACHE, exist_ok=True)
    Server(sys.argv[2], Proxy).serve_forever()
else:
    inside(sys.argv[2], int(sys.argv[3]))
