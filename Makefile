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
CPPFLAGS += -I. -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -DZONED_VERSION='"$(VERSION)"'
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
FOLDERS := base specs namespaces cgroups netstack storage zoned/api zoned/sup zoned
lib = $(O)/lib$(subst /,-,$(1)).a
objs = $(patsubst %.c,$(O)/%.o,$(wildcard $(1)/*.c))
LIBS := $(foreach f,$(FOLDERS),$(call lib,$(f)))
L_base := $(call lib,base)
L_specs := $(call lib,specs) $(L_base)
L_api := $(call lib,zoned/api) $(L_specs)
L_leaf := $(call lib,namespaces) $(call lib,cgroups) $(call lib,netstack) $(call lib,storage) $(L_specs)
L_sup := $(call lib,zoned/sup) $(call lib,zoned/api) $(L_leaf)
L_zoned := $(call lib,zoned) $(L_sup)
# third-party libraries, named where they are linked
T_base := -ljansson
T_specs := -lyaml $(T_base)
T_leaf := -lseccomp -lcap -lcgroup -lnl-route-3 -lnl-3 -lnftnl -lmnl -lnftables -larchive $(T_specs)
T_zoned := -lmicrohttpd -lsystemd $(T_leaf)

PROGRAMS := zoned zonectl zone-sup zone-init
BIN := $(addprefix $(O)/bin/,$(PROGRAMS))

.PHONY: all deps demo check unit system fault asan fuzz bench tidy format format-check arrows install deb clean help
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

$(O)/bin/zonectl: $(call objs,cmd/zonectl) $(L_api)
	$(call link,$(T_specs))
$(O)/bin/zoned: $(call objs,cmd/zoned) $(L_zoned)
	$(call link,$(T_zoned))
$(O)/bin/zone-sup: $(call objs,cmd/zone-sup) $(L_sup)
	$(call link,$(T_leaf))
# PID 1 of a zone: static and without sanitizers in every variant, because it runs where no library is.
$(O)/bin/zone-init: $(wildcard cmd/zone-init/*.c) $(wildcard cmd/zone-init/*.h)
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)gcc -std=gnu17 -D_GNU_SOURCE $(WARN) -Os -g0 -fstack-protector-strong -static -Wl,-z,relro,--gc-sections \
		-ffunction-sections -o $@ $(filter %.c,$^)

# ---- unit tests mirror the folders: tests/unit/FOLDER/test_*.c, one program each, TAP ----
unit_progs = $(patsubst tests/unit/%.c,$(O)/tests/unit/%,$(wildcard tests/unit/$(1)/test_*.c))
UNITS := $(foreach f,$(FOLDERS),$(call unit_progs,$(f)))
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
$(eval $(call unit_rule,zoned,$(L_zoned),$(T_zoned)))
unit-progs: $(UNITS)
.PHONY: unit-progs

# ---- fuzzers: tests/fuzz/fuzz_*.c with a corpus folder each; replay (no libFuzzer) runs in check ----
FUZZERS := $(basename $(notdir $(wildcard tests/fuzz/fuzz_*.c)))
$(addprefix $(O)/fuzz/,$(FUZZERS)): $(O)/fuzz/%: $(O)/tests/fuzz/%.o $(L_zoned)
	$(call link,-fsanitize=fuzzer $(T_zoned))
$(addprefix $(O)/replay/,$(FUZZERS)): $(O)/replay/%: $(O)/tests/fuzz/%.o $(O)/tests/fuzz/replay.o $(L_zoned)
	$(call link,$(T_zoned))

clean:
	rm -rf build
help:
	@echo 'all deps demo check asan fuzz bench tidy format format-check install deb clean; VARIANT=release|debug|asan|cov|fuzz, V=1'

-include $(shell find $(O) -name '*.d' 2>/dev/null)
