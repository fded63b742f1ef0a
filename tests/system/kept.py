"""kept.py SLICE: does the kernel have what the specs say? Zone objects of `zonectl show -o json` on standard input, one after another,
all outside of pools. A reckoning of its own: it knows the files and the rules, not what zoned wrote. Prints one line for each difference."""
import glob, json, math, os, sys

slice_name = sys.argv[1]
zones, text, decode = [], sys.stdin.read().strip(), json.JSONDecoder()
while text:
    zone, end = decode.raw_decode(text)
    zones.append(zone)
    text = text[end:].lstrip()


def file(zone, *names):
    """The first of these files that the zone's groups have, of v1 or v2; None where this kernel has none of them."""
    for name in names:
        for path in glob.glob("/sys/fs/cgroup/*/%s/%s/%s" % (slice_name, zone, name)) + ["/sys/fs/cgroup/%s/%s/%s" % (slice_name, zone, name)]:
            if os.path.exists(path):
                return open(path).read().strip()
    return None


def size(v):
    return None if v is None else v if isinstance(v, int) else int(v[:-1]) << {"K": 10, "M": 20, "G": 30}[v[-1]] if v[-1] in "KMG" else int(v)


def cpus(text):
    out = set()
    for part in (text or "").split(","):
        if part:
            low, _, high = part.partition("-")
            out |= set(range(int(low), int(high or low) + 1))
    return out


def number(text):
    """A limit; none is max, -1 or (v1) a number that no machine has."""
    return None if text is None or text in ("max", "-1") or int(text) > 1 << 62 else int(text)


def say(zone, what, want, got):
    if want != got:
        print("%s: %s: %s, kernel %s" % (zone, what, want, got))


online = cpus(open("/sys/devices/system/cpu/online").read().strip())
sets, taken = {}, set()
for z in zones:
    sets[z["name"]] = cpus(file(z["name"], "cpuset.cpus")) or cpus(file(z["name"], "cpuset.cpus.effective"))
    if z["spec"]["cpu"].get("dedicated"):
        if taken & sets[z["name"]]:
            print("%s: CPUs that are another's, too: %s" % (z["name"], taken & sets[z["name"]]))
        taken |= sets[z["name"]]

weights = []
for z in zones:
    name, cpu, memory = z["name"], z["spec"]["cpu"], z["spec"].get("memory", {})
    say(name, "drift", [], z["drift"])
    wanted = cpus(str(cpu["set"])) if cpu.get("set") is not None else online
    if cpu.get("dedicated"):
        say(name, "dedicated", (cpu["dedicated"], True), (len(sets[name]), sets[name] <= wanted))
    else:
        say(name, "set", wanted - taken, sets[name])
    quota = file(name, "cpu.cfs_quota_us") or file(name, "cpu.max").split()[0]
    say(name, "cap", round(cpu["cap"] * 100000) if cpu.get("cap") else None, number(quota))
    say(name, "burst", round(cpu.get("burst", 0) * 100000), int(file(name, "cpu.cfs_burst_us", "cpu.max.burst")))
    say(name, "idle", int(cpu["idle"]), int(file(name, "cpu.idle")))
    say(name, "tasks", z["spec"]["tasks"], number(file(name, "pids.max")))
    cap, swap = size(memory.get("cap")), size(memory.get("swap")) or 0
    say(name, "memory", cap, number(file(name, "memory.limit_in_bytes", "memory.max")))
    say(name, "memory.reserved", size(memory.get("reserved")) or 0, number(file(name, "memory.soft_limit_in_bytes", "memory.min")) or 0)
    together = file(name, "memory.memsw.limit_in_bytes")
    if together is not None:
        say(name, "memory and swap", None if cap is None else cap + swap, number(together))
    elif file(name, "memory.swap.max") is not None:
        say(name, "swap", swap, number(file(name, "memory.swap.max")))
    rates = [w.removeprefix("rbps=") for line in (file(name, "blkio.throttle.read_bps_device", "io.max") or "").split("\n")
             for w in line.split()[1:2]]
    say(name, "io.read", [str(size(z["spec"]["io"]["read"]))] if z["spec"].get("io", {}).get("read") else [], [r for r in rates if r != "max"])
    if not cpu["idle"]:
        shares = file(name, "cpu.shares")
        weights.append((z, int(shares if shares is not None else file(name, "cpu.weight")), 1024 if shares is not None else 100))

# Weights: a partition's is 1; who has no promise keeps his shares, whoever has one has at least them; where a promise needs more
# than 10,000, all are scaled down by the same.
partition = lambda z: z["spec"]["cpu"].get("dedicated") and file(z["name"], "cpuset.cpus.partition") == "root"
promised = lambda z: z["spec"]["cpu"].get("reserved") and not z["spec"]["cpu"].get("dedicated")
scaled = any(promised(z) and w >= 10000 * unit // 100 for z, w, unit in weights)
low, high = 0, 1  # between these the common scale lies
for z, w, unit in weights:
    shares = z["spec"]["cpu"]["shares"]
    if z["spec"]["cpu"].get("dedicated"):
        say(z["name"], "weight of a dedicated CPU's", 1 if partition(z) else (shares * unit + 50) // 100, w)
    elif promised(z):
        if not scaled and w < shares * unit // 100:
            print("%s: weight: promised and below its shares %d, kernel %d of %d" % (z["name"], shares, w, unit))
    elif not scaled:
        say(z["name"], "weight", (shares * unit + 50) // 100, w)
    else:
        whole = math.ceil(w * 100 / unit)  # of v1's 1024: back to hundredths
        low, high = max(low, 0 if whole <= 1 else (whole - 1) / shares), min(high, (whole + 1) / shares)
if low > high:
    print("weights: not scaled by the same:", [(z["name"], z["spec"]["cpu"]["shares"], w, unit) for z, w, unit in weights])
