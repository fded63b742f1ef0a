/* SPDX-License-Identifier: GPL-2.0-or-later */
/* guest: v2 */
/* The pool, a zone's own folder, volumes, binds, the skeleton of image host; a disk that is full. */
#include "tests/unit/storage/lab.h"
#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>

static int reopen(const char *name, struct err *e)
{
    struct stor_pool *p = NULL;
    auto_free char *dir = xasprintf("%s/%s", top, name);
    err_clear(e);
    int r = stor_pool_open(dir, &p, e);
    stor_pool_free(p);
    return r;
}

static void test_pool(void)
{
    struct err e = {0};
    is_sh("700 700 755 700 700 700 700", "modes",
          "stat -c %%a pool pool/zones pool/layers pool/volumes pool/staging pool/tmp pool/zones | xargs");
    is_int(reopen("pool", &e), 0, "opens again");
    run("mkdir -m 755 open; mkdir -m 700 alien; chown 1 alien");
    ok(reopen("open", &e) == -EPERM && e.kind == ERR_DENIED, "mode 0755 is refused: %s", e.text);
    ok(reopen("alien", &e) == -EPERM && strstr(e.hint, "chown"), "another's folder is refused: %s", e.hint);
    is_sh("", "and left as they are", "ls open alien | grep -v :");
    run("mkdir -m 700 future; echo 'zoned-data 2' > future/format; mkdir -m 700 file; echo > file/zones");
    ok(reopen("future", &e) < 0 && e.kind == ERR_UNSUPPORTED, "an unknown format: %s", e.text);
    is_sh("format", "is left alone", "ls future");
    ok(reopen("file", &e) == -ENOTDIR, "a file in place of a folder: %s", e.text);
    run("mkdir -m 700 linked; mkdir elsewhere; ln -s ../elsewhere linked/zones");
    ok(reopen("linked", &e) < 0, "a link in place of a folder: %s", e.text);
    run("mkdir -p pool/tmp/x/y pool/staging/z; : > pool/tmp/f; ln -s /etc pool/tmp/l");
    stor_pool_clear(pool);
    is_sh("", "clearing", "ls pool/tmp pool/staging | grep -v :; test -d /etc || echo lost");
}

/* Everything that a copy must keep, as text: type, mode, owner, size, times, links, device, target, xattrs. */
static const char picture[] =
    "cd pool/zones/%s/upper && find . -not -type s -printf '%%p %%y %%m %%U:%%G %%n %%l %%T@ ' "
    "\\( -type d -printf '\\n' -o -printf '%%s\\n' \\) | sort; find . -type c -exec stat -c '%%n %%t:%%T' {} "
    "+ | sort; "
    "find . -type f -exec sha256sum {} + | sort; python3 -c \"\nimport os\nfor d, ds, fs in "
    "sorted(os.walk('.')):\n"
    " for n in ['.'] + sorted(x for x in ds + fs if x != 's'):\n  p = os.path.join(d, n)\n"
    "  print(p, [(x, os.getxattr(p, x, follow_symlinks=False)) "
    "for x in sorted(os.listxattr(p, follow_symlinks=False))])\"";

