# waybill - every target; no list of files to keep.  `make help` tells the targets.
#
#   KIND    release | debug | asan | fuzz | cover: objects and programs of each lie in $(BUILD)/$(KIND)
#   LAYERS  fewer layers for a quick look at one module: make unit-csv LAYERS="base conf format message syntax"
#   WERROR  -Werror with the compilers that CI has; what a newer one warns of does not stop the build of a user
LAYERS ?= base conf format message syntax mapping store drop batch flow author cmd
BUILD  ?= build
KIND   ?= release
PREFIX ?= /usr/local
DESTDIR ?=
FUZZ_TIME ?= 60
SOAK_TIME ?= 600
VERSION = 0.1.0
SOVERSION = 0

ifeq ($(origin CC),default)
CC = gcc
endif
WERROR ?= $(shell $(CC) --version 2>/dev/null | head -1 | grep -qE '^gcc.* 12\.|clang version 14' && echo -Werror)
CLANG ?= $(shell for c in clang clang-14 clang-19 clang-18 clang-17 clang-16; do command -v $$c && break; done)
# Parallel by default where many jobs are made at once; a -j on the command line wins.
JOBS ?= $(shell nproc 2>/dev/null || echo 2)
SUBMAKE = $(MAKE) --no-print-directory $(if $(findstring jobserver,$(MAKEFLAGS)),,-j$(JOBS))

B = $(BUILD)/$(KIND)

# Libraries follow use: the first word is a header that src includes, the second its package. libcsv ships no .pc.
HEADERS := $(shell grep -rhoE '^.include <(libxml/|archive\.h|archive_entry\.h|nettle/|jansson\.h|sqlite3\.h|zstd\.h|zlib\.h|csv\.h)' src \
             --include=*.c --include=*.h 2>/dev/null | sed 's/.*<//' | sort -u)
pkg = $(if $(filter $(1),$(HEADERS)),$(2))
PKGS = $(call pkg,nettle/,nettle) $(call pkg,jansson.h,jansson) $(call pkg,sqlite3.h,sqlite3) $(call pkg,zstd.h,libzstd) $(call pkg,zlib.h,zlib)
CSV = $(call pkg,csv.h,-lcsv)
# Only their headers are needed: base/late.h loads them. Unit tests may call them by themselves.
LATE = $(call pkg,libxml/,libxml-2.0) $(call pkg,archive.h,libarchive)
# V=1 shows whole command lines.
say = $(if $(V),,@printf '  %-5s %s\n' $(1) $(2);)
# Asked once per make, at first use; without the packages the message says what to do.
need = $(if $(strip $(1)),$(if $(shell pkg-config --exists $(1) 2>/dev/null && echo yes),,$(error libraries are missing: run `make deps`)))
LATE_LIBS = $(eval LATE_LIBS := $(if $(strip $(LATE)),$(shell pkg-config --libs $(LATE))))$(LATE_LIBS)
LIBS = $(eval LIBS := $(call need,$(PKGS))$(if $(strip $(PKGS)),$(shell pkg-config --libs $(PKGS))) $(CSV) -pthread)$(LIBS)
DEPS_CFLAGS = $(eval DEPS_CFLAGS := $(call need,$(PKGS) $(LATE))$(if $(strip $(PKGS) $(LATE)),$(shell pkg-config --cflags $(PKGS) $(LATE) | sed 's/-I/-isystem /g')))$(DEPS_CFLAGS)

OPT_release = -O2 -g -fno-plt
OPT_debug   = -O0 -g
OPT_asan    = -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
OPT_fuzz    = -O1 -g -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined
OPT_cover   = -O0 -g --coverage
OPT = $(OPT_$(KIND))
# What every byte goes through: -O3 made W1 9 % and W2 5 % faster (2026-11-22, gcc 12, 2 cores 2.8 GHz).
$(foreach l,message syntax mapping,$(eval $(B)/obj/$(l)/%.o: OPT_release = -O3 -g -fno-plt))
WARN = -Wall -Wextra -Wpedantic -Wshadow -Wvla -Wformat=2 -Wstrict-prototypes -Wmissing-prototypes -Wundef -Wwrite-strings \
       $(WERROR) -Wno-error=deprecated-declarations
CPPFLAGS_ALL = -Iinclude -Isrc -D_GNU_SOURCE -DWAYBILL_VERSION='"$(VERSION)"' -DWAYBILL_DATA='"$(PREFIX)/share/waybill"' $(CPPFLAGS)
CFLAGS_ALL = -std=c11 -fPIC -fvisibility=hidden -ffunction-sections -fdata-sections -pthread $(OPT) $(WARN) $(CFLAGS)
LDFLAGS_ALL = -Wl,--gc-sections -Wl,--as-needed $(LDFLAGS)

