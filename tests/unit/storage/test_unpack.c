/* SPDX-License-Identifier: GPL-2.0-or-later */
/* guest: v2 */
/* Hostile and odd archives as roots: refused with nothing left behind, or right to the last attribute. */
#include "tests/unit/storage/lab.h"
#include <dirent.h>
#include <sched.h>
#include <sys/wait.h>
#include <sys/xattr.h>

/* One archive per name. T(name, data=…, **fields) adds a member. */
static const char maker[] =
    "import tarfile, io, os, sys, random\n"
    "def tar(name, *members, fmt=tarfile.PAX_FORMAT, mode='w'):\n"
    "    with tarfile.open(name, mode, format=fmt) as t:\n"
    "        for m, d in members: t.addfile(m, io.BytesIO(d) if d is not None else None)\n"
    "def T(name, data=None, **kw):\n"
    "    i = tarfile.TarInfo(name); i.mtime = 1000000000; i.mode = 0o644\n"
    "    if data is not None: i.size = len(data)\n"
    "    for k, v in kw.items(): setattr(i, k, v)\n"
    "    return i, data\n"
    "L, S, D = tarfile.LNKTYPE, tarfile.SYMTYPE, tarfile.DIRTYPE\n"
    "C, B, F = tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE\n"
    "ok = T('a', b'x')\n"
    "tar('dotdot.tar', ok, T('b/../../canary', b'evil'))\n"
    "tar('dotdot2.tar', ok, T('..', type=D))\n"
    "tar('hard-out.tar', ok, T('h', type=L, linkname='../../../canary'))\n"
    "tar('hard-abs.tar', ok, T('h', type=L, linkname=os.getcwd() + '/canary'))\n"
    "tar('hard-none.tar', ok, T('h', type=L, linkname='nothing'))\n"
    "tar('hard-through.tar', T('l', type=S, linkname='/'), T('h', type=L, linkname='l/etc/passwd'))\n"
    "tar('sym-through.tar', T('l', type=S, linkname=os.getcwd()), T('l/canary', b'evil'))\n"
    "tar('sym-up.tar', T('l', type=S, linkname='../../..'), T('l/canary', b'evil'))\n"
    "tar('sym-dir.tar', T('l', type=S, linkname=os.getcwd()), T('l', type=D, mode=0o777), T('l/f', b'x'))\n"
    "tar('sym-root.tar', ok, T('.', type=S, linkname='/'))\n"
    "tar('file-as-dir.tar', ok, T('a/b', b'x'))\n"
    "tar('dev-out.tar', ok, T('etc/null', type=C, devmajor=1, devminor=3))\n"
    "tar('dev-block.tar', ok, T('sda', type=B, devmajor=8, devminor=0))\n"
    "tar('dev-like.tar', ok, T('device/null', type=C, devmajor=1, devminor=3))\n"
    "tar('whiteout.tar', ok, T('gone', type=C, devmajor=0, devminor=0))\n"
    "tar('long.tar', ok, T('/'.join(['n' * 99] * 50), b'x'))\n"
    "tar('part.tar', ok, T('n' * 256, b'x'))\n"
    "tar('deep.tar', ok, T('d/' * 129 + 'x', b'x'))\n"
    "random.seed(1)\n"
    "tar('full.tar.gz', ok, T('big', random.randbytes(300000)), mode='w:gz')\n"
    "d = open('full.tar.gz', 'rb').read(); open('cut.tar.gz', 'wb').write(d[:200000])\n"
    "tar('whole.tar', ok, T('big', b'x' * 300000))\n"
    "d = open('whole.tar', 'rb').read(); open('cut.tar', 'wb').write(d[:200000])\n"
    "open('garbage.tar', 'wb').write(random.randbytes(100000))\n"
    "open('text.tar', 'w').write('#!/bin/sh\\n' * 1000)\n"
    "open('zeros.tar', 'wb').write(bytes(10240))\n"
    "xa = T('caps', b'x' * 5, mode=0o755, uid=7, gid=8)\n"
    "xa[0].pax_headers = {'SCHILY.xattr.user.color': 'blue', 'SCHILY.xattr.trusted.overlay.opaque': 'y',\n"
    "  'SCHILY.xattr.user.overlay.opaque': 'y', 'SCHILY.xattr.security.selinux': 'evil',\n"
    "  'SCHILY.xattr.security.capability': '\\x01\\x00\\x00\\x02\\x00\\x04' + '\\x00' * 14}\n"
    "tar('right.tar', T('.', type=D, mode=0o750, uid=3, gid=4), T('/abs/olute', b'A'), xa,\n"
    "  T('su', b'#!', mode=0o6755, uid=0, gid=5), T('x/y/orig', b'same', uid=70000), T('z', type=D, "
    "mode=0o1777),\n"
    "  T('z/hard', type=L, linkname='./x/y/orig'), T('out', type=S, linkname='/etc/shadow'),\n"
    "  T('hardsym', type=L, linkname='out'), T('ff', type=F, mode=0o600),\n"
    "  T('dev/null', type=C, devmajor=1, devminor=3, mode=0o666), T('./dev/sd/a', type=B, devmajor=8),\n"
    "  T('F\\u0151tan\\u00fas', b'utf'), T('ro', type=D, mode=0o500), T('ro/in', b'x'),\n"
    "  T('tw', b'one'), T('tw', b'two!'), T('td', type=D, mode=0o755, mtime=5), T('td', type=D, mode=0o700, "
    "mtime=7))\n"
    "tar('gnu.tar', T('F\\u0151tan\\u00fas', b'utf'), T('l' * 150, b'x'), fmt=tarfile.GNU_FORMAT)\n"
    "for z in ('gz', 'bz2', 'xz'): tar('z.tar.' + z, ok, T('d/e', b'x' * 100000), mode='w:' + z)\n";

