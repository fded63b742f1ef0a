/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What other managers of containers call a thing, and what to type here: looked up before a name is guessed by likeness.
 * Data alone; 70-verbs.t types what stands here. */
#include "cmd/zonectl/zonectl.h"
#include <string.h>

#define SPEC "create run"
static const struct {
    const char *of; /* the verbs whose second word or option it is; "" = it is a verb itself */
    const char *word, *say;
} table[] = {
    {"", "build", "zonectl image build -f RECIPE"},
    {"", "compose", "zonectl apply -f DIR (a folder of specs)"},
    {"", "config", "zonectl set NAME KEY=VALUE, or zonectl edit NAME"},
    {"", "container", "leave the word out: zonectl list, zonectl show NAME"},
    {"", "copy", "zonectl clone NAME NEW"},
    {"", "destroy", "zonectl delete NAME"},
    {"", "enter", "zonectl login NAME"},
    {"", "file", "zonectl cp SRC DST (one side is NAME:PATH)"},
    {"", "freeze", "zonectl pause NAME"},
    {"", "history", "zonectl image show REF"},
    {"", "import", "zonectl image import FILE [REF]"},
    {"", "info", "zonectl show NAME; of the host: zonectl show @host, zonectl doctor"},
    {"", "inspect", "zonectl show NAME -o json; of an image: zonectl image show REF"},
    {"", "launch", "zonectl run -d --name NAME IMAGE"},
    {"", "load", "zonectl image import FILE"},
    {"", "monitor", "zonectl events -f"},
    {"", "move", "zonectl rename NAME NEW"},
    {"", "port", "zonectl list (PORTS)"},
    {"", "prune", "zonectl image prune (images only); zones go by name: zonectl delete NAME"},
    {"", "pull", "zonectl image pull REF"},
    {"", "push", "zonectl image push REF [TARGET]"},
    {"", "remove", "zonectl delete NAME"},
    {"", "rmi", "zonectl image delete REF"},
    {"", "save", "zonectl image export REF FILE"},
    {"", "search", "there is none here: look at the registry, then zonectl image pull REF"},
    {"", "shell", "zonectl login NAME"},
    {"", "snapshot", "zonectl clone NAME NEW, or as an image: zonectl commit NAME REF"},
    {"", "stat", "zonectl stats"},
    {"", "status", "zonectl show NAME"},
    {"", "system", "zonectl df, zonectl doctor, zonectl events, zonectl show @host"},
    {"", "tag", "zonectl image tag REF NEW"},
    {"", "unfreeze", "zonectl resume NAME"},
    {"", "uninstall", "zonectl delete NAME"},
    {"", "up", "zonectl apply -f DIR (a folder of specs), then zonectl start NAME"},
    {"", "update", "zonectl set NAME KEY=VALUE"},

    {"network", "inspect", "zonectl network show NET"},
    {"network", "connect", "zonectl set NAME 'network[]={link: NET}'"},
    {"network", "disconnect", "zonectl set NAME 'network[1]=' (links count from 0)"},
    {"network", "prune", "they go by name: zonectl network list, zonectl network delete NET"},
    {"network", "update", "zonectl network set NET --policy deny, or another option"},
    {"volume", "inspect", "zonectl volume show VOLUME"},
    {"volume", "prune", "they go by name: zonectl volume list (USED-BY), zonectl volume delete VOLUME"},
    {"image", "inspect", "zonectl image show REF"},
    {"image", "info", "zonectl image show REF"},
    {"image", "history", "zonectl image show REF"},
    {"image", "remove", "zonectl image delete REF"},
    {"image", "search", "there is none here: look at the registry, then zonectl image pull REF"},

    {SPEC, "--add-host", "there is none here; zones of one network find each other by name"},
    {SPEC, "--blkio-weight", "--set io.weight=N"},
    {SPEC, "--cgroup-parent", "--set cpu.pool=POOL, after zonectl pool create POOL"},
    {SPEC, "--cpu-quota", "--cpu-cap CPUS"},
    {SPEC, "--cpuset-cpus", "--cpus LIST"},
    {SPEC, "--dns", "there is none here; a zone asks its network, which asks the host's name servers"},
    {SPEC, "--env-file", "-e NAME=VALUE for each line, or process.env of a spec (-f SPEC)"},
    {SPEC, "--gpus", "--device PATH"},
    {SPEC, "--health-cmd", "--set 'health.exec=[sh, -c, CMD]'"},
    {SPEC, "--ip", "--address IP"},
    {SPEC, "--ip6", "--address IP"},
    {SPEC, "--link", "there is none here; zones of one network find each other by name"},
    {SPEC, "-m", "--memory SIZE"},
    {SPEC, "--memory-reservation", "--set memory.soft=SIZE"},
    {SPEC, "--memory-swap", "--set memory.swap=SIZE"},
    {SPEC, "--mount", "-v SRC:DST[:ro], or --tmpfs DST[:SIZE]"},
    {SPEC, "--network-alias", "--network NET --set 'network[0].aliases=[NAME]'"},
    {SPEC, "--pids-limit", "--tasks N"},
    {SPEC, "--platform", "zonectl image pull --platform OS/ARCH REF"},
    {SPEC, "--privileged", "there is none here; what it needs: --cap-add CAP, --device PATH"},
    {SPEC, "--pull", "what is missing is pulled; a newer one: zonectl image pull REF"},
    {SPEC, "--security-opt", "--set security.seccomp=unconfined, --set security.no_new_privs=false"},
    {SPEC, "--shm-size", "--shm SIZE"},
    {SPEC, "--sysctl", "--set 'sysctls={net.core.somaxconn: 4096}'"},
    {SPEC, "--ulimit", "--set limits.nofile=N (also memlock, core)"},
    {"create", "--name", "the name stands alone: zonectl create NAME --image REF"},
    {"create", "--rm", "zonectl run --rm IMAGE"},
    {"create", "-d", "zonectl run -d IMAGE"},
    {"create", "-i", "zonectl run -it IMAGE"},
    {"create", "-t", "zonectl run -it IMAGE"},

    {"delete rm", "-v", "leave it out: volumes stay, and go by name: zonectl volume delete VOLUME"},
    {"kill", "-1", "-s SIG, such as -s TERM"},
    {"kill", "-9", "-s KILL, or leave it out"},
    {"list ls", "-a", "leave it out: all zones are listed"},
    {"list ls", "--all", "leave it out: all zones are listed"},
    {"list ls", "--filter", "-l KEY=VALUE"},
    {"list ls", "--format", "-o json"},
    {"logs", "-o", "leave it out: a log is the text that the program wrote"},
    {"logs", "--output", "leave it out: a log is the text that the program wrote"},
    {"logs", "-t", "--timestamps"},
    {"ps", "-a", "zonectl list"},
    {"ps", "--all", "zonectl list"},
    {"show", "--format", "-o json"},
    {"start", "-a", "zonectl start NAME, then zonectl attach NAME"},
    {"start", "-i", "zonectl start NAME, then zonectl attach NAME"},
    {"stats", "--no-stream", "leave it out: zonectl stats is one look"},
};

const char *ctl_elsewhere(const char *of, const char *word)
{
    for (unsigned i = 0; i < ARRAY_LEN(table); i++)
        if (!strcmp(table[i].word, word) && (!*of ? !*table[i].of : ctl_has_word(table[i].of, of)))
            return table[i].say;
    return NULL;
}
