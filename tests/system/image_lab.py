#!/usr/bin/env python3
"""Images for the tests. image_lab.py
  tree DIR            every node below DIR with all that it carries, one a line, to be compared
  rich DIR HOW        an OCI layout DIR/rich-HOW with three layers that hold everything a layer can hold
  bad DIR             archives that must be refused: DIR/NAME.tar
  big DIR MIB LAYERS  an OCI layout of random layers"""
import gzip, hashlib, io, json, os, stat, struct, sys, tarfile

T = 1700000000


def sha(b):
    return hashlib.sha256(b).hexdigest()


class Tar:
    """A plain tar in memory, pax, with whatever a test wants in its headers."""

    def __init__(self):
        self.out = io.BytesIO()
        self.tar = tarfile.open(fileobj=self.out, mode="w", format=tarfile.PAX_FORMAT)

    def add(self, name, kind=tarfile.REGTYPE, data=b"", mode=0o644, uid=0, gid=0, mtime=T, link="", pax=None, dev=None):
        i = tarfile.TarInfo(name)
        i.type, i.mode, i.uid, i.gid, i.mtime, i.linkname = kind, mode, uid, gid, mtime, link
        i.size = len(data)
        if dev:
            i.devmajor, i.devminor = dev
        i.pax_headers = dict(pax or {})
        self.tar.addfile(i, io.BytesIO(data) if data else None)
        return self

    def dir(self, name, mode=0o755, **k):
        return self.add(name, tarfile.DIRTYPE, mode=mode, **k)

    def bytes(self):
        self.tar.close()
        return self.out.getvalue()


def put(layout, data):
    path = f"{layout}/blobs/sha256/{sha(data)}"
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as f:
        f.write(data)
    return {"digest": "sha256:" + sha(data), "size": len(data)}


def pack(data, how):
    if how == "gzip":
        return gzip.compress(data, 6, mtime=0)
    if how == "zstd":
        import subprocess
        return subprocess.run(["zstd", "-q", "-c"], input=data, stdout=subprocess.PIPE, check=True).stdout
    return data


def image(layout, layers, config=None, tag="latest", arch="amd64"):
    """layers: [(plain tar, gzip|zstd|plain)]"""
    blobs = []
    for data, how in layers:
        d = put(layout, pack(data, how))
        d["mediaType"] = "application/vnd.oci.image.layer.v1.tar" + ("" if how == "plain" else "+" + how)
        blobs.append(d)
    conf = {"architecture": arch, "os": "linux", "config": config or {},
            "rootfs": {"type": "layers", "diff_ids": ["sha256:" + sha(data) for data, _ in layers]}}
    c = put(layout, json.dumps(conf).encode())
    c["mediaType"] = "application/vnd.oci.image.config.v1+json"
    m = put(layout, json.dumps({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
                                "config": c, "layers": blobs}).encode())
    m["mediaType"] = "application/vnd.oci.image.manifest.v1+json"
    m["annotations"] = {"org.opencontainers.image.ref.name": tag}
    index = {"schemaVersion": 2, "manifests": [m]}
    with open(f"{layout}/index.json", "w") as f:
        json.dump(index, f)
    with open(f"{layout}/oci-layout", "w") as f:
        f.write('{"imageLayoutVersion":"1.0.0"}')
    return m


def cap(permitted):
    """security.capability, version 2, effective."""
    return struct.pack("<IIIII", 0x02000001, permitted, 0, 0, 0)


def acl(*entries):
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", t, p, i) for t, p, i in entries)


def xattr(name, value):
    return {"SCHILY.xattr." + name: value.decode("utf-8", "surrogateescape")}