static void make_archives(void)
{
    auto_free char *path = xasprintf("%s/make.py", top);
    struct err e = {0};
    is_int(file_create(AT_FDCWD, path, maker, strlen(maker), 0600, &e), 0, "maker");
    is_sh("", "archives are made", "echo good > canary; python3 make.py");
    run("echo s > s1; truncate -s 1G sparse; printf end | dd of=sparse bs=1 seek=1073741000 conv=notrunc; "
        "printf mid | dd of=sparse bs=4096 seek=1000 conv=notrunc; tar -cSf sparse.tar sparse; rm sparse; "
        "tar --zstd -cf z.tar.zst a s1 2>/dev/null || tar -cf - s1 | zstd -qo z.tar.zst");
}

static int prepare(const char *file, const struct stor_bounds *b, struct stor_root_plan *root, struct err *e)
{
    auto_free char *image = xasprintf("tar:%s/%s", top, file);
    return stor_image_prepare(pool, image, b, -1, root, e);
}

static const char state[] = "find pool -mindepth 1 | sort; cat canary; stat -c %%a /etc /tmp .";

static void refused(const char *file, const struct stor_bounds *b, enum err_kind kind, const char *word)
{
    struct stor_root_plan root = {0};
    struct err e = {0};
    auto_free char *before = sh(state);
    int r = prepare(file, b, &root, &e);
    auto_free char *after = sh(state);
    ok(r < 0 && e.kind == kind && strstr(e.text, word), "%s is refused: %s", file, e.text);
    ok(!root.image && !strcmp(before, after), "%s leaves nothing", file);
    if (r == 0)
        stor_root_done(&root);
}

