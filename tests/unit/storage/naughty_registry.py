#!/usr/bin/env python3
"""A registry that misbehaves as the repository's name says. Usage: naughty_registry.py PORT OTHER_PORT.
OTHER_PORT plays another host: it refuses every request that brings a credential. Prints `ready` when both listen."""
import base64, hashlib, json, random, socket, struct, sys, threading, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PORT, OTHER = int(sys.argv[1]), int(sys.argv[2])
MANIFEST = 'application/vnd.oci.image.manifest.v1+json'
INDEX = 'application/vnd.oci.image.index.v1+json'
dig = lambda b: 'sha256:' + hashlib.sha256(b).hexdigest()
random.seed(7)
layers = [random.randbytes(n) for n in (300000, 200000, 150000, 70000, 1000)]
config = json.dumps({'architecture': 'amd64', 'os': 'linux', 'config': {},
                     'rootfs': {'type': 'layers', 'diff_ids': [dig(x) for x in layers]}}).encode()
desc = lambda b, t: {'mediaType': t, 'digest': dig(b), 'size': len(b)}
manifest = json.dumps({'schemaVersion': 2, 'mediaType': MANIFEST,
    'config': desc(config, 'application/vnd.oci.image.config.v1+json'),
    'layers': [desc(x, 'application/vnd.oci.image.layer.v1.tar') for x in layers + layers[:1]]}).encode()
blobs = {dig(b): b for b in layers + [config]}
plat = lambda arch, **kw: dict(desc(manifest, MANIFEST), platform=dict(os='linux', architecture=arch, **kw))
index = json.dumps({'schemaVersion': 2, 'mediaType': INDEX, 'manifests': [plat('s390x'), plat('amd64'), plat('arm64', variant='v8')]}).encode()
foreign = json.dumps({'schemaVersion': 2, 'mediaType': INDEX, 'manifests': [plat('s390x')]}).encode()
lying = json.dumps({'schemaVersion': 2, 'mediaType': INDEX, 'manifests': [dict(plat('amd64'), size=len(manifest) + 1)]}).encode()
nested = json.dumps({'schemaVersion': 2, 'mediaType': INDEX, 'manifests': [desc(index, INDEX)]}).encode()
unknown = manifest.replace(b'layer.v1.tar', b'layer.v9.rar')
many = json.dumps(dict(json.loads(manifest), layers=[desc(layers[0], 'application/vnd.oci.image.layer.v1.tar')] * 1000)).encode()
by_digest = {dig(b): b for b in (manifest, index, foreign, lying, nested)}
seen, lock = {}, threading.Lock()

def times(key):
    with lock:
        seen[key] = seen.get(key, 0) + 1
        return seen[key]