static void test_life(void)
{
    struct err e = {0};
    uint64_t bytes = 0;
    char **names = NULL;
    is_int(stor_zone_create(pool, "a", &e), 0, "create");
    is_sh("700 755 700 700", "modes", "cd pool/zones/a; stat -c %%a . upper work log | xargs");
    ok(stor_zone_create(pool, "a", &e) == -EEXIST && e.kind == ERR_CONFLICT, "twice: %s", e.text);
    run("cd pool/zones/a/upper; echo one > f; ln f g; mkdir -p d/e; ln f d/e/h; ln -s /etc/shadow l; mkfifo "
        "ff; "
        "mknod gone c 0 0; mknod null c 1 3; chown 70000:70001 f d; chown -h 5:6 l; chmod 6755 f; chmod 1777 "
        "d/e; "
        "truncate -s 100M sparse; printf x | dd of=sparse bs=1 seek=50000000 conv=notrunc; : > zero; "
        "python3 -c \"\nimport os, socket\nos.setxattr('d', 'trusted.overlay.opaque', b'y')\n"
        "os.setxattr('.', 'trusted.overlay.impure', b'y')\n"
        "os.setxattr('l', 'trusted.x', b'link')\nos.setxattr('f', 'security.capability', bytes.fromhex("
        "'0100000200040000000000000000000000000000'))\ntry:\n"
        " for n in range(60): os.setxattr('zero', 'user.' + 'n' * 200 + str(n), b'')\nexcept OSError: pass\n"
        "socket.socket(socket.AF_UNIX).bind('s')\"; "
        "touch -h -d '2001-02-03 04:05:06.789' f l gone d/e d zero; touch -d '1999-01-01' .");
    is_int(stor_zone_clone(pool, "a", "b", &e), 0, "clone %s", e.text);
    auto_free char *a = sh(picture, "a"), *b = sh(picture, "b");
    ok(strlen(a) > 800 && strstr(a, "./gone 0:0") && strstr(a, "trusted.overlay.opaque") &&
           strstr(a, "./d/e/h f 6755"),
       "the picture shows it");
    is_str(b, a, "a clone has all of it");
    is_sh("small", "holes stay", "[ $(stat -c %%b pool/zones/b/upper/sparse) -lt 1000 ] && echo small");
    ok(stor_zone_clone(pool, "a", "b", &e) == -EEXIST, "a clone over another");
    err_clear(&e);
    ok(stor_zone_clone(pool, "none", "c", &e) < 0 && e.kind == ERR_NOT_FOUND, "a clone of none: %s", e.text);
    is_sh("", "neither leaves anything", "ls pool/staging");
    is_int(stor_zone_rename(pool, "b", "c", NULL), 0, "rename");
    is_int(stor_zone_rename(pool, "c", "a", NULL), -EEXIST, "never over another");
    is_int(stor_zone_list(pool, &names, &e), 0, "list");
    is_int(strv_len(names), 2, "of two");
    strv_free(names);
    ok(stor_zone_usage(pool, "a", &bytes, NULL) == 0 && bytes > 4096 && bytes < 1u << 20, "usage in blocks");
    run("chattr +i pool/zones/c/upper/zero 2>/dev/null; chattr -i pool/zones/c/upper/zero; chmod 0 "
        "pool/zones/c/upper/d");
    is_int(stor_zone_delete(pool, "c", NULL), 0, "delete");
    is_int(stor_zone_delete(pool, "c", NULL), 0, "delete again");
    is_int(stor_zone_discard(pool, "a", NULL), 0, "discard");
    is_sh("", "the name is free at once", "ls pool/zones");
    stor_trash_empty(pool, 0, NULL);
    is_sh("", "and then the room", "ls pool/tmp");
}

static int put(const char *path, struct err *e)
{
    err_clear(e);
    char *name = strdup(path), text[] = "ours\n";
    struct stor_file f = {name, text, 0644};
    int r = stor_zone_put(pool, "a", &f, 1, e);
    free(name);
    return r;
}

/* A folder prepared beforehand is like one made now, is used once, and shadows nothing that was not asked for. */
static void test_prepared(void)
{
    struct err e = {0};
    char hosts[] = "etc/hosts", other[] = "var/x", text[] = "ours\n";
    struct stor_file f[] = {{hosts, text, 0644}, {other, text, 0600}};
    stor_zone_prepare(pool);
    stor_zone_prepare(pool);
    is_sh("zone.spare", "prepared once", "ls pool/staging");
    is_int(stor_zone_create(pool, "a", &e), 0, "create");
    is_int(stor_zone_create(pool, "b", &e), 0, "and one that was not prepared");
    is_sh("0", "both look alike", "diff -r pool/zones/a pool/zones/b; echo $?; ls pool/staging");
    is_sh("", "no change of its own yet", "ls pool/zones/a/upper");
    is_int(stor_zone_put(pool, "a", f, 2, &e), 0, "put");
    is_sh("hosts 755 644 0:0 600", "what was asked for, no more",
          "cd pool/zones/a/upper; echo $(ls etc) $(stat -c '%%a' etc) $(stat -c '%%a %%u:%%g' etc/hosts) "
          "$(stat -c %%a var/x)");
    is_int(stor_zone_put(pool, "b", f + 1, 1, &e), 0, "put elsewhere");
    is_sh("var", "no etc then", "ls pool/zones/b/upper");
    stor_zone_delete(pool, "a", NULL);
    stor_zone_delete(pool, "b", NULL);
}

