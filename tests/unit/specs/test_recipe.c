/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Recipes: taken and refused, the image configuration that they ask for. */
#include "spec_test.h"
#include "specs/recipe.h"

static const char nginx[] =
    "recipe: 1\n"
    "name: nginx\n"
    "version: \"1.22\"\n"
    "description: the web server nginx\n"
    "from: debian:bookworm\n"
    "packages: [nginx-light, ca-certificates]\n"
    "copy:\n"
    "  - {from: files/site.conf, to: /etc/nginx/conf.d/site.conf, mode: 0640, owner: \"0:33\"}\n"
    "  - to: /srv/index.html\n"
    "    text: |\n"
    "      hello\n"
    "      world\n"
    "run:\n"
    "  - rm -f /etc/nginx/sites-enabled/default\n"
    "config:\n"
    "  cmd: [nginx, -g, daemon off;]\n"
    "  env: {TZ: UTC}\n"
    "  expose: [80, 53/udp]\n"
    "  volumes: [/srv]\n"
    "  stop_signal: QUIT\n"
    "  healthcheck: [curl, -f, \"http://127.0.0.1/\"]\n"
    "  workdir: /srv\n"
    "  user: www-data\n"
    "zone:\n"
    "  network: [{ports: [\"${port}:80\"]}]\n"
    "parameters:\n"
    "  - {name: port, type: port, default: 8080}\n";

static struct spec_recipe *take(const char *text)
{
    struct problems ps = {0};
    struct spec_recipe *r = NULL;
    char line[600];
    int k = spec_recipe_parse(text, strlen(text), "r.yaml", &r, &ps);
    ok((k < 0) == (r == NULL) && (k < 0) == (ps.len > 0), "consistent");
    for (unsigned i = 0; i < ps.len; i++) {
        problem_print(&ps.at[i], line, sizeof(line));
        printf("#   %s\n", line);
    }
    problems_done(&ps);
    return r;
}

static void test_taken(void)
{
    auto_recipe struct spec_recipe *r = take(nginx);
    if (!ok(r != NULL, "the recipe is taken"))
        return;
    is_str(r->from, "debian:bookworm", "from");
    is_int(strv_len(r->packages), 2, "packages");
    is_int(r->copy.len, 2, "copies");
    is_str(r->copy.at[0].mode, "0640", "a mode keeps its digits");
    is_str(r->copy.at[1].text, "hello\nworld\n", "a text with lines");
    unsigned uid, gid;
    ok(spec_recipe_owner(r->copy.at[0].owner, &uid, &gid) == 0 && uid == 0 && gid == 33, "owner");
    ok(spec_recipe_is_package(r), "a package");
    auto_js json *c = spec_recipe_config(r), *all = spec_recipe_to_json(r);
    auto_free char *text = js_dump(c, false), *dump = js_dump(all, false);
    ok(strstr(text, "\"Cmd\":[\"nginx\",\"-g\",\"daemon off;\"]"), "Cmd: %s", text);
    ok(strstr(text, "\"ExposedPorts\":{\"80/tcp\":{},\"53/udp\":{}}"), "ExposedPorts");
    ok(strstr(text, "\"Volumes\":{\"/srv\":{}}"), "Volumes");
    ok(strstr(text, "\"StopSignal\":\"SIGQUIT\""), "StopSignal");
    ok(strstr(text, "\"Test\":[\"CMD\",\"curl\""), "Healthcheck");
    const char *label = js_get_str(js_get(c, "Labels"), SPEC_PACKAGE_LABEL, "");
    struct problems ps = {0};
    auto_package struct spec_package *p = NULL;
    is_int(spec_package_parse(label, strlen(label), "label", &p, &ps), 0,
           "the label is a package's document");
    is_str(p ? p->version : NULL, "1.22", "with its version");
    problems_done(&ps);
    auto_recipe struct spec_recipe *again = take(dump);
    auto_js json *all2 = again ? spec_recipe_to_json(again) : NULL;
    auto_free char *dump2 = all2 ? js_dump(all2, false) : NULL;
    is_str(dump2, dump, "comes back equal through JSON");
    auto_recipe struct spec_recipe *least = take("name: a\nfrom: scratch\n");
    ok(least && !spec_recipe_is_package(least), "the least recipe");
    auto_js json *lc = least ? spec_recipe_config(least) : NULL;
    is_int(js_len(lc), 0, "asks for nothing");
}