class Handler(BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'
    disable_nagle_algorithm = True
    def log_message(self, *a): pass
    def reply(self, status, body=b'', type='application/json', announce=None, **headers):
        self.send_response(status)
        self.send_header('Content-Type', type)
        self.send_header('Content-Length', str(len(body) if announce is None else announce))
        for k, v in headers.items(): self.send_header(k.replace('_', '-'), v)
        self.end_headers()
        if self.command != 'HEAD': self.wfile.write(body)
    def refuse(self, status, code='NO', **headers):
        self.reply(status, json.dumps({'errors': [{'code': code, 'message': 'as you wished'}]}).encode(), **headers)
    def cut(self):
        self.wfile.flush()
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
        self.connection.close()
        self.close_connection = True
    def token(self):
        want = 'Basic ' + base64.b64encode(b'user:pa ss').decode()
        if self.headers.get('Authorization') != want: return self.refuse(401)
        self.reply(200, json.dumps({'token': 'tok%d' % times('token')}).encode())
    def may(self, repo):
        auth = self.headers.get('Authorization', '')
        if repo in ('bearer', 'redirect', 'evilrealm', 'expires'):
            ok = auth.startswith('Bearer tok') and not (repo == 'expires' and auth == 'Bearer tok' + str(seen.get('first')))
            if repo == 'expires' and auth and 'first' not in seen:
                seen['first'] = auth[10:]; ok = False
            realm = 'file:///etc/passwd' if repo == 'evilrealm' else 'http://127.0.0.1:%d/token' % PORT
            if not ok: self.refuse(401, WWW_Authenticate='Bearer realm="%s",service="me",scope="repository:%s:pull"' % (realm, repo))
            return ok
        if repo == 'basic':
            ok = auth == 'Basic ' + base64.b64encode(b'user:pa ss').decode()
            if not ok: self.refuse(401, WWW_Authenticate='Basic realm="x"')
            return ok
        return True
    def manifests(self, repo, name):
        special = {'s401': (401,), 's403': (403,), 's404': (404,), 's500': (500,)}
        if repo in special: return self.refuse(*special[repo])
        if repo == 's429': return self.refuse(429, 'TOOMANYREQUESTS', Retry_After='86400')
        if repo == 'flaky' and times('flaky') <= 2: return self.refuse(503, Retry_After='1')
        if repo == 'huge':
            self.send_response(200); self.send_header('Content-Length', str(100 << 20)); self.end_headers()
            for _ in range(100): self.wfile.write(b'{' * (1 << 20))
            return
        if repo == 'headers':
            self.send_response(200); self.flush_headers()
            try:
                for i in range(100000): self.wfile.write(b'X-Pad-%d: %s\r\n' % (i, b'x' * 200))
            except OSError: pass
            return self.cut()
        body = by_digest.get(name) or {'index': index, 'foreign': foreign, 'nested': nested, 'unknown': unknown, 'many': many, 'lying': lying,
            'empty': b'', 'words': b'not found, sorry', 'deep': b'[' * 100000}.get(repo, manifest)
        kind = INDEX if b'"manifests"' in body else MANIFEST
        if repo == 'schema1': kind = 'application/vnd.docker.distribution.manifest.v1+prettyjws'
        self.reply(200, body, kind, Docker_Content_Digest=dig(b'else') if repo == 'liar' else dig(body))
    def blob(self, repo, name):
        data = blobs.get(name)
        if data is None: return self.refuse(404, 'BLOB_UNKNOWN')
        n, large, port = times((repo, name)), len(data) > 100000, self.server.server_address[1]
        if repo == 'circle': return self.reply(307, Location=self.path)
        if repo == 'file': return self.reply(307, Location='file:///etc/passwd')
        if repo == 'redirect' and port == PORT: return self.reply(307, Location='http://127.0.0.1:%d%s' % (OTHER, self.path))
        if repo == 'more': return self.reply(200, data + b'more bytes')
        if repo == 'wrong' and large: return self.reply(200, data[:-1] + b'?')
        if repo == 'short': data = data[:len(data) // 2]
        start, status, extra = 0, 200, {}
        rng = self.headers.get('Range')
        if rng and repo not in ('norange', 'shortnorange'):
            start = int(rng[6:].split('-')[0])
            if start >= len(data): return self.reply(416, Content_Range='bytes */%d' % len(data))
            first = 0 if repo == 'otherrange' else start
            status, extra = 206, {'Content_Range': 'bytes %d-%d/%d' % (first, len(data) - 1, len(data))}
        if repo == 'shortnorange': return self.reply(200, data[:len(data) // 2])
        body = data[start:]
        if large and (repo in ('reset', 'otherrange') or (repo == 'norange' and n <= 2)):
            self.reply(status, body[:60000], announce=len(body), **extra)
            if len(body) > 60000: self.cut()
            return
        if large and (repo == 'dead' or (repo == 'stall' and n == 1)):
            self.reply(status, body[:60000] if n == 1 else b'', announce=len(body), **extra)
            self.wfile.flush()
            time.sleep(8)
            return self.cut()
        if repo == 'slow':
            self.reply(status, b'', announce=len(body), **extra)
            for i in range(0, len(body), 20000): self.wfile.write(body[i:i + 20000]); time.sleep(0.02)
            return
        self.reply(status, body, **extra)
    def do_GET(self):
        if self.server.server_address[1] == OTHER and self.headers.get('Authorization'): return self.refuse(400, 'LEAKED')
        if self.path.startswith('/token'): return self.token()
        part = self.path.split('?')[0].strip('/').split('/')
        if part == ['v2']: return self.reply(200, b'{}')
        if part[0] == 'count': return self.reply(200, str(sum(v for k, v in seen.items() if isinstance(k, tuple) and k[0] == part[1])).encode())
        if len(part) != 4: return self.refuse(404)
        if self.server.server_address[1] == PORT and not self.may(part[1]): return
        (self.manifests if part[2] == 'manifests' else self.blob)(part[1], part[3])
    do_HEAD = do_GET

class Server(ThreadingHTTPServer):
    daemon_threads = True
    def handle_error(self, *a): pass

servers = [Server(('127.0.0.1', p), Handler) for p in (PORT, OTHER)]
for s in servers: threading.Thread(target=s.serve_forever, daemon=True).start()
print('ready', dig(manifest), flush=True)
sys.stdin.read()  # ends with its parent