# The public library is the file (or files) that implement waybill.h, with what they reach; it may stand in any folder of src.
API := $(shell grep -rlE '^.include "waybill\.h"' src --include=*.c 2>/dev/null)
SRC = $(sort $(foreach l,$(LAYERS),$(wildcard src/$(l)/*.c)) $(if $(filter cmd,$(LAYERS)),$(API)))
OBJ = $(SRC:src/%.c=$(B)/obj/%.o)
LIB = $(B)/libwaybill-all.a
SO  = $(B)/libwaybill.so.$(VERSION)

.PHONY: all
all: $(B)/waybill $(if $(API),$(SO) $(B)/libwaybill.a) $(BUILD)/compile_commands.json

$(B)/obj/%.o: src/%.c
	@mkdir -p $(@D)
	$(call say,CC,$<) $(CC) $(CPPFLAGS_ALL) $(DEPS_CFLAGS) $(CFLAGS_ALL) -MMD -MP -c -o $@ $<

# Only these depend on PREFIX: another one at install time builds them anew.
$(patsubst src/%.c,$(B)/obj/%.o,$(shell grep -rl WAYBILL_DATA src --include=*.c 2>/dev/null)): $(B)/prefix
$(B)/prefix: FORCE
	@mkdir -p $(@D)
	@echo '$(PREFIX)' | cmp -s - $@ || echo '$(PREFIX)' > $@

# What the program and the tests link.
$(LIB): $(OBJ)
	@rm -f $@
	@ar rcs $@ $^

$(B)/waybill: $(B)/obj/main.o $(LIB)
	$(call say,LINK,$@) $(CC) $(CFLAGS_ALL) $(LDFLAGS_ALL) -o $@ $< $(LIB) $(LIBS)

# Only the symbols that waybill.h marks are visible; the rest of the archive that nothing reaches is left out.
$(SO): $(API:src/%.c=$(B)/obj/%.o) $(LIB)
	$(call say,LINK,$@) $(CC) $(CFLAGS_ALL) -shared -Wl,-soname,libwaybill.so.$(SOVERSION) -Wl,--exclude-libs,ALL -Wl,-z,defs $(LDFLAGS_ALL) -o $@ $^ $(LIBS)
	@ln -sf libwaybill.so.$(VERSION) $(B)/libwaybill.so.$(SOVERSION)
	@ln -sf libwaybill.so.$(SOVERSION) $(B)/libwaybill.so

# The same as one object whose hidden names are local, so that a static link meets none of ours.
$(B)/libwaybill.a: $(API:src/%.c=$(B)/obj/%.o) $(LIB)
	@rm -f $@
	@ld -r $(addprefix -u ,$(shell tests/lint/exports.sh)) -o $(B)/libwaybill.o $^
	@objcopy --localize-hidden $(B)/libwaybill.o
	@ar rcs $@ $(B)/libwaybill.o

$(BUILD)/compile_commands.json: export COMPILE = $(CC) $(CPPFLAGS_ALL) $(DEPS_CFLAGS) $(CFLAGS_ALL)
$(BUILD)/compile_commands.json: FORCE
	@mkdir -p $(BUILD)
	@printf '%s\n' $(SRC) src/main.c | awk -v dir='$(CURDIR)' 'BEGIN { cc = ENVIRON["COMPILE"]; gsub(/["\\]/, "\\\\&", cc); print "[" } \
	  { printf "%s  {\"directory\": \"%s\", \"file\": \"%s\", \"command\": \"%s -c %s\"}", (NR > 1 ? ",\n" : ""), dir, $$0, cc, $$0 } \
	  END { print "\n]" }' > $@.tmp
	@cmp -s $@.tmp $@ && rm $@.tmp || mv $@.tmp $@

# --- tests --------------------------------------------------------------------------------------------------------------

# One unit test program per file tests/unit/test_NAME.c:  make unit-NAME builds and runs it, e.g. with fewer layers:
#   make unit-csv LAYERS="base conf format message syntax" BUILD=build/mine
$(B)/unit/test_%: tests/unit/test_%.c $(LIB)
	@mkdir -p $(@D)
	$(call say,LINK,$@) $(CC) $(CPPFLAGS_ALL) -Itests $(DEPS_CFLAGS) $(CFLAGS_ALL) -Wno-missing-prototypes $(LDFLAGS_ALL) -MMD -MP -MF $@.d -o $@ $< $(LIB) -lcmocka $(LIBS) $(LATE_LIBS)

.PHONY: unit-%
unit-%: $(B)/unit/test_%
	$<

UNITS = $(patsubst tests/unit/test_%.c,%,$(wildcard tests/unit/test_*.c))
.PHONY: unit
unit: $(UNITS:%=$(B)/unit/test_%)
	@for t in $^; do $$t || exit 1; done

# A harness tests/fuzz/fuzz_NAME.c exports LLVMFuzzerTestOneInput: replayed over tests/corpus/NAME by check, driven by libFuzzer in fuzz.
HARNESSES = $(patsubst tests/fuzz/fuzz_%.c,%,$(wildcard tests/fuzz/fuzz_*.c))
FUZZ_MAIN = $(if $(filter fuzz,$(KIND)),-fsanitize=fuzzer,$(B)/fuzz/replay.o)
$(B)/fuzz/replay.o: tests/fuzz/replay.c
	@mkdir -p $(@D)
	$(call say,CC,$<) $(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) -MMD -MP -c -o $@ $<
$(B)/fuzz/fuzz_%: tests/fuzz/fuzz_%.c $(LIB) $(if $(filter fuzz,$(KIND)),,$(B)/fuzz/replay.o)
	@mkdir -p $(@D)
	$(call say,LINK,$@) $(CC) $(CPPFLAGS_ALL) -Itests $(DEPS_CFLAGS) $(CFLAGS_ALL) -Wno-missing-prototypes $(LDFLAGS_ALL) -MMD -MP -MF $@.d -o $@ $< $(FUZZ_MAIN) $(LIB) $(LIBS)

# Helpers of the tests: tests/tools/NAME.c becomes $(B)/tools/NAME (lib*.c: libNAME.so for LD_PRELOAD).
TOOLS = $(patsubst tests/tools/%.c,$(B)/tools/%,$(filter-out tests/tools/lib%,$(wildcard tests/tools/*.c))) \
        $(patsubst tests/tools/%.c,$(B)/tools/%.so,$(wildcard tests/tools/lib*.c))
$(B)/tools/%.so: tests/tools/%.c
	@mkdir -p $(@D)
	$(call say,LINK,$@) $(CC) -D_GNU_SOURCE -std=c11 -fPIC -O2 -g $(WARN) -Wno-missing-prototypes -shared -o $@ $< -ldl
$(B)/tools/%: tests/tools/%.c $(LIB)
	@mkdir -p $(@D)
	$(call say,LINK,$@) $(CC) $(CPPFLAGS_ALL) $(DEPS_CFLAGS) $(CFLAGS_ALL) -Wno-missing-prototypes $(LDFLAGS_ALL) -o $@ $< $(LIB) $(LIBS)

TESTED = $(B)/waybill $(if $(API),$(SO) $(B)/libwaybill.a) $(UNITS:%=$(B)/unit/test_%) $(HARNESSES:%=$(B)/fuzz/fuzz_%) $(TOOLS)
.PHONY: check asan cover-run check-run
check: deps-check
	@$(SUBMAKE) KIND=$(KIND) check-run
asan: deps-check
	@$(SUBMAKE) KIND=asan check-run
check-run: $(TESTED) $(BUILD)/compile_commands.json
	@tests/check.sh $(B)

.PHONY: cover
cover: deps-check
	@$(SUBMAKE) KIND=cover check-run; gcovr -r . --object-directory $(BUILD)/cover --exclude 'tests/.*' --print-summary -o $(BUILD)/cover/summary.txt; \
	  tail -n +1 $(BUILD)/cover/summary.txt

.PHONY: fuzz fuzz-build
fuzz: deps-asan
	@$(SUBMAKE) KIND=fuzz CC=$(CLANG) fuzz-build
	@tests/fuzz/run.sh $(BUILD)/fuzz $(FUZZ_TIME)
fuzz-build: $(HARNESSES:%=$(B)/fuzz/fuzz_%)

# Struck at every system call: tests/torture. Three quarters of an hour on 2 cores; TORTURE="-m kill -s 5" is a part, -f goes on.
.PHONY: torture
torture: deps
	@$(SUBMAKE) KIND=$(KIND) all $(B)/tools/ce $(B)/tools/libplant.so $(B)/tools/json $(B)/tools/peak
	@python3 tests/torture/torture.py $(B)/waybill $(B)/tools $(TORTURE)
	@python3 tests/torture/torture.py $(B)/waybill $(B)/tools -m hosts -s 7
	@python3 tests/torture/race.py $(B)/waybill
	@python3 tests/torture/race.py $(B)/waybill --shared --watchers 4 --files 600
	@python3 tests/torture/soak.py $(B)/waybill --seconds $(SOAK_TIME)
	@python3 tests/torture/spoil.py $(B)/waybill --seconds $(SOAK_TIME)
	@INBOX_FILES=1000000 tests/site/t61-threats.sh $(B)/waybill

.PHONY: lint
lint: all
	@tests/lint/all.sh $(B) full

# --- deps, demo, bench --------------------------------------------------------------------------------------------------

.PHONY: deps deps-check deps-bench deps-asan deps-lint
deps:
	@tests/deps.sh build
deps-check deps-bench deps-asan deps-lint: deps-%: deps
	@tests/deps.sh $*

.PHONY: demo
demo: deps
	@$(SUBMAKE) KIND=release all
	@tests/demo.sh $(BUILD)/release/waybill $(BUILD)/demo

.PHONY: bench
bench: deps-bench
	@$(SUBMAKE) KIND=release all
	@python3 tests/bench/run.py $(BUILD)/release/waybill $(BUILD)/bench

# --- install ------------------------------------------------------------------------------------------------------------

I = $(DESTDIR)$(PREFIX)
.PHONY: install uninstall
install: all
	install -D -m 755 $(B)/waybill $(I)/bin/waybill
	$(if $(API),install -D -m 755 $(SO) $(I)/lib/libwaybill.so.$(VERSION))
	$(if $(API),ln -sf libwaybill.so.$(VERSION) $(I)/lib/libwaybill.so.$(SOVERSION))
	$(if $(API),ln -sf libwaybill.so.$(SOVERSION) $(I)/lib/libwaybill.so)
	$(if $(API),install -D -m 644 $(B)/libwaybill.a $(I)/lib/libwaybill.a)
	$(if $(API),install -D -m 644 include/waybill.h $(I)/include/waybill.h)
	@mkdir -p $(I)/lib/pkgconfig $(I)/share/waybill
	@printf '%s\n' 'prefix=$(PREFIX)' 'libdir=$${prefix}/lib' 'includedir=$${prefix}/include' '' 'Name: waybill' \
	  'Description: converts business files by mapping files' 'Version: $(VERSION)' 'Requires.private: $(strip $(PKGS))' \
	  'Libs: -L$${libdir} -lwaybill' 'Libs.private: $(CSV) -pthread' 'Cflags: -I$${includedir}' > $(I)/lib/pkgconfig/waybill.pc
	@mkdir -p $(I)/lib/systemd/system
	sed 's|@PREFIX@|$(PREFIX)|' 'src/systemd/waybill@.service.in' > '$(I)/lib/systemd/system/waybill@.service'
	@chmod 644 '$(I)/lib/systemd/system/waybill@.service'
	cp -R mappings $(I)/share/waybill/
	@chmod -R u+w,go-w,a+rX $(I)/share/waybill
uninstall:
	rm -f $(I)/bin/waybill $(I)/lib/libwaybill.so $(I)/lib/libwaybill.so.$(SOVERSION) $(I)/lib/libwaybill.so.$(VERSION) \
	  $(I)/lib/libwaybill.a $(I)/include/waybill.h $(I)/lib/pkgconfig/waybill.pc \
	  '$(I)/lib/systemd/system/waybill@.service'
	rm -rf $(I)/share/waybill

.PHONY: clean help FORCE
clean:
	rm -rf $(BUILD)
help:
	@printf '%s\n' \
	  'make               the program build/release/waybill and libwaybill' \
	  'make demo          install what is needed, build, show a site at work; it stays in build/demo' \
	  'make check         all tests: unit, golden, site, corpus replay, lint' \
	  'make asan          the same tests under AddressSanitizer and UBSan' \
	  'make fuzz          libFuzzer on every harness [FUZZ_TIME=60]' \
	  'make torture       every crash point and fault of a run, races, a soak [TORTURE="-m kill -s 5" SOAK_TIME=600]' \
	  'make bench         W1 and W2 against library limits and peers, W8 [BENCH_QUICK=1 BENCH_BIG=1]' \
	  'make lint          layers, sizes, banned calls, headers, codes; clang-tidy and cppcheck where installed' \
	  'make cover         line coverage by gcovr' \
	  'make install       [PREFIX=/usr/local DESTDIR=], uninstall' \
	  'make deps          install the Debian packages that are missing (deps-check, deps-bench, deps-asan, deps-lint)' \
	  'make unit-NAME     one unit test; KIND=debug|asan|cover, LAYERS="base conf …", BUILD=DIR, CC=clang' \
	  'make clean         remove build/'

-include $(OBJ:.o=.d) $(B)/obj/main.d $(wildcard $(B)/unit/*.d $(B)/fuzz/*.d)