static void test_put(void)
{
    struct err e = {0};
    is_int(stor_zone_create(pool, "a", &e), 0, "create");
    is_int(put("etc/hosts", &e), 0, "put");
    is_sh("644 0:0 755 ours", "mode, owner, parent, text",
          "cd pool/zones/a/upper/etc; echo $(stat -c '%%a %%u:%%g' hosts) $(stat -c %%a .) $(cat hosts)");
    ok(stor_zone_has(pool, "a", "etc/hosts") && !stor_zone_has(pool, "a", "etc/none"), "has");
    run("mkdir host; echo canary > host/hosts; chown :9 pool/zones/a/upper/etc; chmod 2755 "
        "pool/zones/a/upper/etc; "
        "cd pool/zones/a/upper/etc; ln -sf %s/host/hosts hosts; mkfifo fifo; ln %s/host/hosts hard; ln -s "
        "hosts loop",
        top, top);
    ok(stor_zone_has(pool, "a", "etc/hosts"), "a link is there as itself");
    ok(!put("etc/hosts", &e) && !put("etc/fifo", &e) && !put("etc/hard", &e) && !put("etc/loop", &e),
       "links and fifos are replaced");
    is_sh("canary ours ours ours ours 0", "never written through",
          "cat host/hosts | xargs echo -n; cd pool/zones/a/upper/etc; echo '' $(cat hosts fifo hard loop) "
          "$(stat -c %%g hosts)");
    run("mv pool/zones/a/upper/etc pool/zones/a/upper/real; ln -s %s/host pool/zones/a/upper/etc", top);
    ok(put("etc/hosts", &e) < 0 && strstr(e.text, "no folder"), "a linked etc: %s", e.text);
    ok(put("etc/new", &e) < 0 && put("../x", &e) < 0 && put("etc/../../x", &e) < 0, "and other ways out");
    ok(!stor_zone_has(pool, "a", "etc/hosts"), "has does not look through it");
    is_sh("canary hosts", "the host is untouched", "echo $(cat host/hosts) $(ls host)");
    run("rm pool/zones/a/upper/etc; mknod pool/zones/a/upper/etc c 0 0");
    ok(put("etc/hosts", &e) < 0, "a deleted etc: %s", e.text);
    char name[] = "f", text[] = "x";
    struct stor_file f = {name, text, 0644};
    ok(stor_zone_put(pool, "none", &f, 1, &e) < 0, "no zone");
    stor_zone_delete(pool, "a", NULL);
}

static void note(void *arg, char kind, const char *path)
{
    str_addf(arg, "%c%s ", kind, path);
}

/* The record of a zone's layers: for that image alone, only while the layers are there, and a clone has it too. */
static void test_root_record(void)
{
    struct err e = {0};
    char tar[] = "tar:/x.tar", host[] = "host", one[] = "tar-one", two[] = "tar-two";
    char *lowers[] = {one, two, NULL};
    struct stor_root_plan root = {.image = tar, .lowers = lowers}, got = {0},
                          h = {.image = host, .lowers = lowers};
    is_int(stor_zone_create(pool, "a", &e), 0, "create");
    run("mkdir pool/layers/tar-one pool/layers/tar-two");
    ok(!stor_zone_root_load(pool, "a", tar, NULL), "none yet");
    is_int(stor_zone_root_save(pool, "a", &h, true, &e), 0, "host has none");
    is_int(stor_zone_root_save(pool, "a", &root, true, &e), 0, "saved: %s", e.text);
    ok(!stor_zone_root_load(pool, "a", "tar:/y.tar", NULL) && !stor_zone_root_load(pool, "a", host, NULL),
       "not for another image");
    is_int(stor_zone_clone(pool, "a", "b", &e), 0, "clone");
    ok(stor_zone_root_load(pool, "b", tar, &got) && strv_eq(got.lowers, lowers) && str_eq(got.image, tar),
       "it has the same");
    stor_root_done(&got);
    run("rmdir pool/layers/tar-two");
    ok(!stor_zone_root_load(pool, "a", tar, NULL), "a layer is gone: none");
    run("rmdir pool/layers/tar-one; echo '{' > pool/zones/a/root; rm pool/zones/b/root; mkfifo "
        "pool/zones/b/root");
    ok(!stor_zone_root_load(pool, "a", tar, NULL) && !stor_zone_root_load(pool, "b", tar, NULL),
       "garbage is none");
    ok(stor_zone_root_save(pool, "none", &root, true, &e) < 0, "no zone");
    stor_zone_delete(pool, "a", NULL);
    stor_zone_delete(pool, "b", NULL);
}

