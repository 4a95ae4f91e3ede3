# Remuda.  `make help` lists the targets.  Everything built lands in $(BUILD).
CC       ?= gcc
ifeq ($(origin CC),default)
CC       := gcc
endif
BUILD    ?= build
V        ?= 0
Q        := $(if $(filter 0,$(V)),@,)
PREFIX   ?= /usr/local
DESTDIR  ?=
SEEDS    ?= 200
# Tests at once: each has its own folder, and its own namespaces where it needs them.
JOBS     ?= 2

WARN     := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
            -Wpointer-arith -Wvla -Wundef -Wno-format-zero-length -Werror
OPT      ?= -O2
SANITIZE ?=
HARDEN   := -fstack-protector-strong -fPIE
CFLAGS   += -std=gnu11 -g $(OPT) $(WARN) $(HARDEN) $(SANITIZE) $(BUGS)
LDFLAGS  += -pie -Wl,-z,relro,-z,now $(SANITIZE)

PKGS     := libuv sqlite3 jansson lua5.4 ncursesw libvirt libvirt-qemu libxml-2.0 libisofs-1 libcrypt openssl libseccomp libssh libmnl libcap-ng vterm
# Looked up once, and not at all for targets that need no libraries.
ifeq ($(filter deps clean help docs-clean,$(MAKECMDGOALS)),)
PKG_OK   := $(shell pkg-config --exists $(PKGS) 2>/dev/null && echo yes)
PKG_CFLAGS := $(shell pkg-config --cflags $(PKGS) 2>/dev/null)
PKG_LIBS := $(shell pkg-config --libs $(PKGS) 2>/dev/null) -lpthread
endif
CPPFLAGS += -I. -D_GNU_SOURCE -DREMUDA_PREFIX='"$(PREFIX)"' $(PKG_CFLAGS)