static void test_refused(void)
{
    static const struct {
        const char *file, *word;
    } bad[] = {
        {"dotdot.tar", "leads out"},    {"dotdot2.tar", "leads out"},
        {"hard-out.tar", "outside"},    {"hard-abs.tar", "hard link"},
        {"hard-none.tar", "hard link"}, {"hard-through.tar", "through a link"},
        {"sym-through.tar", "link"},    {"sym-up.tar", "through a link"},
        {"sym-root.tar", "no folder"},  {"file-as-dir.tar", "a file"},
        {"dev-out.tar", "device"},      {"dev-block.tar", "device"},
        {"dev-like.tar", "device"},     {"whiteout.tar", "device"},
        {"long.tar", "4,095"},          {"part.tar", "255"},
        {"deep.tar", "deeper"},         {"cut.tar.gz", "runcated"},
        {"cut.tar", "runcated"},        {"garbage.tar", "not a tar"},
        {"text.tar", "not a tar"},      {"zeros.tar", "empty"},
    };
    for (unsigned i = 0; i < ARRAY_LEN(bad); i++)
        refused(bad[i].file, NULL, ERR_INVALID, bad[i].word);
    refused("absent.tar", NULL, ERR_NOT_FOUND, "does not exist");
    run(": > empty.tar; mkfifo fifo.tar");
    refused("empty.tar", NULL, ERR_INVALID, "empty");
    refused("fifo.tar", NULL, ERR_INVALID, "not a regular file");
    refused("right.tar", &(struct stor_bounds){.entries = 3}, ERR_LIMIT, "more than 3 entries");
    refused("full.tar.gz", &(struct stor_bounds){.bytes = 300000}, ERR_LIMIT, "more than 300000 bytes");
}

static char *layer_of(const char *file)
{
    struct stor_root_plan root = {0};
    struct err e = {0};
    int r = prepare(file, NULL, &root, &e);
    ok(r == 0 && strv_len(root.lowers) == 1, "%s is taken %s", file, e.text);
    char *path = r == 0 ? xasprintf("%s/pool/layers/%s", top, root.lowers[0]) : xstrdup("/nonexistent");
    if (r == 0)
        stor_root_done(&root);
    return path;
}

static void test_right(void)
{
    auto_free char *l = layer_of("right.tar");
    is_sh("40750 3 4 1000000000", "the root's own mode, owner, time",
          "stat -c '%%f %%u %%g %%Y' %s | sed s/41e8/40750/", l);
    is_sh("A", "an absolute name is below the root", "cat %s/abs/olute", l);
    is_sh("6755 0 5", "setuid and setgid stay", "stat -c '%%a %%u %%g' %s/su", l);
    is_sh("755 7 8", "owner", "stat -c '%%a %%u %%g' %s/caps", l);
    is_sh("70000 2 same", "a hard link across folders",
          "stat -c '%%u %%h' %s/z/hard | tr '\\n' ' '; cat %s/z/hard", l, l);
    is_sh("1777 1000000000", "a sticky folder, its time set last", "stat -c '%%a %%Y' %s/z", l);
    is_sh("/etc/shadow /etc/shadow", "links are data", "readlink %s/out | tr '\\n' ' '; readlink %s/hardsym",
          l, l);
    is_sh("fifo", "a fifo", "stat -c %%F %s/ff", l);
    is_sh("", "device nodes below ./dev are left out", "find %s -type b -o -type c; ls %s/dev 2>/dev/null", l,
          l);
    is_sh("utf", "a name in UTF-8, from pax", "cat %s/F\xc5\x91tan\xc3\xbas", l);
    is_sh("500 x", "a file in a folder that may not be written",
          "stat -c %%a %s/ro | tr '\\n' ' '; cat %s/ro/in", l, l);
    is_sh("two!", "the last of a name wins", "cat %s/tw", l);
    is_sh("700 7", "for folders too", "stat -c '%%a %%Y' %s/td", l);
    is_sh("1000000000", "times of files", "stat -c %%Y %s/su", l);
    auto_free char *caps = xasprintf("%s/caps", l);
    char v[64] = "";
    is_int(lgetxattr(caps, "user.color", v, 64), 4, "a user attribute");
    is_int(lgetxattr(caps, "security.capability", v, 64), 20, "file capabilities");
    ok(lgetxattr(caps, "trusted.overlay.opaque", v, 64) < 0 &&
           lgetxattr(caps, "user.overlay.opaque", v, 64) < 0,
       "never an overlay's marks");
    ok(lgetxattr(caps, "security.selinux", v, 64) < 0, "never a label");
    auto_free char *s = layer_of("sparse.tar");
    is_sh("1073741824 small end mid", "sparse stays sparse",
          "f=%s/sparse; [ $(stat -c %%b $f) -lt 1000 ] && few=small; echo $(stat -c %%s $f) $few $(tail -c "
          "824 $f | "
          "head -c 3) $(tail -c +4096001 $f | head -c 3)",
          s);
    auto_free char *g = layer_of("gnu.tar");
    is_sh("utf", "a name in UTF-8, from GNU", "cat %s/F\xc5\x91tan\xc3\xbas", g);
    auto_free char *d = layer_of("sym-dir.tar");
    is_sh("directory x", "a folder replaces a link, not its target",
          "stat -c %%F %s/l | tr '\\n' ' '; cat %s/l/f; test ! -e f", d, d);
    static const char *const z[] = {"z.tar.gz", "z.tar.bz2", "z.tar.xz", "z.tar.zst"};
    for (unsigned i = 0; i < ARRAY_LEN(z); i++)
        free(layer_of(z[i]));
}

