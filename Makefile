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

WARN     := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
            -Wpointer-arith -Wvla -Wundef -Wno-format-zero-length -Werror
OPT      ?= -O2
SANITIZE ?=
HARDEN   := -fstack-protector-strong -fPIE
CFLAGS   += -std=gnu11 -g $(OPT) $(WARN) $(HARDEN) $(SANITIZE) $(BUGS)
LDFLAGS  += -pie -Wl,-z,relro,-z,now $(SANITIZE)

PKGS     := libuv sqlite3 jansson lua5.4 ncursesw libvirt libvirt-qemu libxml-2.0 libcrypt openssl libseccomp
# Looked up once, and not at all for targets that need no libraries.
ifeq ($(filter deps clean help docs-clean,$(MAKECMDGOALS)),)
PKG_OK   := $(shell pkg-config --exists $(PKGS) 2>/dev/null && echo yes)
PKG_CFLAGS := $(shell pkg-config --cflags $(PKGS) 2>/dev/null)
PKG_LIBS := $(shell pkg-config --libs $(PKGS) 2>/dev/null) -lpthread
endif
CPPFLAGS += -I. -D_GNU_SOURCE -DREMUDA_PREFIX='"$(PREFIX)"' $(PKG_CFLAGS)

MODULES  := base core wire db sim loop gateway hypervisor rules console
dir_of    = $(if $(filter db console,$(1)),$(1),engine/$(1))
sources   = $(sort $(wildcard $(call dir_of,$(1))/*.c))
objects   = $(patsubst %.c,$(BUILD)/obj/%.o,$(1))

ALL_OBJ  := $(foreach m,$(MODULES),$(call objects,$(call sources,$(m))))
MAIN_OBJ := $(BUILD)/obj/console/main.o
LIB_OBJ  := $(filter-out $(MAIN_OBJ),$(ALL_OBJ))
LIB      := $(BUILD)/libremuda.a
TEST_SRC := $(sort $(wildcard tests/unit/*.c tests/sim/*.c))
TESTS    := $(patsubst %.c,$(BUILD)/%,$(TEST_SRC))
BENCH    := $(patsubst %.c,$(BUILD)/%,$(sort $(wildcard tests/bench/*.c)))
LABPROG  := $(patsubst %.c,$(BUILD)/%,$(sort $(wildcard tests/lab/*.c tests/screen/*.c)))
SCRIPTS_T := $(sort $(wildcard tests/tree/*.t tests/scenario/*.t tests/screen/*.t tests/lab/*.t))

.PHONY: all build deps demo check sim bench asan fuzz install clean help docs tests clang

all: build

build: deps-quick $(BUILD)/remuda guest

.PHONY: deps-quick
deps-quick:
	@if [ "$(PKG_OK)" != yes ]; then \
		share/install-deps.sh && exec $(MAKE) --no-print-directory build; fi

deps:            ## install the Debian packages that build, demo and tests need
	share/install-deps.sh

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

$(BUILD)/obj/%.o: %.c
	@mkdir -p $(@D)
	@echo "  CC    $<"
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/tests/%: $(BUILD)/obj/tests/%.o $(BUILD)/obj/tests/tap.o $(LIB)
	@mkdir -p $(@D)
	@echo "  LD    $@"
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $(filter %.o %.a,$^) $(PKG_LIBS)

# The helper that runs inside guests: static, libc only.
GUEST_SRC := $(sort $(wildcard share/guest/*.c)) engine/wire/native.c
.PHONY: guest
guest: $(BUILD)/remuda-guest
$(BUILD)/remuda-guest: $(GUEST_SRC) $(wildcard share/guest/*.h) engine/wire/native.h
	@mkdir -p $(@D)
	musl-gcc -static -std=gnu11 -Os $(WARN) -I. -D_GNU_SOURCE -s -o $@ $(GUEST_SRC)

.SECONDARY:
-include $(shell find $(BUILD)/obj -name '*.d' 2>/dev/null)

clean:           ## remove everything built
	rm -rf $(BUILD) build-*

help:            ## this list
	@sed -n 's/^\([a-z-]*\): .*## \(.*\)/  make \1\t\2/p;s/^\([a-z-]*\): *## \(.*\)/  make \1\t\2/p' Makefile | expand -t 20