MODULES  := base core wire db loop gateway ssh hypervisor rules net console
dir_of    = $(if $(filter db console,$(1)),$(1),engine/$(1))
sources   = $(sort $(wildcard $(call dir_of,$(1))/*.c))
objects   = $(patsubst %.c,$(BUILD)/obj/%.o,$(1))

ALL_OBJ  := $(foreach m,$(MODULES),$(call objects,$(call sources,$(m))))
MAIN_OBJ := $(BUILD)/obj/console/main.o
LIB_OBJ  := $(filter-out $(MAIN_OBJ),$(ALL_OBJ))
LIB      := $(BUILD)/libremuda.a
SIM_OBJ  := $(call objects,$(call sources,sim))
SIM_LIB  := $(BUILD)/libsim.a
TEST_SRC := $(sort $(wildcard tests/unit/*.c tests/sim/*.c))
FUZZ     := $(filter-out replay,$(patsubst tests/fuzz/%.c,%,$(sort $(wildcard tests/fuzz/*.c))))
FUZZ_SECONDS ?= 60
REPLAYS  := $(addprefix $(BUILD)/tests/fuzz/,$(FUZZ))
TESTS    := $(patsubst %.c,$(BUILD)/%,$(TEST_SRC)) $(REPLAYS)
BENCH    := $(patsubst %.c,$(BUILD)/%,$(sort $(wildcard tests/bench/*.c)))
LABPROG  := $(patsubst %.c,$(BUILD)/%,$(sort $(wildcard tests/lab/*.c tests/screen/*.c tests/scenario/*.c)))
SCRIPTS_T := $(sort $(wildcard tests/tree/*.t tests/sim/*.t tests/scenario/*.t tests/screen/*.t tests/lab/*.t))
# Minutes each: begun first, so that none is left alone at the end.
LONG_T   := tests/lab/second_system.t tests/sim/planted.t

.PHONY: all build deps demo check sim bench fuzz asan install clean help docs man security deb tests clang

all: build

build: deps-quick $(BUILD)/remuda guest $(BUILD)/remuda.so

.PHONY: deps-quick
deps-quick:
	@if [ "$(PKG_OK)" != yes ]; then \
		share/install-deps.sh && exec $(MAKE) --no-print-directory build; fi

deps:            ## install the Debian packages that build, demo and tests need
	@share/install-deps.sh

ifeq ($(PKG_OK),yes)
$(BUILD)/remuda: $(MAIN_OBJ) $(LIB)
	@echo "  LD    $@"
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $(filter %.o %.a,$^) $(PKG_LIBS)
else
$(BUILD)/remuda: ;
endif

$(LIB): $(LIB_OBJ)
	@rm -f $@
	@$(AR) qcs $@ $^

$(SIM_LIB): $(SIM_OBJ)
	@rm -f $@
	@$(AR) qcs $@ $^

$(BUILD)/obj/%.o: %.c
	@mkdir -p $(@D)
	@echo "  CC    $<"
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

# The Lua API and the migrations are compiled in; the compiler does not list them.
$(BUILD)/obj/console/lua_module.o: $(wildcard console/lua/*.lua)
$(BUILD)/obj/db/migrations.o: $(wildcard db/migrations/*.sql)
$(BUILD)/obj/console/practice.o: share/practice/site.lua

$(BUILD)/tests/%: $(BUILD)/obj/tests/%.o $(BUILD)/obj/tests/tap.o $(SIM_LIB) $(LIB)
	@mkdir -p $(@D)
	@echo "  LD    $@"
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $(filter %.o %.a,$^) $(PKG_LIBS)

# A fuzz target with its corpus instead of libFuzzer.
$(REPLAYS): $(BUILD)/obj/tests/fuzz/replay.o

# Colours as eyes see them.
$(BUILD)/tests/unit/console_theme: PKG_LIBS += -lm

# The Lua API as a module: what it needs of console, wire and base once more, as
# code for a shared object.  The Lua that loads it brings Lua's own functions.
PIC_SRC := $(sort $(wildcard $(addprefix console/,cli*.c lua_*.c client.c complete.c connect*.c format.c \
           launch.c paths.c))) $(call sources,wire) $(call sources,base)
PIC_OBJ := $(patsubst %.c,$(BUILD)/pic/%.o,$(PIC_SRC))
PIC_LIBS := $(filter-out -llua% -lvirt% -lxml2 -lsqlite3 -lisofs% -lssh -luv,$(PKG_LIBS))
$(BUILD)/pic/console/lua_module.o: $(wildcard console/lua/*.lua)
$(BUILD)/pic/%.o: %.c
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(filter-out -fPIE,$(CFLAGS)) -fPIC -fvisibility=hidden -MMD -MP -c -o $@ $<
$(BUILD)/pic/libremuda.a: $(PIC_OBJ)
	@rm -f $@
	@$(AR) qcs $@ $^
$(BUILD)/remuda.so: $(BUILD)/pic/console/lua_module.o $(BUILD)/pic/libremuda.a
	@echo "  LD    $@"
	$(Q)$(CC) $(filter-out -fPIE,$(CFLAGS)) -shared -Wl,-z,relro,-z,now -Wl,--exclude-libs,ALL -Wl,--as-needed \
		-o $@ $^ $(PIC_LIBS)

# The helper that runs inside guests: static, libc only.
GUEST_SRC := $(sort $(wildcard share/guest/*.c)) engine/wire/native.c
.PHONY: guest
guest: $(BUILD)/remuda-guest
$(BUILD)/remuda-guest: $(GUEST_SRC) $(wildcard share/guest/*.h) engine/wire/native.h | deps-quick
	@mkdir -p $(@D)
	@echo "  CC    $@"
	$(Q)musl-gcc -static -std=gnu11 -Os $(WARN) -I. -D_GNU_SOURCE -s -o $@ $(GUEST_SRC)

# ---- what people call -----------------------------------------------------
demo: deps       ## a live site of real guests; on a terminal with its console
	@$(MAKE) --no-print-directory build
	@BUILD=$(BUILD) share/demo/demo.sh

tests: build $(TESTS) $(LABPROG) $(BENCH)

check: deps      ## every test, through prove
	@$(MAKE) --no-print-directory -j$(JOBS) tests
	@$(MAKE) --no-print-directory -j$(JOBS) clang
	BUILD=$(BUILD) SEEDS=$(SEEDS) prove -j$(JOBS) --timer --failures --merge -e tests/run \
		$(LONG_T) $(sort $(TESTS)) $(filter-out $(LONG_T),$(SCRIPTS_T))

# The other compiler must agree; nothing is linked twice that is not run.
clang: deps-quick
	@$(MAKE) --no-print-directory CC=clang BUILD=$(BUILD)/clang $(BUILD)/clang/remuda

sim: deps-quick  ## the simulator: make sim SEEDS=2000
	@$(MAKE) --no-print-directory $(BUILD)/tests/sim/sim
	$(BUILD)/tests/sim/sim --seeds $(SEEDS)

bench: deps-quick ## figures, side by side in one run
	@$(MAKE) --no-print-directory build $(BENCH) $(BUILD)/tests/screen/console_driver
	@BUILD=$(BUILD) BENCH_ONLY="$(BENCH_ONLY)" tests/bench/run

asan: deps-quick ## unit, simulator and screen tests under ASan and UBSan
	@$(MAKE) --no-print-directory BUILD=$(BUILD)/asan \
		OPT="-O1 -Wno-format-truncation -Wno-maybe-uninitialized" \
		SANITIZE="-fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer" \
		asan-run
fuzz: deps-quick ## each parser under libFuzzer: make fuzz FUZZ_SECONDS=60
	@$(MAKE) --no-print-directory CC=clang BUILD=$(BUILD)/fuzz \
		OPT="-O1 -DFUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION" \
		SANITIZE="-fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all" \
		$(addprefix $(BUILD)/fuzz/libfuzzer/,$(FUZZ))
	@BUILD=$(BUILD)/fuzz FUZZ_SECONDS=$(FUZZ_SECONDS) tests/fuzz/run $(FUZZ)

$(BUILD)/libfuzzer/%: $(BUILD)/obj/tests/fuzz/%.o $(LIB)
	@mkdir -p $(@D)
	@echo "  LD    $@"
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -fsanitize=fuzzer -o $@ $^ $(PKG_LIBS)
.PHONY: asan-run
asan-run: tests
	ASAN_OPTIONS=detect_leaks=0 BUILD=$(BUILD) SEEDS=$(SEEDS) prove --timer --failures --merge -e tests/run \
		$(sort $(TESTS)) $(filter-out %/live.t,$(sort $(wildcard tests/screen/*.t)))

man: build       ## the manual pages that are made from tables
	$(BUILD)/remuda help --man > share/man/remuda.1
	$(BUILD)/remuda run share/man/verbs.lua share/man/remuda-lua.3

docs: build      ## the state diagrams, from the tables (Graphviz)
	@$(BUILD)/remuda role states

# Two units of one text: the site "default", and one for each other site.
UNITS := $(BUILD)/systemd/remuda.service $(BUILD)/systemd/remuda@.service
.PHONY: FORCE
FORCE:
$(BUILD)/systemd/remuda.service: share/systemd/remuda.service.in FORCE
	@mkdir -p $(@D)
	$(Q)sed 's|@SITE@|default|g;s|@CONFIG@|/etc/remuda/site.lua|g;s|@PREFIX@|$(PREFIX)|g' $< > $@
$(BUILD)/systemd/remuda@.service: share/systemd/remuda.service.in FORCE
	@mkdir -p $(@D)
	$(Q)sed 's|@SITE@|%i|g;s|@CONFIG@|/etc/remuda/%i/site.lua|g;s|@PREFIX@|$(PREFIX)|g' $< > $@

security: $(UNITS) ## how exposed the unit is, by systemd's own measure
	@systemd-analyze security --offline=true --no-pager $(BUILD)/systemd/remuda.service

# Lua looks for modules there, of itself under /usr and /usr/local.
LUADIR   ?= $(PREFIX)/lib/lua/5.4
UNITDIR  ?= $(PREFIX)/lib/systemd/system
ZSHDIR   ?= $(PREFIX)/share/zsh/site-functions
SHARE     = $(DESTDIR)$(PREFIX)/share
COMPLETE := $(BUILD)/complete/remuda.bash $(BUILD)/complete/_remuda $(BUILD)/complete/remuda.fish
$(BUILD)/complete/remuda.bash: SHELL_OF = bash
$(BUILD)/complete/_remuda: SHELL_OF = zsh
$(BUILD)/complete/remuda.fish: SHELL_OF = fish
$(COMPLETE): $(BUILD)/remuda
	@mkdir -p $(@D)
	$(Q)$(BUILD)/remuda completion $(SHELL_OF) > $@
$(BUILD)/man/remuda-console.1: $(BUILD)/remuda
	@mkdir -p $(@D)
	$(Q)$(BUILD)/remuda help --man console > $@

install: build $(UNITS) $(COMPLETE) $(BUILD)/man/remuda-console.1   ## into $(DESTDIR)$(PREFIX)
	install -D -m 755 $(BUILD)/remuda $(DESTDIR)$(PREFIX)/bin/remuda
	install -D -m 755 $(BUILD)/remuda-guest $(SHARE)/remuda/remuda-guest
	install -D -m 644 $(BUILD)/remuda.so $(DESTDIR)$(LUADIR)/remuda.so
	for p in share/man/*.[1-8] $(BUILD)/man/remuda-console.1; do \
		install -D -m 644 -t $(SHARE)/man/man$${p##*.} $$p || exit 1; done
	for f in share/examples scripts/*; do \
		to=$(SHARE)/remuda/$${f#share/}; \
		install -d $$to && install -m 644 $$f/*.* $$to/ || exit 1; done
	install -D -m 644 $(BUILD)/complete/remuda.bash $(SHARE)/bash-completion/completions/remuda
	install -D -m 644 $(BUILD)/complete/_remuda $(DESTDIR)$(ZSHDIR)/_remuda
	install -D -m 644 $(BUILD)/complete/remuda.fish $(SHARE)/fish/vendor_completions.d/remuda.fish
	install -D -m 644 -t $(DESTDIR)$(UNITDIR) $(UNITS)
	install -D -m 644 share/systemd/remuda.sysusers $(DESTDIR)$(PREFIX)/lib/sysusers.d/remuda.conf
	install -D -m 644 -t $(SHARE)/doc/remuda README.md ARCHITECTURE.md LICENSE

deb: build       ## a Debian package in $(BUILD)
	@BUILD=$(BUILD) share/debian/build-deb.sh

.SECONDARY:
-include $(shell find $(BUILD)/obj $(BUILD)/pic -name '*.d' 2>/dev/null)

clean:           ## remove everything built
	rm -rf $(BUILD) build-*

help:            ## this list
	@sed -n 's/^\([a-z-]*\): .*## \(.*\)/  make \1\t\2/p;s/^\([a-z-]*\): *## \(.*\)/  make \1\t\2/p' Makefile | expand -t 20