/* The inner door, where the daemon's limits of a caller do not reach: small bounds and its counts. */
static void test_inner(void)
{
    struct err e = {0};
    run("mkdir inner");
    auto_free char *dir = xasprintf("%s/inner", top), *tar = xasprintf("%s/right.tar", top);
    auto_fd int to = open(dir, O_RDONLY | O_DIRECTORY);
    auto_fd int in = open(tar, O_RDONLY);
    struct stor_unpack_job job = {.in_fd = in, .dirfd = to, .progress_fd = -1}, small = job;
    small.bounds = &(struct stor_bounds){.bytes = 8};
    is_int(stor_unpack(&job, &e), 0, "unpacks");
    is_int(job.stats.skipped_devices, 2, "devices are counted");
    lseek(in, 0, SEEK_SET);
    is_int(stor_unpack(&small, &e), -EFBIG, "eight bytes are a bound");
    lseek(in, 0, SEEK_SET);
    err_clear(&e);
    is_int(stor_unpack(&job, &e), 0, "over itself");
    is_sh("70000 2", "hard links again", "stat -c '%%u %%h' inner/z/hard");
}

/* Names that come again and again, as files, folders, links: what several threads make is what one makes. argv: seed. */
static const char tangle[] =
    "import tarfile, io, random, sys\n"
    "seed = int(sys.argv[1]); random.seed(seed); kind = {'': 'd'}; t = tarfile.open('tangle%d.tar' % seed, "
    "'w')\n"
    "def add(name, k, data=None, **kw):\n"
    "    for old in [o for o in kind if o.startswith(name + '/') and k != 'd']: del kind[old]\n"
    "    kind[name] = k; i = tarfile.TarInfo(name); i.mtime = n; i.mode = 0o600 + n % 64\n"
    "    for key, v in kw.items(): setattr(i, key, v)\n"
    "    t.addfile(i, io.BytesIO(data) if data is not None else None)\n"
    "for n in range(2000):\n"
    "    folder = random.choice([k for k in kind if kind[k] == 'd' and k.count('/') < 3])\n"
    "    name = (folder + '/' if folder else '') + random.choice('abcdefgh'); dice = random.random()\n"
    "    if kind.get(name) == 'd' and random.random() < 0.95: continue\n"
    "    others = [k for k in kind if kind[k] in 'fl' and k != name and not k.startswith(name + '/')]\n"
    "    if dice < 0.12: add(name, 'd', type=tarfile.DIRTYPE, mode=0o700)\n"
    "    elif dice < 0.2: add(name, 'l', type=tarfile.SYMTYPE, linkname='to%d' % n)\n"
    "    elif dice < 0.3 and others: add(name, 'f', type=tarfile.LNKTYPE, linkname=random.choice(others))\n"
    "    else: data = b'%d ' % n * random.choice([0, 1, 5, 2000, 80000 if n % 9 == 0 else 1]); add(name, "
    "'f', data=data, size=len(data))\n"
    "t.close()\n";

