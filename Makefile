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
	$(if $(filter x86_64%,$(shell $(CC) -dumpmachine)),-fcf-protection)
ifeq ($(VARIANT),release)
CPPFLAGS ?= -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2
CFLAGS += $(HARDEN)
LDFLAGS ?= -Wl,-z,relro,-z,now
endif
endif

T_CPPFLAGS = -Icommon -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64
# The folder of the build is nobody's business, nor a part of the result.
T_CFLAGS := -std=c11 -fPIE -ffile-prefix-map=$(CURDIR)=. -Wall -Wextra -Wshadow -Wstrict-prototypes \
	-Wmissing-prototypes -Wvla -Wformat=2 -Wconversion
T_LDFLAGS := -pie -Wl,--as-needed
# Coverage is counted under the sanitizers: one run of the tests tells both.
ifneq ($(filter asan coverage,$(VARIANT)),)
T_CFLAGS += -O1 -fsanitize=address,undefined -fno-sanitize-recover=all \
	-fno-omit-frame-pointer
T_LDFLAGS += -fsanitize=address,undefined
endif
ifeq ($(VARIANT),coverage)
T_CFLAGS += --coverage -fprofile-update=atomic
T_LDFLAGS += --coverage
endif
ifeq ($(VARIANT),fuzz)
T_CFLAGS += -O1 -fsanitize=fuzzer-no-link,address,undefined \
	-fno-sanitize-recover=all -fno-omit-frame-pointer
T_LDFLAGS += -fsanitize=address,undefined
endif
ifneq ($(WERROR),)
T_CFLAGS += -Werror
endif
Q := $(if $(filter 1,$(V)),,@)
say = @$(if $(filter 1,$(V)),:,printf '  %-5s %s\n' $(1) $(2))

# --- what the machine must have ---------------------------------------------
# The same list for building and for testing: Debian's names.
DEPS := gcc libc6-dev make pkgconf git libevent-dev libssl-dev \
	libwebsockets-dev libwebsockets-evlib-uv libuv1-dev \
	libcurl4-openssl-dev libcjson-dev libsqlite3-dev check \
	openssl python3 python3-yaml clang libclang-rt-dev libc6-dev-arm64-cross clang-format clang-tidy codespell cppcheck shellcheck \
	mandoc gcovr prometheus zsh fish sqlite3 curl procps iproute2 nodejs npm ca-certificates
# A node and npm that are already there will do.
DEPS_HAVE = $(if $(and $(shell command -v node),$(shell command -v npm)), \
	$(filter-out nodejs npm,$(DEPS)),$(DEPS))

# --- programs ----------------------------------------------------------------
# Each process is its folder: an archive of all but main.c, so that the unit
# tests link the objects that ship; the link line states the privilege.
obj = $(patsubst %.c,$(O)/obj/%.o,$(1))
srcs = $(sort $(filter-out $(1)/main.c,$(wildcard $(1)/*.c)))
ctl_SRC := $(sort $(wildcard supervisor/telephonectl*.c))
supervisor_SRC := $(filter-out $(ctl_SRC),$(call srcs,supervisor))

telephone_LIBS := -levent_core
telephonectl_LIBS :=
worker_LIBS := -lcurl -lwebsockets -luv -lcjson -lssl -lcrypto -levent_core
tokend_LIBS := -levent_core -lsqlite3 -lcjson -lcrypto
switchboard_LIBS := -levent_core -levent_openssl -lssl -lcrypto
demo-backend_LIBS := -levent_core -lcrypto
bridge_LIBS := $(worker_LIBS)
check_LIBS = $(shell $(PKG_CONFIG) --libs check)

DAEMON := $(addprefix $(O)/,telephone worker tokend telephonectl)
# The children in an attacker's hands, for tests/it/hostile: never installed.
HOSTILE := $(addprefix $(O)/hostile/,worker tokend)
ATTACK := $(sort $(wildcard tests/it/hostile/*.c))
PROGS := $(DAEMON) $(addprefix $(O)/,switchboard demo-backend bridge) $(HOSTILE)
CHECKS := $(patsubst tests/unit/%.c,$(O)/unit/%,\
	$(sort $(wildcard tests/unit/*/check_*.c)))