def sparse(name, size, pieces):
    """GNU sparse 1.0: pieces [(offset, data)]"""
    head = f"{len(pieces) + 1}\n" + "".join(f"{o}\n{len(d)}\n" for o, d in pieces) + f"{size}\n0\n"
    block = head.encode().ljust((len(head) + 511) // 512 * 512, b"\0")
    return (block + b"".join(d for _, d in pieces),
            {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.name": name, "GNU.sparse.realsize": str(size)})


def rich_layers():
    a = Tar()
    for d in ("bin", "dev", "etc", "gone", "hidden", "hidden/deep", "kept", "opt", "srv", "usr", "var"):
        a.dir(d)
    a.dir("tmp", mode=0o1777).dir("shared", mode=0o2775, gid=50)
    a.add("dev/null", tarfile.CHRTYPE, mode=0o666, dev=(1, 3))
    a.add("bin/busybox", data=open("/bin/busybox", "rb").read(), mode=0o755)
    for name in ("sh", "ls", "cat", "id", "echo", "sleep", "stat", "touch", "rm", "mkdir", "env", "pwd", "dd", "ln", "mknod", "wc"):
        a.add("bin/" + name, tarfile.SYMTYPE, link="busybox")
    a.add("etc/passwd", data=b"root:x:0:0:root:/root:/bin/sh\nweb:x:33:33:web:/srv:/bin/sh\n")
    a.add("etc/group", data=b"root:x:0:\nweb:x:33:\nlogs:x:44:web\n")
    a.add("opt/setuid", data=b"s", mode=0o4755).add("opt/setgid", data=b"s", mode=0o2755, gid=33)
    a.add("opt/closed", data=b"x", mode=0o000, uid=1000, gid=1000)
    a.add("opt/old", data=b"old", mtime=1.5).add("opt/fine", data=b"f", mtime=1700000000.123456789, uid=60000, gid=60001)
    a.add("opt/hard", data=b"one file, three names").add("opt/hard2", tarfile.LNKTYPE, link="opt/hard")
    a.add("srv/hard3", tarfile.LNKTYPE, link="opt/hard")
    a.add("opt/absolute", tarfile.SYMTYPE, link="/etc/passwd", uid=7, gid=8)
    a.add("opt/dangling", tarfile.SYMTYPE, link="../../../../nowhere").add("opt/loop", tarfile.SYMTYPE, link="loop")
    a.add("opt/pipe", tarfile.FIFOTYPE, mode=0o620, uid=33)
    a.add("opt/cap", data=b"c", mode=0o755, pax=xattr("security.capability", cap(1 << 10)))
    a.add("opt/attr", data=b"a", pax={**xattr("user.word", b"value"), **xattr("user.empty", b"")})
    a.add("opt/acl", data=b"l", mode=0o640,
          pax=xattr("system.posix_acl_access", acl((1, 6, 0xffffffff), (2, 4, 33), (4, 4, 0xffffffff), (16, 4, 0xffffffff), (32, 0, 0xffffffff))))
    a.dir("opt/aclfolder", pax=xattr("system.posix_acl_default", acl((1, 7, 0xffffffff), (2, 7, 33), (4, 5, 0xffffffff), (16, 7, 0xffffffff), (32, 5, 0xffffffff))))
    a.add("opt/aclfolder/inside", data=b"no acl of its own")
    a.dir("n" * 200).add("n" * 200 + "/" + "m" * 200, data=b"long names")
    a.add("opt/\u00e4\u6f22", data="\u00e4\u6f22".encode()).add("opt/empty")
    data, pax = sparse("opt/sparse", 50 << 20, [(0, b"begin"), (30 << 20, b"middle")])
    a.add("opt/sparse", data=data, pax=pax)
    a.add("gone/file", data=b"taken away by the second").add("hidden/below", data=b"hidden by the second").add("hidden/deep/er", data=b"x")
    a.add("kept/first", data=b"1").add("kept/changed", data=b"1").add("var/was-file", data=b"f").dir("var/was-folder").add("var/was-folder/x", data=b"x")
    b = Tar()
    b.dir(".", mode=0o755).dir("gone").add("gone/.wh.file").dir("hidden").add("hidden/.wh..wh..opq").add("hidden/new", data=b"new")
    b.dir("kept", mode=0o700, mtime=T + 5).add("kept/changed", data=b"2", uid=5, mode=0o600)
    b.add("var/.wh.was-folder").dir("var/was-file").add("var/was-file/now", data=b"a folder")
    b.add("opt/hard2", data=b"a file of its own now")
    c = Tar()
    c.add(".wh.gone").dir("opt").add("opt/.wh.attr").add("opt/last", data=b"last").add("var/was-folder", data=b"a file now")
    return [(a.bytes(), "gzip"), (b.bytes(), "zstd"), (c.bytes(), "plain")]


CONFIG = {"Entrypoint": ["/bin/sh", "-c"], "Cmd": ["id; pwd; echo $WORD $OTHER"], "User": "web", "WorkingDir": "/srv/app/",
          "Env": ["WORD=image", "OTHER=kept"], "Labels": {"org.example.tier": "web", "plain": "image"}, "StopSignal": "SIGUSR1",
          "ExposedPorts": {"8080/tcp": {}, "53/udp": {}}, "Volumes": {"/kept": {}, "/var/data": {}},
          "Healthcheck": {"Test": ["CMD-SHELL", "[ -e /tmp/well ]"], "Interval": 200000000, "Timeout": 2000000000, "Retries": 2}}


def rich(top, how="gzip"):
    """how: all layers in gzip, or mixed: gzip, zstd and plain. The diff ids are the same."""
    layers = rich_layers()
    if how != "mixed":
        layers = [(data, how) for data, _ in layers]
    image(f"{top}/rich-{how}", layers, CONFIG)


def random_layers(mib, count, seed=0):
    out = []
    for n in range(count):
        t, r = Tar(), hashlib.shake_256(f"{seed} {n}".encode())
        noise = r.digest(1 << 20)
        for k in range(mib):
            t.add(f"data/{n}/{k}", data=noise[k:] + noise[:k] if k else noise)
        out.append((t.bytes(), "gzip"))
    return out


def bad(top):
    """Each a docker or OCI archive or root tar by what is wrong with it."""
    def root(name, t):
        with open(f"{top}/{name}.tar", "wb") as f:
            f.write(t.bytes())

    def layer(name, *tars):
        os.makedirs(f"{top}/{name}.oci")
        image(f"{top}/{name}.oci", [(t.bytes(), "gzip") for t in tars], CONFIG)

    base = lambda: Tar().dir("etc").add("etc/x", data=b"x")
    for kind, where in (("root", root), ("layer", layer)):
        where(f"{kind}-dotdot", base().add("etc/../../escaped", data=b"x"))
        where(f"{kind}-link-then-file", base().add("out", tarfile.SYMTYPE, link="/tmp").add("out/escaped", data=b"x"))
        where(f"{kind}-hardlink-outside", base().add("h", tarfile.LNKTYPE, link="../../../etc/shadow"))
        where(f"{kind}-hardlink-through-link", base().add("out", tarfile.SYMTYPE, link="/etc").add("h", tarfile.LNKTYPE, link="out/shadow"))
        where(f"{kind}-device", base().add("etc/disk", tarfile.BLKTYPE, dev=(8, 0)))
        where(f"{kind}-long-name", base().add("d/" * 1 + "n" * 5000, data=b"x"))
        where(f"{kind}-deep", base().add("d/" * 300 + "x", data=b"x"))
    layer("whiteout-of-parent", base().dir("a").add("a/.wh...", data=b""))
    layer("whiteout-of-self", base().dir("a").add("a/.wh..", data=b""))


def bad_layouts(top):
    def fresh(name, layers=None, config=CONFIG):
        d = f"{top}/{name}.oci"
        os.makedirs(d)
        m = image(d, layers or [(Tar().add(name, data=name.encode() * 10000).bytes(), "gzip")], config)
        return d, m

    def read(d, desc):
        with open(f"{d}/blobs/{desc['digest'].replace(':', '/')}") as f:
            return json.load(f)

    def rewrite(d, m, change):
        j = read(d, m)
        change(j)
        n = {**m, **put(d, json.dumps(j).encode())}
        index(d, [n])

    def index(d, manifests):
        with open(f"{d}/index.json", "w") as f:
            json.dump({"schemaVersion": 2, "manifests": manifests}, f)

    def layer_path(d, m):
        return f"{d}/blobs/" + read(d, m)["layers"][0]["digest"].replace(":", "/")

    d, m = fresh("wrong-digest")
    p = layer_path(d, m)
    b = bytearray(open(p, "rb").read()); b[len(b) // 2] ^= 1; open(p, "wb").write(b)
    d, m = fresh("wrong-size")
    with open(layer_path(d, m), "ab") as f: f.write(b"more")
    d, m = fresh("truncated-gzip")
    b = open(layer_path(d, m), "rb").read()[:-20]
    rewrite(d, m, lambda j: j["layers"].__setitem__(0, {**j["layers"][0], **put(d, b)}))
    d, m = fresh("truncated-zstd", [(Tar().add("x", data=os.urandom(100000)).bytes(), "zstd")])
    b = open(layer_path(d, m), "rb").read()[:-20]
    rewrite(d, m, lambda j: j["layers"].__setitem__(0, {**j["layers"][0], **put(d, b)}))
    d, m = fresh("wrong-diff-id")
    b = gzip.compress(Tar().add("y", data=b"another").bytes(), mtime=0)
    rewrite(d, m, lambda j: j["layers"].__setitem__(0, {**j["layers"][0], **put(d, b)}))
    d, m = fresh("unknown-media-type")
    rewrite(d, m, lambda j: j["layers"][0].__setitem__("mediaType", "application/vnd.example.video"))
    d, m = fresh("unknown-manifest-type")
    index(d, [{**m, "mediaType": "application/vnd.example.manifest"}])
    d, m = fresh("manifest-100mb")
    rewrite(d, m, lambda j: j.__setitem__("annotations", {"x": "y" * 100000000}))
    d, m = fresh("layers-1000")
    rewrite(d, m, lambda j: j.__setitem__("layers", j["layers"] * 1000))
    d, m = fresh("index-nested")
    at = m
    for _ in range(20):
        at = {"mediaType": "application/vnd.oci.image.index.v1+json",
              **put(d, json.dumps({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": [at]}).encode())}
    index(d, [at])
    d, m = fresh("config-array")
    rewrite(d, m, lambda j: j.__setitem__("config", {**j["config"], **put(d, b"[]")}))
    d, m = fresh("diff-ids-missing")
    rewrite(d, m, lambda j: j.__setitem__("config", {**j["config"], **put(d, b'{"os":"linux","architecture":"amd64","rootfs":{"diff_ids":[]}}')}))
    d, m = fresh("blob-missing")
    os.unlink(layer_path(d, m))
    d, m = fresh("not-json")
    open(f"{d}/index.json", "w").write("{")
    # bombs, 1 MB to 30 GB and more: a file of zeros in zstd's run-length blocks, and in gzip
    d, m = fresh("bomb-zstd")
    b = bytes.fromhex("28b52ffd0038") + (b"\x02\x00\x10\x00" * 262144)[:-4] + b"\x03\x00\x10\x00"
    rewrite(d, m, lambda j: j["layers"].__setitem__(0, {**j["layers"][0], **put(d, b)}))
    d, m = fresh("bomb-gzip")
    b = gzip.compress(Tar().add("a", data=b"x").bytes()[:1024], mtime=0) + gzip.compress(b"\0" * (64 << 20), 9, mtime=0) * 16
    rewrite(d, m, lambda j: j["layers"].__setitem__(0, {**j["layers"][0], **put(d, b)}))


def describe(path, rel, inodes):
    st = os.lstat(path)
    kind = stat.S_IFMT(st.st_mode)
    row = [rel, oct(st.st_mode), st.st_uid, st.st_gid]
    row.append(st.st_mtime_ns)
    if stat.S_ISREG(kind):
        h = hashlib.sha256()
        with open(path, "rb") as f:
            while b := f.read(1 << 20):
                h.update(b)
        row += [st.st_size, h.hexdigest()]
    if not stat.S_ISDIR(kind) and st.st_nlink > 1:
        row.append("same as " + inodes.setdefault((st.st_dev, st.st_ino), rel))
    if stat.S_ISLNK(kind):
        row.append(os.readlink(path))
    if stat.S_ISCHR(kind) or stat.S_ISBLK(kind):
        row.append(st.st_rdev)
    for name in sorted(os.listxattr(path, follow_symlinks=False)):
        if not name.startswith(("user.overlay.", "trusted.", "user.rootlesscontainers", "security.selinux")):
            row.append(name + "=" + os.getxattr(path, name, follow_symlinks=False).hex())
    return row


def tree(top):
    inodes = {}
    rows = []
    for folder, folders, files in os.walk(top):
        folders.sort()
        rel = os.path.relpath(folder, top)
        if rel.split("/")[0] in ("dev", "proc", "sys"):
            folders.clear()
            continue
        for name in sorted(folders + files):
            p = os.path.join(folder, name)
            rows.append(describe(p, os.path.relpath(p, top), inodes))
    for r in rows:
        print(*r)


if __name__ == "__main__":
    verb, args = sys.argv[1], sys.argv[2:]
    if verb == "tree":
        tree(args[0])
    elif verb == "rich":
        rich(*args)
    elif verb == "bad":
        bad(args[0])
        bad_layouts(args[0])
    elif verb == "big":
        image(args[0], random_layers(int(args[1]), int(args[2]), args[0]))
    elif verb == "large":  # the rich one, with as many layers of noise on top: it runs, and takes its time to be pulled
        image(args[0], rich_layers() + random_layers(int(args[1]), int(args[2]), args[0]), CONFIG)