static void unpack_tangle(const char *to, int seed)
{
    struct err e = {0};
    auto_free char *dir = xasprintf("%s/%s", top, to), *tar = xasprintf("%s/tangle%d.tar", top, seed);
    run("mkdir %s", to);
    auto_fd int in = open(tar, O_RDONLY);
    auto_fd int out = open(dir, O_RDONLY | O_DIRECTORY);
    struct stor_unpack_job job = {.in_fd = in, .dirfd = out, .progress_fd = -1};
    is_int(stor_unpack(&job, &e), 0, "%s of seed %d %s", to, seed, e.text);
}

static void test_tangle(void)
{
    cpu_set_t all, one;
    auto_free char *path = xasprintf("%s/tangle.py", top);
    is_int(file_create(AT_FDCWD, path, tangle, strlen(tangle), 0600, NULL), 0, "maker");
    is_int(sched_getaffinity(0, sizeof(all), &all), 0, "CPUs");
    CPU_ZERO(&one);
    for (int i = 0; i < CPU_SETSIZE && !CPU_COUNT(&one); i++)
        if (CPU_ISSET(i, &all))
            CPU_SET(i, &one);
    int seeds = getenv("FAST") ? 1 : 4; /* emulated */
    for (int seed = 0; seed < seeds; seed++) {
        run("python3 tangle.py %d", seed);
        sched_setaffinity(0, sizeof(one), &one);
        unpack_tangle("alone", seed);
        sched_setaffinity(0, sizeof(all), &all);
        unpack_tangle("together", seed);
        is_sh("", "one thread and several make the same",
              "for d in alone together; do (cd $d; find . -mindepth 1 -printf '%%p %%y %%m %%n %%T@ %%s "
              "%%l\\n' | sort; "
              "find . -type f "
              "-print0 | sort -z | xargs -0 sha256sum) >$d.txt; done; [ $(wc -l <alone.txt) -gt 200 ] || "
              "echo few; "
              "diff alone.txt together.txt | head -5; rm -rf alone together");
    }
}

static void test_twice_at_once(void)
{
    run("python3 -c 'import tarfile,io\nt=tarfile.open(\"many.tar\",\"w\")\n"
        "for n in range(5000):\n i=tarfile.TarInfo(\"d%%d/f\"%%n); i.size=3; "
        "t.addfile(i,io.BytesIO(b\"abc\"))\nt.close()'");
    int progress[2], workers = 4;
    auto_free char *image = xasprintf("tar:%s/many.tar", top);
    ok(!stor_image_ready(pool, image) && pipe2(progress, O_CLOEXEC | O_NONBLOCK) == 0, "not ready yet");
    for (int i = 0; i < workers; i++)
        if (fork() == 0) {
            struct stor_root_plan root = {0};
            _exit(stor_image_prepare(pool, image, NULL, progress[1], &root, NULL) < 0);
        }
    int status, bad = 0, lines = 0;
    for (int i = 0; i < workers; i++)
        bad += wait(&status) < 0 || status;
    close(progress[1]);
    for (char c; read(progress[0], &c, 1) == 1;)
        lines += c == '\n';
    close(progress[0]);
    is_int(bad, 0, "four at once all get the layer");
    is_int(lines, 5000 / 256, "the work was done once");
    ok(stor_image_ready(pool, image), "ready");
    is_sh("", "staging is empty", "ls pool/staging");
    run("touch -d @5 many.tar");
    ok(!stor_image_ready(pool, image), "a touched archive is a new layer");
}

int main(void)
{
    lab_begin();
    make_archives();
    test_refused();
    test_right();
    test_inner();
    test_tangle();
    test_twice_at_once();
    lab_end();
    return done_testing();
}