/* A zone may nest folders deeper than we have descriptors, and call them what it likes. */
static void test_deep(void)
{
    struct err e = {0};
    uint64_t bytes = 0, copied = 0;
    struct str s = {0};
    struct stor_root_plan none = {0};
    is_int(stor_zone_create(pool, "a", &e), 0, "create");
    run("cd pool/zones/a/upper; python3 -c \"\nimport os\nfor i in range(700):\n os.mkdir('d' * 60); "
        "os.chdir('d' * 60); open('f','w').write('x')\n\"");
    struct rlimit was, few = {200, 0};
    getrlimit(RLIMIT_NOFILE, &was);
    few.rlim_max = was.rlim_max;
    setrlimit(RLIMIT_NOFILE, &few);
    is_int(stor_zone_usage(pool, "a", &bytes, &e), 0, "usage of 700 levels: %s", e.text);
    is_int(stor_zone_clone(pool, "a", "b", &e), 0, "clone: %s", e.text);
    is_int(stor_zone_usage(pool, "b", &copied, &e), 0, "its usage");
    ok(bytes > 700 * 4096 && bytes - copied < 65536, "the same %llu %llu", (unsigned long long)bytes,
       (unsigned long long)copied);
    is_int(stor_zone_diff(pool, "b", &none, note, &s, &e), 0, "diff: %s", e.text);
    unsigned files = 0;
    for (const char *at = s.p; at && (at = strstr(at, "/f ")); at++)
        files++;
    is_int(files, 700, "names all");
    str_done(&s);
    is_int(stor_zone_delete(pool, "a", &e), 0, "delete: %s", e.text);
    is_int(stor_zone_delete(pool, "b", &e), 0, "delete: %s", e.text);
    setrlimit(RLIMIT_NOFILE, &was);
}

/* What a folder that was deleted and made again hides, also from several layers. */
static void test_diff_opaque(void)
{
    struct err e = {0};
    struct str s = {0};
    char *lowers[] = {(char *)"top", (char *)"base", NULL};
    struct stor_root_plan root = {.lowers = lowers};
    run("cd pool/layers; mkdir -p base/d/sub base/e base/gone/x top/d top/e; echo > base/d/one; echo > "
        "base/d/two; "
        "echo > base/d/sub/f; echo > base/e/old; echo > base/gone/x/y; echo > top/d/two; echo > top/d/three; "
        "mknod top/gone c 0 0; echo > top/e/new; python3 -c "
        "\"import os; os.setxattr('top/e', 'user.overlay.opaque', b'y')\"");
    is_int(stor_zone_create(pool, "a", &e), 0, "create");
    run("cd pool/zones/a/upper; mkdir -p d/sub e gone; echo > d/two; echo > d/mine; echo > e/old; echo > "
        "gone/x; python3 -c "
        "\"import os; os.setxattr('d', 'user.overlay.opaque', b'y')\"; mknod nothing c 0 0");
    is_int(stor_zone_diff(pool, "a", &root, note, &s, &e), 0, "diff: %s", e.text);
    char **parts = str_split(s.p, " ");
    static const char *const want[] = {"C/d",     "D/d/one",   "D/d/three", "C/d/two", "A/d/mine",
                                       "C/d/sub", "D/d/sub/f", "A/e/old",   "A/gone",  "A/gone/x"};
    for (unsigned i = 0; i < ARRAY_LEN(want); i++)
        ok(strv_has(parts, want[i]), "%s", want[i]);
    is_int(strv_len(parts), ARRAY_LEN(want), "and no more: %s", s.p);
    strv_free(parts);
    str_done(&s);
    stor_zone_delete(pool, "a", NULL);
    run("rm -r pool/layers/base pool/layers/top");
}