static void bad(const char *body, const char *want)
{
    struct problems ps = {0};
    struct spec_recipe *r = NULL;
    char line[600];
    bool found = false;
    int k = spec_recipe_parse(body, strlen(body), "r.yaml", &r, &ps);
    for (unsigned i = 0; i < ps.len; i++) {
        problem_print(&ps.at[i], line, sizeof(line));
        found |= strstr(line, want) != NULL;
        printf("# %s\n", line);
    }
    ok(k < 0 && !r && found, "refused: %s", want);
    problems_done(&ps);
}
#define HEAD_ "name: a\nfrom: debian:bookworm\n"

static void test_refused(void)
{
    bad("", "is no recipe");
    bad("from: scratch\n", "name: is missing");
    bad("name: a\n", "r.yaml:1: from: is missing");
    bad("name: A b\nfrom: scratch\n", "r.yaml:1: name:");
    bad("name: a\nfrom: host\n", "\"host\" is not a beginning");
    bad("name: a\nfrom: \"debian:\"\n", "is not a beginning");
    bad("name: a\nfrom: debian:../../x\n", "is not a beginning");
    bad("name: a\nfrom: \"debian:-o x\"\n", "is not a beginning");
    bad("name: a\nfrom: tar:rel\n", "is not a beginning");
    bad("name: a\nfrom: nginx:1\nmirror: http://x\n", "r.yaml:3: mirror: is for debian:SUITE alone");
    bad(HEAD_ "mirror: \"http://x y\"\n", "is not an http:// or https://");
    bad(HEAD_ "mirror: \"http://x/\\ndeb http://y\"\n", "is not an http:// or https://");
    bad(HEAD_ "mirror: \"http://x\\r\"\n", "is not an http:// or https://");
    bad(HEAD_ "mirror: \"http://x\\v\"\n", "is not an http:// or https://");
    bad(HEAD_ "mirror: \"http://x\\x7f\"\n", "is not an http:// or https://");
    bad(HEAD_ "packages: [\"-o\"]\n", "packages[0]: \"-o\" is not the name of a package");
    bad(HEAD_ "packages: [\"a b\"]\n", "is not the name of a package");
    bad(HEAD_ "packages: [\"a;b\"]\n", "is not the name of a package");
    bad(HEAD_ "package: [a]\n", "unknown key (did you mean packages?)");
    bad(HEAD_ "entrypoint: [a]\n", "unknown key (did you mean config.entrypoint?)");
    bad(HEAD_ "qqqqqq: [a]\n", "unknown key (recipe.yaml(5) lists all)");
    bad("name: a\nfrom: scratch\npackages: [a]\n", "nothing can run in an empty root");
    bad("name: a\nfrom: scratch\nrun: [a]\n", "nothing can run in an empty root");
    bad(HEAD_ "copy: [{to: /x}]\n", "copy[0]: has neither from and text");
    bad(HEAD_ "copy: [{to: /x, from: a, text: b}]\n", "copy[0]: has both from and text");
    bad(HEAD_ "copy: [{text: b}]\n", "r.yaml:3: copy[0]: has no to");
    bad(HEAD_ "copy: [{text: b, to: x}]\n", "copy[0].to:");
    bad(HEAD_ "copy: [{text: b, to: /}]\n", "writes a text over /");
    bad(HEAD_ "copy: [{from: /etc/passwd, to: /x}]\n", "is not a path beside the recipe");
    bad(HEAD_ "copy: [{from: a/../../b, to: /x}]\n", "leads out of the recipe's folder");
    bad(HEAD_ "copy: [{from: .., to: /x}]\n", "leads out of the recipe's folder");
    bad(HEAD_ "copy: [{from: a, to: /x, owner: root}]\n", "is not UID:GID");
    bad(HEAD_ "copy: [{from: a, to: /x, owner: \"0:70000\"}]\n", "is not UID:GID");
    bad(HEAD_ "copy: [{from: a, to: /x, mode: 888}]\n", "is not a mode");
    bad(HEAD_ "config: {expose: [0]}\n", "is not a port");
    bad(HEAD_ "config: {expose: [80/sctp]}\n", "is not a port");
    bad(HEAD_ "config: {user: \"a b\"}\n", "config.user");
    bad(HEAD_ "zone: {tasks: x}\n", "r.yaml:3: zone.tasks:");
    bad(HEAD_ "zone: {image: x}\n", "names image");
    bad(HEAD_ "recipe: 7\n", "recipe: 7 is out of range");
    bad(HEAD_ "run: [&a x, *a]\n", "is not taken");
}

int main(void)
{
    test_taken();
    test_refused();
    return done_testing();
}
