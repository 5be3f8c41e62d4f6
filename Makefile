# SPDX-License-Identifier: MIT
# Non-recursive GNU make. Everything built lands in $(O); sources stay clean.
# CC, CFLAGS, CPPFLAGS, LDFLAGS, DESTDIR and PREFIX are a packager's to set;
# what the code itself needs is in the T_ variables.

VARIANT ?= release
O ?= $(if $(filter release,$(VARIANT)),build,build/$(VARIANT))
PKG_CONFIG ?= pkg-config
ifeq ($(origin CC),default)
CC := cc
endif

ifeq ($(origin CFLAGS),undefined)
CFLAGS := -O2 -g
HARDEN := -fstack-protector-strong -fstack-clash-protection \
	$(if $(filter x86_64%,$(shell uname -m)),-fcf-protection)
ifeq ($(VARIANT),release)
CPPFLAGS ?= -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2
CFLAGS += $(HARDEN)
LDFLAGS ?= -Wl,-z,relro,-z,now
endif
endif

T_CPPFLAGS := -Icommon -Iworker -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64
T_CFLAGS := -std=c11 -fPIE -Wall -Wextra -Wshadow -Wstrict-prototypes \
	-Wmissing-prototypes -Wvla -Wformat=2 -Wconversion
T_LDFLAGS := -pie -Wl,--as-needed
ifeq ($(VARIANT),asan)
T_CFLAGS += -O1 -fsanitize=address,undefined -fno-sanitize-recover=all \
	-fno-omit-frame-pointer
T_LDFLAGS += -fsanitize=address,undefined
endif
ifneq ($(WERROR),)
T_CFLAGS += -Werror
endif
Q := $(if $(filter 1,$(V)),,@)

# --- what the machine must have ---------------------------------------------
# The same list for building and for testing: Debian's names.
DEPS := gcc libc6-dev make pkgconf libevent-dev libssl-dev \
	libwebsockets-dev libwebsockets-evlib-uv libuv1-dev openssl check python3 clang \
	clang-format codespell nodejs npm ca-certificates
# A node and npm that are already there will do.
DEPS_HAVE = $(if $(and $(shell command -v node),$(shell command -v npm)), \
	$(filter-out nodejs npm,$(DEPS)),$(DEPS))

# --- programs ----------------------------------------------------------------
switchboard_SRC := $(sort $(wildcard tests/switchboard/*.c))
switchboard_LIBS := -levent_core -levent_openssl -lssl -lcrypto
backend_SRC := $(sort $(wildcard tests/backend/*.c))
backend_LIBS := -levent_core -lcrypto
bridge_SRC := tests/bridge/main.c worker/loop.c
bridge_LIBS := -levent_core -lwebsockets -luv -lssl -lcrypto
PROGS := $(O)/switchboard $(O)/demo-backend $(O)/bridge
unit_SRC := tests/unit/check_common.c common/buf.c common/ipc.c common/pack.c
unit_LIBS = $(shell $(PKG_CONFIG) --libs check)
obj = $(patsubst %.c,$(O)/obj/%.o,$(1))

all: $(PROGS)

# Rebuild when the flags change, not when the clock does.
$(O)/flags: FORCE
	@mkdir -p $(@D)
	@printf '%s\n' '$(CC) $(CPPFLAGS) $(CFLAGS) $(LDFLAGS) $(T_CFLAGS)' > $@.new; \
	if cmp -s $@ $@.new; then rm -f $@.new; else mv $@.new $@; fi
$(O)/obj/%.o: %.c $(O)/flags
	@mkdir -p $(@D)
	@$(if $(filter 1,$(V)),,echo "  CC    $<")
	$(Q)$(CC) $(T_CPPFLAGS) $(CPPFLAGS) $(T_CFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<
$(O)/switchboard: $(call obj,$(switchboard_SRC))
	@$(if $(filter 1,$(V)),,echo "  LD    $@")
	$(Q)$(CC) $(T_CFLAGS) $(CFLAGS) $(T_LDFLAGS) $(LDFLAGS) -o $@ $^ $(switchboard_LIBS)
$(O)/demo-backend: $(call obj,$(backend_SRC))
	@$(if $(filter 1,$(V)),,echo "  LD    $@")
	$(Q)$(CC) $(T_CFLAGS) $(CFLAGS) $(T_LDFLAGS) $(LDFLAGS) -o $@ $^ $(backend_LIBS)

$(O)/bridge: $(call obj,$(bridge_SRC))
	@$(if $(filter 1,$(V)),,echo "  LD    $@")
	$(Q)$(CC) $(T_CFLAGS) $(CFLAGS) $(T_LDFLAGS) $(LDFLAGS) -o $@ $^ $(bridge_LIBS)
$(O)/check_common: $(call obj,$(unit_SRC))
	@$(if $(filter 1,$(V)),,echo "  LD    $@")
	$(Q)$(CC) $(T_CFLAGS) $(CFLAGS) $(T_LDFLAGS) $(LDFLAGS) -o $@ $^ $(unit_LIBS)

# --- deps: installs what is missing; never when NO_DEPS is set ----------------
deps:
	$(Q)packaging/deps.sh $(DEPS_HAVE)

# --- tests -------------------------------------------------------------------
PYTHON ?= /usr/bin/python3
check: deps
	$(Q)$(MAKE) --no-print-directory all check-unit check-switchboard check-bridge
check-switchboard: $(O)/switchboard $(O)/phoenix/node_modules
	$(Q)$(PYTHON) -B tests/switchboard/selftest.py $(O)/switchboard
	$(Q)node tests/switchboard/phoenix/check.js $(O)/switchboard $(O)/phoenix
check-unit: $(O)/check_common
	$(Q)$(O)/check_common
check-bridge: $(O)/bridge $(O)/switchboard
	$(Q)$(PYTHON) -B tests/bridge/run.py $(O)
$(O)/phoenix/node_modules: tests/switchboard/phoenix/package-lock.json
	@mkdir -p $(O)/phoenix
	$(Q)cp tests/switchboard/phoenix/package*.json $(O)/phoenix/
	$(Q)cd $(O)/phoenix && npm ci --silent --no-audit --no-fund
	@touch $@
asan:
	$(Q)$(MAKE) --no-print-directory VARIANT=asan WERROR=1 check

# --- static checks -----------------------------------------------------------
C_FILES := $(sort $(wildcard */*.c */*.h tests/*/*.c tests/*/*.h))
format:
	clang-format -i $(C_FILES)
format-check:
	@clang-format --dry-run -Werror $(C_FILES)
lint: format-check
	@codespell -q 3 -L inflight $(shell git ls-files 2>/dev/null | grep -v package-lock)

clean:
	rm -rf build

FORCE:
.PHONY: all deps check check-unit check-switchboard check-bridge asan format format-check lint clean FORCE
.DELETE_ON_ERROR:
-include $(shell find $(O)/obj -name '*.d' 2>/dev/null)