static void test_diff(void)
{
    struct err e = {0};
    struct str s = {0};
    struct stor_root_plan root = {0};
    run("mkdir -p img/etc img/sub; echo 1 > img/etc/same; echo 1 > img/etc/old; ln -s /etc img/l");
    auto_free char *image = xasprintf("dir:%s/img", top);
    is_int(stor_image_prepare(pool, image, NULL, -1, &root, &e), 0, "dir: %s", e.text);
    is_int(stor_zone_create(pool, "a", &e), 0, "create");
    run("cd pool/zones/a/upper; mkdir etc l; echo 2 > etc/old; echo 3 > etc/new; mknod sub c 0 0; echo > "
        "l/passwd");
    is_int(stor_zone_diff(pool, "a", &root, note, &s, &e), 0, "diff");
    ok(strstr(s.p, "C/etc/old ") && strstr(s.p, "A/etc/new ") && strstr(s.p, "D/sub ") &&
           strstr(s.p, "C/l ") && strstr(s.p, "A/l/passwd ") && !strstr(s.p, "/etc "),
       "tells %s", s.p);
    str_done(&s);
    struct stor_root_fds f;
    is_int(stor_root_open(pool, "a", &root, &f, &e), 0, "descriptors");
    ok(f.zone_fd >= 0 && f.usr_fd < 0 && !strcmp(f.lowers[0], ".") && file_exists(f.layers_fd, "etc"),
       "right");
    stor_root_fds_done(&f);
    json *j = stor_root_to_json(&root);
    struct stor_root_plan back = {0};
    ok(stor_root_from_json(j, &back, &e) == 0 && str_eq(back.lower_dir, root.lower_dir), "plan and back");
    js_free(j);
    stor_root_done(&back);
    stor_root_done(&root);
    stor_zone_delete(pool, "a", NULL);
}

static void test_images(void)
{
    struct err e = {0};
    struct stor_root_plan root = {0};
    run("mkdir none pool-2; echo > pool-2/f; ln -s img imglink; : > notdir");
    static const struct {
        const char *image;
        enum err_kind kind;
    } bad[] = {{"dir:%s/none", ERR_INVALID},       {"dir:%s/imglink", ERR_INVALID},
               {"dir:%s/notdir", ERR_INVALID},     {"dir:%s/absent", ERR_NOT_FOUND},
               {"dir:%s/pool", ERR_INVALID},       {"dir:%s", ERR_INVALID},
               {"dir:%s/pool/zones", ERR_INVALID}, {"docker.io/x%s", ERR_NOT_FOUND}};
    for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
        struct str s = {0};
        const char *p = strstr(bad[i].image, "%s");
        str_addn(&s, bad[i].image, (size_t)(p - bad[i].image));
        str_addf(&s, "%s%s", top, p + 2);
        err_clear(&e);
        ok(stor_image_prepare(pool, s.p, NULL, -1, &root, &e) < 0 && e.kind == bad[i].kind && !root.image,
           "%s", e.text);
        str_done(&s);
    }
    auto_free char *beside = xasprintf("dir:%s/pool-2", top);
    err_clear(&e);
    is_int(stor_image_prepare(pool, beside, NULL, -1, &root, &e), 0, "a folder whose name begins alike %s",
           e.text);
    stor_root_done(&root);
}

