# zoned: one Makefile. `make help` lists the targets; V=1 shows the commands.
VERSION := 0.1.0
VARIANT ?= release
O := build/$(VARIANT)
CC ?= gcc
PREFIX ?= /usr
SYSCONFDIR ?= /etc
LIBEXECDIR ?= $(PREFIX)/libexec/zoned
UNITDIR ?= $(PREFIX)/lib/systemd/system
MANDIR ?= $(PREFIX)/share/man

WARN := -Wall -Wextra -Wshadow -Wpointer-arith -Wstrict-prototypes -Wmissing-prototypes -Wold-style-definition \
	-Wwrite-strings -Wformat=2 -Wundef -Wvla -Wimplicit-fallthrough -Wno-unused-parameter
HARDEN := -fPIE -fstack-protector-strong -fno-plt
# another version, so that the upgrade test has one
VERSION_debug := +debug
CPPFLAGS += -I. -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -DZONED_VERSION='"$(VERSION)$(VERSION_$(VARIANT))"'
CPPFLAGS_netstack := -isystem /usr/include/libnl3
CFLAGS_release := -O2 -g -D_FORTIFY_SOURCE=2
CFLAGS_debug := -O1 -g -DZONED_FAULTS
CFLAGS_asan := -O1 -g -DZONED_FAULTS -fsanitize=address,undefined -fno-omit-frame-pointer -fno-sanitize-recover=undefined
CFLAGS_cov := -O0 -g -DZONED_FAULTS --coverage
CFLAGS_fuzz := -O1 -g -fsanitize=fuzzer-no-link,address,undefined -fno-omit-frame-pointer
LDFLAGS_asan := -fsanitize=address,undefined
LDFLAGS_cov := --coverage
LDFLAGS_fuzz := -fsanitize=address,undefined
ifeq ($(VARIANT),fuzz)
CC := clang
endif
ifneq ($(CI)$(WERROR),)
WARN += -Werror
endif
CFLAGS_ALL = -std=gnu17 $(WARN) $(HARDEN) $(CFLAGS_$(VARIANT)) $(CFLAGS)
LDFLAGS_ALL = -pie -Wl,-z,relro,-z,now,--as-needed $(LDFLAGS_$(VARIANT)) $(LDFLAGS)

ifeq ($(V),)
Q := @
say = @printf '  %-7s %s\n' '$(1)' '$(2)'
else
say = @:
endif