FUZZERS := $(patsubst tests/fuzz/%.c,$(O)/target/%,\
	$(sort $(wildcard tests/fuzz/*/fuzz_*.c)))

all: $(PROGS)

# Rebuild when the flags change, not when the clock does.
$(O)/flags: FORCE
	@mkdir -p $(@D)
	@printf '%s\n' '$(CC) $(CPPFLAGS) $(CFLAGS) $(LDFLAGS) $(T_CFLAGS)' > $@.new; \
	if cmp -s $@ $@.new; then rm -f $@.new; else mv $@.new $@; fi

# The version: VERSION in a release tarball, else what git says.
VERSION_TEXT := $(shell cat VERSION 2>/dev/null || packaging/version.sh)
$(O)/version.c: FORCE
	@mkdir -p $(@D)
	@printf '#include "version.h"\nconst char version[] = "%s";\n' \
	'$(VERSION_TEXT)' > $@.new; \
	if cmp -s $@ $@.new; then rm -f $@.new; else mv $@.new $@; fi
$(O)/obj/version.o: $(O)/version.c $(O)/flags
	@mkdir -p $(@D)
	$(Q)$(CC) $(T_CPPFLAGS) $(CPPFLAGS) $(T_CFLAGS) $(CFLAGS) -c -o $@ $<

# The page of INSPECT as bytes, and the hashes of its script and style sheet.
$(O)/obj/inspect_page.c: worker/inspect_page.sh worker/inspect.html
	@mkdir -p $(@D)
	$(Q)worker/inspect_page.sh worker/inspect.html > $@
$(O)/obj/inspect_page.o: $(O)/obj/inspect_page.c $(O)/flags
	@mkdir -p $(@D)
	$(Q)$(CC) $(T_CPPFLAGS) -Iworker $(CPPFLAGS) $(T_CFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

# The names of the system calls, for the line that says which one was refused.
$(O)/obj/syscall_names.c: $(O)/flags
	@mkdir -p $(@D)
	@{ printf '#include <sys/syscall.h>\n#include <stddef.h>\n'; \
	printf '#include "sandbox_parts.h"\n'; \
	printf 'const struct sandbox_call_name sandbox_call_names[] = {\n'; \
	printf '#include <sys/syscall.h>\n' | $(CC) -E -dM -x c - | LC_ALL=C sort | \
	sed -n 's/^#define \(SYS_\([a-z0-9_]*\)\) .*/{\1, "\2"},/p'; \
	printf '{-1, NULL}};\n'; } > $@
$(O)/obj/syscall_names.o: $(O)/obj/syscall_names.c $(O)/flags
	@mkdir -p $(@D)
	$(Q)$(CC) $(T_CPPFLAGS) $(CPPFLAGS) $(T_CFLAGS) $(CFLAGS) -c -o $@ $<

$(O)/obj/%.o: %.c $(O)/flags
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(T_CPPFLAGS) $(CPPFLAGS) $(T_CFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<
$(O)/obj/tests/unit/worker/%.o $(O)/obj/tests/bridge/%.o: T_CPPFLAGS += -Iworker
$(O)/tidy/tests/bridge/%.ok: T_CPPFLAGS += -Iworker
$(O)/obj/tests/unit/tokend/%.o: T_CPPFLAGS += -Itokend
$(O)/obj/tests/unit/supervisor/%.o: T_CPPFLAGS += -Isupervisor
$(O)/obj/tests/unit/telephonectl/%.o: T_CPPFLAGS += -Isupervisor
$(O)/obj/tests/fuzz/%.o: T_CPPFLAGS += -Itests/fuzz
$(O)/obj/tests/fuzz/worker/%.o: T_CPPFLAGS += -Iworker
$(O)/obj/tests/fuzz/tokend/%.o: T_CPPFLAGS += -Itokend
$(O)/obj/tests/fuzz/supervisor/%.o: T_CPPFLAGS += -Isupervisor

$(O)/%.a:
	$(call say,AR,$@)
	@mkdir -p $(@D)
	@rm -f $@
	$(Q)$(AR) rcs $@ $^
$(O)/common.a: $(call obj,$(call srcs,common)) $(O)/obj/version.o \
	$(O)/obj/syscall_names.o
$(O)/supervisor.a: $(call obj,$(supervisor_SRC))
$(O)/telephonectl.a: $(call obj,$(filter-out supervisor/telephonectl.c,$(ctl_SRC)) \
	supervisor/config.c)
$(O)/worker.a: $(call obj,$(call srcs,worker)) $(O)/obj/inspect_page.o
$(O)/tokend.a: $(call obj,$(call srcs,tokend))

link = $(CC) $(T_CFLAGS) $(CFLAGS) $(T_LDFLAGS) $(LDFLAGS) -o $@ $^
# Sanitizers are told their options at build time: children start with an
# empty environment.
ifneq ($(filter asan coverage,$(VARIANT)),)
SANITIZE := $(call obj,tests/sanitize.c)
endif
$(O)/telephone: $(call obj,supervisor/main.c) $(SANITIZE) $(O)/supervisor.a $(O)/common.a
# telephonectl reads the same configuration for `token check`.
$(O)/telephonectl: $(call obj,supervisor/telephonectl.c) $(SANITIZE) \
	$(O)/telephonectl.a $(O)/common.a
$(O)/worker: $(call obj,worker/main.c) $(SANITIZE) $(O)/worker.a $(O)/common.a
$(O)/tokend: $(call obj,tokend/main.c) $(SANITIZE) $(O)/tokend.a $(O)/common.a
$(O)/switchboard: $(call obj,$(sort $(wildcard tests/switchboard/*.c)))
$(O)/demo-backend: $(call obj,$(sort $(wildcard tests/backend/*.c)))
$(O)/bridge: $(call obj,tests/bridge/main.c) $(O)/worker.a $(O)/common.a
$(O)/hostile/worker: $(call obj,worker/main.c $(ATTACK)) \
	$(SANITIZE) $(O)/worker.a $(O)/common.a
$(O)/hostile/tokend: $(call obj,tokend/main.c $(ATTACK)) \
	$(SANITIZE) $(O)/tokend.a $(O)/common.a
$(PROGS):
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(link) $($(@F)_LIBS)

# tests/unit/FOLDER/check_X.c is linked with FOLDER's archive.
$(O)/unit/common/%: $(O)/obj/tests/unit/common/%.o $(O)/common.a
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(link) $(check_LIBS) -levent_core
$(O)/unit/worker/%: $(O)/obj/tests/unit/worker/%.o $(O)/worker.a $(O)/common.a
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(link) $(check_LIBS) $(worker_LIBS)
$(O)/unit/tokend/%: $(O)/obj/tests/unit/tokend/%.o $(O)/tokend.a $(O)/common.a
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(link) $(check_LIBS) $(tokend_LIBS)
$(O)/unit/supervisor/%: $(O)/obj/tests/unit/supervisor/%.o $(O)/supervisor.a $(O)/common.a
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(link) $(check_LIBS) $(telephone_LIBS)
$(O)/unit/telephonectl/%: $(O)/obj/tests/unit/telephonectl/%.o $(O)/telephonectl.a \
	$(O)/common.a
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(link) $(check_LIBS)

# So is tests/fuzz/FOLDER/fuzz_X.c, with clang's fuzzer (VARIANT=fuzz).
$(O)/target/common/%: $(O)/obj/tests/fuzz/common/%.o $(O)/common.a
	$(Q)mkdir -p $(@D) && $(link) -fsanitize=fuzzer -levent_core
$(O)/target/worker/%: $(O)/obj/tests/fuzz/worker/%.o $(O)/worker.a $(O)/common.a
	$(Q)mkdir -p $(@D) && $(link) -fsanitize=fuzzer $(worker_LIBS)
$(O)/target/tokend/%: $(O)/obj/tests/fuzz/tokend/%.o $(O)/tokend.a $(O)/common.a
	$(Q)mkdir -p $(@D) && $(link) -fsanitize=fuzzer $(tokend_LIBS)
$(O)/target/supervisor/%: $(O)/obj/tests/fuzz/supervisor/%.o $(O)/supervisor.a \
	$(O)/common.a
	$(Q)mkdir -p $(@D) && $(link) -fsanitize=fuzzer $(telephone_LIBS)
build-fuzz: $(FUZZERS)
.SECONDARY:

# --- deps: installs what is missing; never when NO_DEPS is set ----------------
deps:
	$(Q)packaging/deps.sh $(DEPS_HAVE)

# --- tests -------------------------------------------------------------------
PYTHON ?= /usr/bin/python3
check: deps
	$(Q)$(MAKE) --no-print-directory all check-unit check-switchboard \
	check-bridge check-meta check-it
# The daemon's own tests, and what they stand on.
check-it: $(PROGS)
	$(Q)$(PYTHON) -B tests/it/run.py $(O) $(IT_ARGS)
check-meta: $(PROGS)
	$(Q)$(PYTHON) -B tests/meta/run.py $(O)
check-switchboard: $(O)/switchboard $(O)/phoenix/node_modules
	$(Q)$(PYTHON) -B tests/switchboard/selftest.py $(O)/switchboard
	$(Q)node tests/switchboard/phoenix/check.js $(O)/switchboard $(O)/phoenix
build-unit: $(CHECKS)
check-unit: $(CHECKS)
	$(Q)for c in $^; do $$c || exit 1; done
check-bridge: $(O)/bridge $(O)/switchboard
	$(Q)$(PYTHON) -B tests/bridge/run.py $(O)
$(O)/phoenix/node_modules: tests/switchboard/phoenix/package-lock.json
	@mkdir -p $(O)/phoenix
	$(Q)cp tests/switchboard/phoenix/package*.json $(O)/phoenix/
	$(Q)cd $(O)/phoenix && npm ci --silent --no-audit --no-fund
	@touch $@
# The page of INSPECT in a browser; pictures of it in $(O)/screenshots.
BROWSER := chromium chromium-driver fonts-dejavu-core
check-inspect: $(PROGS)
	$(Q)packaging/deps.sh $(BROWSER)
	$(Q)$(PYTHON) -B tests/inspect/run.py $(O)
# Faults put into a copy of the tree, which these tests must notice; some of
# them with MUTANTS=PATTERN.
mutants: deps
	$(Q)$(MAKE) --no-print-directory all
	$(Q)$(PYTHON) -B tests/mutants/run.py $(O) '$(MUTANTS)'
# The walls of SECURITY.md, taken away one at a time; some of them with
# WALLS=PATTERN.
walls: deps
	$(Q)$(MAKE) --no-print-directory all
	$(Q)$(PYTHON) -B tests/mutants/run.py --walls $(O) '$(WALLS)'
# Bytes that nobody thought of, FUZZ_SECONDS for each target; some of them with
# FUZZ=PATTERN.
FUZZ_SECONDS ?= 60
fuzz: deps
	$(Q)$(MAKE) --no-print-directory VARIANT=fuzz CC=clang WERROR=1 build-fuzz
	$(Q)$(PYTHON) -B tests/fuzz/run.py build/fuzz $(FUZZ_SECONDS) '$(FUZZ)'
# What takes longer than a `make check` may: the long rows of the matrix.
soak: deps
	$(Q)$(MAKE) --no-print-directory $(PROGS)
	$(Q)$(PYTHON) -B tests/it/run.py $(O) --soak $(IT_ARGS)
# What docs/recovery.md says, measured and written there.
recovery: deps
	$(Q)$(MAKE) --no-print-directory $(PROGS)
	$(Q)$(PYTHON) -B tests/recovery/run.py $(O)
# What docs/performance.md says, measured and written there.
bench: deps
	$(Q)$(MAKE) --no-print-directory $(PROGS)
	$(Q)$(PYTHON) -B tests/bench/run.py $(O)
# … and what it says of tracing.
bench-traces: deps
	$(Q)$(MAKE) --no-print-directory $(PROGS)
	$(Q)$(PYTHON) -B tests/bench/run.py $(O) --traces
asan: deps
	$(Q)$(MAKE) --no-print-directory VARIANT=asan WERROR=1 \
	all check-unit check-switchboard check-bridge check-it

# All that `make asan` does, and the lines of the daemon that it came by.
COVERAGE_MIN ?= 70
coverage: deps
	$(Q)rm -rf build/coverage
	$(Q)$(MAKE) --no-print-directory -j$$(nproc) VARIANT=coverage WERROR=1 \
	all build-unit
	$(Q)umask 0; $(MAKE) --no-print-directory VARIANT=coverage WERROR=1 \
	check-unit
	$(Q)$(MAKE) --no-print-directory VARIANT=coverage WERROR=1 \
	check-switchboard check-bridge check-it
	$(Q)gcovr -r . --object-directory build/coverage/obj \
	--filter 'supervisor/' --filter 'worker/' --filter 'tokend/' \
	--filter 'common/' --fail-under-line $(COVERAGE_MIN) --print-summary

# Switchboard, demo backend and telephone together; ends with Ctrl-C.
demo: deps
	$(Q)$(MAKE) --no-print-directory $(PROGS)
	$(Q)$(PYTHON) -B tests/demo.py $(O)

# --- install, tarball, packages ----------------------------------------------
include packaging/packaging.mk

# --- supply chain ------------------------------------------------------------
# What the executables consist of, as SPDX 2.3.
sbom: $(DAEMON)
	$(Q)$(PYTHON) -B packaging/sbom.py $(O) '$(VERSION_TEXT)' > $(O)/telephone.spdx.json.new
	$(Q)mv $(O)/telephone.spdx.json.new $(O)/telephone.spdx.json
	@echo $(O)/telephone.spdx.json
# Two builds, in two folders, times and time zones: the same bytes.
check-repro:
	$(Q)tests/repro.sh $(O) '$(VERSION_TEXT)'

# --- static checks -----------------------------------------------------------
CLANG_TIDY ?= clang-tidy
C_FILES := $(filter-out build/%,$(sort $(wildcard */*.[ch] tests/*/*.[ch] \
	tests/*/*/*.[ch])))
format:
	clang-format -i $(C_FILES)
format-check:
	@clang-format --dry-run -Werror $(C_FILES)
# What is for arm64 alone, and what only amd64 has, without building for it.
FOR_ARM64 := --target=aarch64-linux-gnu -isystem /usr/aarch64-linux-gnu/include \
	-idirafter /usr/include/aarch64-linux-gnu \
	-idirafter /usr/include/$(shell $(CC) -print-multiarch)
lint-arm64:
	@printf '%s\n' $(wildcard $(addsuffix /*.c,supervisor worker tokend common)) | \
	xargs -n 16 -P 2 clang $(FOR_ARM64) -fsyntax-only -std=c11 -Wall -Wextra -Werror \
	$(T_CPPFLAGS) -iquote supervisor -iquote worker -iquote tokend
# clang-tidy looks at what has changed since it last did, or includes what has.
tidy_of = $(patsubst %.c,$(O)/tidy/%.ok,$(filter %.c,$(1)))
# Unit tests and fuzzers are left out: check(3)'s macros are what it would see.
TIDY := $(call tidy_of,$(filter-out tests/unit/% tests/fuzz/%,$(C_FILES)))
$(O)/tidy/%.ok: %.c .clang-tidy tests/.clang-tidy
	$(call say,TIDY,$<)
	@mkdir -p $(@D)
	@$(CC) -std=c11 $(T_CPPFLAGS) -MM -MP -MT $@ -MF $(@:.ok=.d) $<
	$(Q)$(CLANG_TIDY) --quiet $< -- -std=c11 $(T_CPPFLAGS) > $@.said 2>/dev/null || \
	{ cat $@.said; exit 1; }
	@mv $@.said $@
tidy:
	$(Q)$(MAKE) --no-print-directory -j$(shell nproc) $(TIDY)
lint: format-check tidy lint-arm64
	@! mandoc -T lint man/*.[58] 2>/dev/null | grep -v 'STYLE: referenced manual not found'
	@cppcheck --quiet --error-exitcode=1 --inline-suppr --std=c11 -Icommon \
	--enable=warning,portability --suppress=missingIncludeSystem \
	--suppress=funcArgOrderDifferent \
	supervisor worker tokend common
	@shellcheck packaging/*.sh packaging/*/*.sh packaging/make-secret worker/*.sh packaging/completion/* packaging/hooks/* \
	$(addprefix packaging/debian/,postinst postrm prerm set-version tests/smoke \
	tests/exchange tests/lifecycle) \
	tests/*.sh tests/system/*.sh tests/arm64/*.sh .ci/run
	@codespell -q 3 -L inflight,te,nd,fo,ot $(shell git ls-files 2>/dev/null | grep -v package-lock)

# Before each commit: the form of what it touches.
hooks:
	$(INSTALL) -m 0755 packaging/hooks/pre-commit "$$(git rev-parse --git-path hooks)/pre-commit"

clean:
	rm -rf build

FORCE:
.PHONY: all deps check build-unit check-unit check-switchboard check-bridge check-it \
	check-meta check-inspect check-repro sbom mutants walls fuzz build-fuzz soak recovery bench bench-traces asan coverage demo hooks format format-check tidy lint lint-arm64 clean FORCE
.DELETE_ON_ERROR:
-include $(shell find $(O)/obj $(O)/tidy -name '*.d' 2>/dev/null)