static void test_binds(void)
{
    struct err e = {0};
    bool is_file;
    run("mkdir pool-3; : > pool-3/f; ln -s pool/zones sneaky; mkfifo bindfifo");
    static const char *const bad[] = {"/",         "/proc",    "/proc/self", "/sys/fs", "/dev",
                                      "/dev/null", "/dev/shm", "absent",     "pool",    "pool/zones",
                                      "sneaky",    ".",        "bindfifo",   "/tmp"};
    for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
        auto_free char *path = *bad[i] == '/' ? xstrdup(bad[i]) : path_join(top, bad[i]);
        err_clear(&e);
        int fd = stor_bind_open(pool, path, &is_file, &e);
        ok(fd < 0, "bind of %s: %s", bad[i], e.text);
    }
    ok(stor_bind_open(pool, "/run", &is_file, NULL) < 0, "/run holds our socket");
    auto_free char *dir = xasprintf("%s/pool-3", top), *file = xasprintf("%s/pool-3/f", top);
    auto_fd int d = stor_bind_open(pool, dir, &is_file, &e);
    ok(d >= 0 && !is_file, "a folder whose name begins alike");
    auto_fd int f = stor_bind_open(pool, file, &is_file, &e);
    ok(f >= 0 && is_file, "a file");
    auto_free char *image = xasprintf("dir:%s", dir), *above = xstrdup(top),
                   *other = xasprintf("%s/img", top);
    struct stor_root_plan root = {0};
    stor_pool_never(pool, (char *[]){other, dir, NULL});
    err_clear(&e);
    ok(stor_bind_open(pool, file, &is_file, &e) < 0 && e.kind == ERR_DENIED,
       "below what is given to none: %s", e.text);
    ok(stor_bind_open(pool, above, &is_file, NULL) < 0, "above it");
    err_clear(&e);
    ok(stor_image_prepare(pool, image, NULL, -1, &root, &e) < 0 && e.kind == ERR_INVALID, "as a root: %s",
       e.text);
    stor_pool_never(pool, (char *[]){other, NULL});
    auto_fd int again = stor_bind_open(pool, file, &is_file, &e);
    ok(again >= 0, "what was said before is forgotten");
    stor_pool_never(pool, NULL);
}

static void test_volumes(void)
{
    struct err e = {0};
    uint64_t bytes;
    char **names = NULL;
    json *df = NULL;
    is_int(stor_volume_create(pool, "v", &e), 0, "volume");
    ok(stor_volume_create(pool, "v", &e) == -EEXIST && e.kind == ERR_CONFLICT, "twice");
    auto_fd int fd = stor_volume_open(pool, "v", NULL);
    ok(fd >= 0 && stor_volume_usage(pool, "v", &bytes, NULL) == 0, "opens");
    ok(stor_volume_list(pool, &names, NULL) == 0 && strv_len(names) == 1, "is listed");
    strv_free(names);
    ok(stor_df(pool, &df, NULL) == 0, "df");
    js_free(df);
    err_clear(&e);
    ok(stor_volume_open(pool, "w", &e) == -ENOENT && e.kind == ERR_NOT_FOUND, "none: %s", e.text);
    run("ln -s /etc pool/volumes/l");
    ok(stor_volume_open(pool, "l", NULL) < 0, "a link is no volume");
    run("rm pool/volumes/l; touch pool/volumes/v/f pool/volumes/v/g");
    is_int(stor_volume_discard(pool, "v", NULL), 0, "discard");
    is_int(stor_volume_discard(pool, "v", NULL), 0, "again");
    is_int(stor_trash_empty(pool, 1, NULL), -EAGAIN, "one entry: there is more");
    is_int(stor_trash_empty(pool, 0, NULL), 0, "all");
    is_sh("", "nothing is left", "ls pool/volumes pool/tmp | grep -v :");
}

static void test_host(void)
{
    struct err e = {0};
    struct stor_root_plan root = {0};
    is_int(stor_image_prepare(pool, "host", NULL, -1, &root, &e), 0, "host %s", e.text);
    ok(root.host_usr && strv_len(root.lowers) == 1 && stor_image_ready(pool, "host"), "one layer");
    auto_free char *l = xasprintf("%s/pool/layers/%s", top, root.lowers[0]);
    is_sh("", "of /etc only what is allowed",
          "cd %s/etc; find . -type f -o -type l | grep -vE "
          "'^\\./(alternatives/[^/]*|ssl/certs/[^/]*|ld\\.so\\.conf\\.d/[^/]*|"
          "ld\\.so\\.(cache|conf)|localtime|services|protocols|mime\\.types|ca-certificates\\.conf|passwd|"
          "group|"
          "nsswitch\\.conf|shells|host\\.conf|profile|mtab)$'",
          l);
    is_sh("", "no secrets", "find %s | grep -E 'shadow|ssh|private|key$|sudoers|machine-id'", l);
    is_sh("", "others may read each file", "find %s -type f -not -perm -004", l);
    is_sh("", "of root, nothing setuid, no devices",
          "find %s -not -user 0 -o -perm /6000 -o -type b -o -type c", l);
    is_sh("", "no host hash in passwd", "grep -v ':x:' %s/etc/passwd", l);
    is_sh("usr/bin 1777 700", "links and modes", "cd %s; echo $(readlink bin) $(stat -c %%a tmp root)", l);
    stor_root_done(&root);
}