# ---- the house: one archive per folder, so that each link line shows its layers ----
FOLDERS := base specs namespaces cgroups netstack storage zoned/api zoned/sup zoned/http zoned
lib = $(O)/lib$(subst /,-,$(1)).a
objs = $(patsubst %.c,$(O)/%.o,$(wildcard $(1)/*.c))
LIBS := $(foreach f,$(FOLDERS),$(call lib,$(f)))
L_base := $(call lib,base)
L_specs := $(call lib,specs) $(L_base)
L_api := $(call lib,zoned/api) $(L_specs)
L_leaf := $(call lib,namespaces) $(call lib,cgroups) $(call lib,netstack) $(call lib,storage) $(L_specs)
L_sup := $(call lib,zoned/sup) $(call lib,zoned/api) $(L_leaf)
L_http := $(call lib,zoned/http) $(L_api)
L_zoned := $(call lib,zoned) $(call lib,zoned/http) $(L_sup)
# third-party libraries, named where they are linked
T_base := -ljansson
T_specs := -lyaml $(T_base)
T_leaf := -lseccomp -lcap -lcgroup -lnl-route-3 -lnl-3 -lnftnl -lmnl -lnftables -larchive -lisal -lzstd -lz -lcurl -lcrypto $(T_specs)
T_http := -lmicrohttpd -lsystemd $(T_specs)
T_zoned := -lmicrohttpd -lsystemd $(T_leaf)

PROGRAMS := zoned zonectl zone-sup zone-init zone-image
BIN := $(addprefix $(O)/bin/,$(PROGRAMS))

.PHONY: all deps demo check check-v2 unit system fault asan fuzz bench tidy format format-check arrows install deb clean help
all: $(BIN)
ifeq ($(VARIANT),release)
	@mkdir -p build/bin && for p in $(PROGRAMS); do ln -sf ../$(VARIANT)/bin/$$p build/bin/$$p; done
endif

define archive_rule
$(call lib,$(1)): $(call objs,$(1))
	$$(call say,AR,$$@)
	$(Q)rm -f $$@ && ar rcs $$@ $$^
endef
$(foreach f,$(FOLDERS),$(eval $(call archive_rule,$(f))))

$(O)/%.o: %.c
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(CPPFLAGS_$(subst /,-,$(patsubst %/,%,$(dir $<)))) $(CFLAGS_ALL) -MMD -MP -c -o $@ $<

define link
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS_ALL) $(LDFLAGS_ALL) -o $@ $(filter %.o %.a,$^) $(1)
endef

# Static: the dynamic linker costs a third of a client's start (0.35 of 1.3 ms), and every command pays it.
$(O)/bin/zonectl: $(call objs,cmd/zonectl) $(L_api)
	$(call link,$(if $(filter release debug,$(VARIANT)),-static-pie) $(T_specs))
$(O)/bin/zoned: $(call objs,cmd/zoned) $(L_zoned)
	$(call link,$(T_zoned))
$(O)/bin/zone-sup: $(call objs,cmd/zone-sup) $(L_sup)
	$(call link,$(T_leaf))
# The only program with the registry's client in it: libcurl costs 5 ms at each start.
$(O)/bin/zone-image: $(call objs,cmd/zone-image) $(call lib,storage) $(L_api)
	$(call link,$(T_leaf))
# PID 1 of a zone: freestanding (2.6 kB, 12 kB of memory; a static libc's start costs 0.5 ms) and without sanitizers in every
# variant, because it runs where no library is.
$(O)/bin/zone-init: $(wildcard cmd/zone-init/*.c) $(wildcard cmd/zone-init/*.h)
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)gcc -std=gnu17 -D_GNU_SOURCE $(WARN) -Os -g0 -ffreestanding -fno-stack-protector -nostdlib -static \
		-Wl,-z,relro,-z,noseparate-code,--build-id=none,--gc-sections -ffunction-sections -o $@ $(filter %.c,$^)

# ---- unit tests mirror the folders: tests/unit/FOLDER/test_*.c, one program each, TAP ----
unit_progs = $(patsubst tests/unit/%.c,$(O)/tests/unit/%,$(wildcard tests/unit/$(1)/test_*.c))
# What needs fault points is built and run in the debug variant only.
FAULTY := $(O)/tests/unit/zoned/sup/test_faults
UNITS := $(filter-out $(if $(filter release,$(VARIANT)),$(FAULTY)),$(foreach f,$(FOLDERS),$(call unit_progs,$(f))))
define unit_rule
$(call unit_progs,$(1)): $(O)/tests/unit/$(1)/%: $(O)/tests/unit/$(1)/%.o $(2)
	$$(call link,$(3))
.PHONY: unit-$(subst /,-,$(1))
unit-$(subst /,-,$(1)): $(call unit_progs,$(1))
	@for t in $$^; do echo "# $$$$t"; $$$$t || exit 1; done
endef
$(eval $(call unit_rule,base,$(L_base),$(T_base)))
$(eval $(call unit_rule,specs,$(L_specs),$(T_specs)))
$(foreach f,namespaces cgroups netstack storage,$(eval $(call unit_rule,$(f),$(L_leaf),$(T_leaf))))
$(eval $(call unit_rule,zoned/api,$(L_api),$(T_specs)))
$(eval $(call unit_rule,zoned/sup,$(L_sup),$(T_leaf)))
$(eval $(call unit_rule,zoned/http,$(L_http),$(T_http)))
$(eval $(call unit_rule,zoned,$(L_zoned),$(T_zoned)))
# What attacks from inside a zone in the system tests: static and without sanitizers, since it runs where no library is.
HOSTILE := $(O)/tests/hostile/hostile
$(HOSTILE): $(wildcard tests/hostile/*.c) $(wildcard tests/hostile/*.h)
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)gcc -std=gnu17 $(WARN) -I. -D_GNU_SOURCE -O1 -g -static -o $@ $(filter %.c,$^) -lseccomp -lcap
unit-progs: $(UNITS) $(HOSTILE)
.PHONY: unit-progs

# ---- fuzzers: tests/fuzz/fuzz_*.c with a corpus folder each; replay (no libFuzzer) runs in check ----
FUZZERS := $(basename $(notdir $(wildcard tests/fuzz/fuzz_*.c)))
$(addprefix $(O)/fuzz/,$(FUZZERS)): $(O)/fuzz/%: $(O)/tests/fuzz/%.o $(L_zoned)
	$(call link,-fsanitize=fuzzer $(T_zoned))
$(addprefix $(O)/replay/,$(FUZZERS)): $(O)/replay/%: $(O)/tests/fuzz/%.o $(O)/tests/fuzz/replay.o $(L_zoned)
	$(call link,$(T_zoned))

# ---- everything that CI runs: arrows, unit tests, replayed fuzz corpora, system and fault tests; prove sums up ----
hostile: $(HOSTILE)
.PHONY: hostile
REPLAYS := $(addprefix $(O)/replay/,$(FUZZERS))
SYSTEM := $(sort $(wildcard tests/system/*.t))
PROVE := prove --timer --nocolor --exec ''
export ZONED_BIN := $(CURDIR)/build/release/bin

arrows:
	$(Q)tools/arrows
format:
	$(Q)clang-format -i $(SOURCES)
SOURCES = $(shell git ls-files '*.c' '*.h')
format-check:
	$(Q)clang-format --dry-run --Werror $(SOURCES)
unit: $(UNITS) $(BIN)
	$(PROVE) $(UNITS)
replay: $(REPLAYS)
	$(Q)for f in $(FUZZERS); do $(O)/replay/$$f tests/fuzz/corpus/$$f/* || exit 1; done
system: all $(HOSTILE)
	$(Q)$(MAKE) --no-print-directory VARIANT=debug $(addprefix build/debug/bin/,$(PROGRAMS))
	$(PROVE) $(SYSTEM)
FAULT := build/debug/tests/unit/zoned/sup/test_faults
fault: all
	$(Q)$(MAKE) --no-print-directory VARIANT=debug $(addprefix build/debug/bin/,$(PROGRAMS)) $(FAULT)
	$(PROVE) $(FAULT)
.PHONY: replay
check: deps
	$(Q)$(MAKE) --no-print-directory WERROR=1 all unit-progs arrows format-check replay
	$(Q)$(MAKE) --no-print-directory WERROR=1 VARIANT=debug $(addprefix build/debug/bin/,$(PROGRAMS)) $(FAULT)
	$(PROVE) $(UNITS) $(SYSTEM) $(FAULT) $(GUEST)
# A QEMU guest with Debian's 6.1 kernel and cgroup v2 alone runs the tests marked "guest: v2"; V2=all: the whole system suite;
# V2="FILE…": those. The guest's disk is made once and kept in ZONED_CACHE (/var/tmp/zoned-cache).
GUEST := tests/v2/suite.t tests/v2/systemd.t
GUEST_DEPS := qemu-system-x86 kmod e2fsprogs
export V2_PACKAGES = $(filter-out clang% libclang%,$(TEST_DEPS))
check-v2: deps
	$(Q)$(MAKE) --no-print-directory WERROR=1 all unit-progs
	$(if $(V2),$(Q)$(MAKE) --no-print-directory VARIANT=debug $(addprefix build/debug/bin/,$(PROGRAMS)))
	$(PROVE) $(if $(V2)$(DIVIDE_FULL),,-j2) $(GUEST)
ASAN_SYSTEM := tests/system/10-life.t tests/system/20-crash.t tests/system/50-bad-input.t tests/system/70-verbs.t
asan: $(HOSTILE)
	$(Q)$(MAKE) --no-print-directory VARIANT=asan all unit-progs
	$(Q)ASAN_OPTIONS=detect_leaks=0 $(MAKE) --no-print-directory VARIANT=asan unit
	$(Q)ASAN_OPTIONS=detect_leaks=0 ZONED_BIN=$(CURDIR)/build/asan/bin $(PROVE) $(ASAN_SYSTEM)

FUZZ_SECONDS ?= 60
fuzz:
	$(Q)$(MAKE) --no-print-directory VARIANT=fuzz $(addprefix build/fuzz/fuzz/,$(FUZZERS))
	$(Q)for f in $(FUZZERS); do mkdir -p build/fuzz/corpus/$$f tests/fuzz/corpus/$$f; echo "# $$f"; \
		build/fuzz/fuzz/$$f -max_total_time=$(FUZZ_SECONDS) -timeout=10 -print_final_stats=0 -verbosity=0 \
			$$(ls tests/fuzz/$$f.dict 2>/dev/null | sed 's/^/-dict=/') build/fuzz/corpus/$$f tests/fuzz/corpus/$$f || exit 1; done
bench: PACKAGES = $(BUILD_DEPS) $(TEST_DEPS)
bench: deps
	$(Q)$(MAKE) --no-print-directory all
	$(Q)tests/bench/run
	$(Q)tests/bench/images
	$(Q)tests/bench/net
	$(Q)tests/bench/noise
	$(Q)tests/bench/stats
tidy:
	$(Q)tools/tidy

# One command on a fresh machine: installs what is needed, builds, tells a story on something real.
demo: PACKAGES = $(BUILD_DEPS) $(DEMO_DEPS)
demo: deps
	$(Q)$(MAKE) --no-print-directory all
	$(Q)tools/demo

BUILD_DEPS := gcc make pkg-config libcgroup-dev libnl-3-dev libnl-route-3-dev libseccomp-dev libyaml-dev libmicrohttpd-dev \
	libjansson-dev libarchive-dev libcap-dev libnftables-dev libnftnl-dev libmnl-dev libsystemd-dev libssl-dev libcurl4-openssl-dev libisal-dev libzstd-dev zlib1g-dev
DEMO_DEPS := iproute2 nftables curl busybox-static util-linux procps jq lxcfs dnsmasq-base
TEST_DEPS := iproute2 nftables curl perl python3 busybox-static mmdebstrap clang-format clang libclang-rt-14-dev apache2-utils \
	iputils-ping util-linux procps jq strace docker-registry skopeo umoci podman crun openssl lxcfs dnsmasq-base stress-ng prometheus openjdk-17-jre-headless openssh-client \
	e2fsprogs xz-utils bzip2 bind9-dnsutils iperf3 nmap hping3 tcpdump socat ndisc6 postgresql ufw iptables dbus-daemon python3-dbus python3-gi python3-nftables
PACKAGES = $(BUILD_DEPS) $(TEST_DEPS) $(GUEST_DEPS)
deps:
	$(Q)missing=$$(for p in $(PACKAGES); do dpkg-query -W -f '$${Status}\n' $$p 2>/dev/null | grep -q 'ok installed' || echo $$p; done); \
	if [ -n "$$missing" ]; then echo "installing:" $$missing; \
		apt-get update -q >/dev/null && DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends $$missing >/dev/null; fi

install: all
	install -d $(DESTDIR)$(PREFIX)/sbin $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(LIBEXECDIR) $(DESTDIR)$(UNITDIR) \
		$(DESTDIR)$(MANDIR)/man1 $(DESTDIR)$(MANDIR)/man5 $(DESTDIR)$(MANDIR)/man8 $(DESTDIR)$(PREFIX)/share/zoned \
		$(DESTDIR)$(PREFIX)/share/bash-completion/completions $(DESTDIR)$(PREFIX)/share/zsh/vendor-completions \
		$(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d
	install -m 755 $(O)/bin/zoned $(O)/bin/zone-sup $(O)/bin/zone-init $(O)/bin/zone-image $(DESTDIR)$(LIBEXECDIR)
	install -m 755 $(O)/bin/zonectl $(DESTDIR)$(PREFIX)/bin/zonectl
	ln -sf $(LIBEXECDIR)/zoned $(DESTDIR)$(PREFIX)/sbin/zoned
	install -m 644 specs/openapi.json $(DESTDIR)$(LIBEXECDIR)/openapi.json
	for u in zoned zoned-zones; do sed 's|@LIBEXECDIR@|$(LIBEXECDIR)|g' packaging/$$u.service >$(DESTDIR)$(UNITDIR)/$$u.service; done
	install -m 644 packaging/zoned.socket $(DESTDIR)$(UNITDIR)/zoned.socket
	install -m 644 cmd/zonectl/zonectl.1 $(DESTDIR)$(MANDIR)/man1/zonectl.1
	install -m 644 cmd/zoned/zoned.8 $(DESTDIR)$(MANDIR)/man8/zoned.8
	{ cat cmd/zoned/zone.yaml.5.head; $(O)/bin/zoned --spec-reference man; } >$(DESTDIR)$(MANDIR)/man5/zone.yaml.5
	{ cat cmd/zoned/recipe.yaml.5.head; $(O)/bin/zoned --spec-reference recipe; } >$(DESTDIR)$(MANDIR)/man5/recipe.yaml.5
	cd specs && find packages -type f -exec install -Dm644 {} $(abspath $(DESTDIR)$(PREFIX))/share/zoned/{} \;
	$(O)/bin/zonectl completion bash >$(DESTDIR)$(PREFIX)/share/bash-completion/completions/zonectl
	$(O)/bin/zonectl completion zsh >$(DESTDIR)$(PREFIX)/share/zsh/vendor-completions/_zonectl
	$(O)/bin/zonectl completion fish >$(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/zonectl.fish
deb: all
	$(Q)tools/deb $(VERSION)

clean:
	rm -rf build
help:
	@echo 'all deps demo check check-v2 asan fuzz bench tidy format format-check install deb clean; VARIANT=release|debug|asan|cov|fuzz, V=1'

-include $(shell find $(O) -name '*.d' 2>/dev/null)