/* A file of /etc that others may not read, in folders that are copied: in an own mount namespace. */
static int private_host(void)
{
    struct stor_root_plan root = {0};
    if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        return 1;
    run("mkdir fake; cp -a /etc/. fake/; cd fake; echo s > ld.so.conf.d/secret.conf; chmod 600 "
        "ld.so.conf.d/secret.conf; "
        "rm -f services; ln -s /root/secret services; echo x > ld.so.conf.d/open.conf; chmod 666 "
        "ld.so.conf.d/open.conf; "
        "mkfifo ld.so.conf.d/fifo");
    auto_free char *fake = xasprintf("%s/fake", top);
    if (mount(fake, "/etc", NULL, MS_BIND, NULL) < 0 ||
        stor_image_prepare(pool, "host", NULL, -1, &root, NULL) < 0)
        return 2;
    auto_free char *got =
        sh("cd pool/layers/%s/etc; ls services ld.so.conf.d/secret.conf ld.so.conf.d/fifo 2>/dev/null; "
           "stat -c %%a ld.so.conf.d/open.conf",
           root.lowers[0]);
    return strcmp(got, "644") ? 3 : 0;
}

static int full_disk(void)
{
    struct err e = {0};
    struct stor_pool *p = NULL;
    struct stor_root_plan root = {0};
    auto_free char *dir = xasprintf("%s/small", top), *image = xasprintf("tar:%s/big.tar", top);
    auto_free char *sub = xasprintf("%s/small/pool", top);
    if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        return 1;
    run("mkdir small; head -c 3000000 /dev/urandom > big; tar -cf big.tar big; rm big");
    if (mount("tmpfs", dir, "tmpfs", 0, "size=2m,mode=700") < 0 || stor_pool_open(sub, &p, &e) < 0)
        return 2;
    const struct stor_bounds plenty = {.bytes = 1u << 30};
    int r = stor_image_prepare(p, image, &plenty, -1, &root, &e);
    printf("# %s\n", e.text);
    if (r != -ENOSPC || e.kind != ERR_LIMIT || !strstr(e.text, "No space"))
        return 3;
    err_clear(&e);
    if (stor_image_prepare(p, image, NULL, -1, &root, &e) >= 0 || e.kind != ERR_LIMIT) /* the default bound */
        return 4;
    auto_free char *left = sh("ls small/pool/staging small/pool/layers | grep -v :");
    if (*left)
        return 5;
    if (stor_zone_create(p, "a", NULL) < 0)
        return 6;
    run("head -c 700000 /dev/zero > small/pool/zones/a/upper/f; head -c 700000 /dev/zero > "
        "small/pool/zones/a/upper/g");
    err_clear(&e);
    r = stor_zone_clone(p, "a", "b", &e);
    printf("# %s\n", e.text);
    auto_free char *after = sh("ls small/pool/staging; ls small/pool/zones");
    if (r != -ENOSPC || e.kind != ERR_LIMIT || strcmp(after, "a"))
        return 7;
    run("cat /dev/zero > small/fill");
    err_clear(&e);
    char name[] = "etc/hosts", text[] = "x";
    struct stor_file hosts = {name, text, 0644};
    r = stor_zone_put(p, "a", &hosts, 1, &e);
    printf("# %s\n", e.text);
    if (r != -ENOSPC || e.kind != ERR_LIMIT || stor_zone_delete(p, "a", NULL) < 0)
        return 8;
    stor_pool_free(p);
    return 0;
}

static void in_child(int (*fn)(void), const char *what)
{
    int status = -1;
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        int r = fn();
        fflush(stdout);
        _exit(r);
    }
    waitpid(pid, &status, 0);
    is_int(status >> 8, 0, "%s", what);
}

int main(void)
{
    lab_begin();
    test_pool();
    test_life();
    test_prepared();
    test_put();
    test_diff();
    test_diff_opaque();
    test_deep();
    test_root_record();
    test_images();
    test_binds();
    test_volumes();
    test_host();
    in_child(private_host, "what others may not read, and links to elsewhere, are not copied");
    in_child(full_disk, "a full disk: a clear error, nothing left");
    lab_end();
    return done_testing();
}
