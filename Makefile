# waybill - every target; no list of files to keep.  `make help` tells the targets.
LAYERS ?= base conf format message syntax mapping store drop batch flow author cmd
BUILD  ?= build
KIND   ?= release
PREFIX ?= /usr/local
DESTDIR ?=
FUZZ_TIME ?= 60
VERSION = 0.1.0

ifeq ($(origin CC),default)
CC = gcc
endif
PKGS = libxml-2.0 libarchive nettle jansson sqlite3 libzstd zlib

B = $(BUILD)/$(KIND)
OPT_release = -O2 -g
OPT_debug   = -O0 -g
OPT_asan    = -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
OPT_fuzz    = -O1 -g -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined
OPT_cover   = -O0 -g --coverage
OPT = $(OPT_$(KIND))
WARN = -Wall -Wextra -Wpedantic -Wshadow -Wvla -Wformat=2 -Wstrict-prototypes -Wmissing-prototypes -Wundef -Wwrite-strings -Werror
CPPFLAGS_ALL = -Iinclude -Isrc -D_GNU_SOURCE -DWAYBILL_VERSION='"$(VERSION)"' -DWAYBILL_DATA='"$(PREFIX)/share/waybill"' $(CPPFLAGS)
CFLAGS_ALL = -std=c11 -fPIC -fvisibility=hidden -pthread $(OPT) $(WARN) $(CFLAGS)
LIBS = $(shell pkg-config --libs $(PKGS)) -lcsv -pthread
DEPS_CFLAGS = $(shell pkg-config --cflags $(PKGS) | sed 's/-I/-isystem /g')

SRC = $(foreach l,$(LAYERS),$(wildcard src/$(l)/*.c))
OBJ = $(SRC:src/%.c=$(B)/obj/%.o)
LIB = $(B)/libwaybill.a

.PHONY: all
all: $(B)/waybill

$(B)/obj/%.o: src/%.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS_ALL) $(DEPS_CFLAGS) $(CFLAGS_ALL) -MMD -MP -c -o $@ $<

$(LIB): $(OBJ)
	@rm -f $@
	@ar rcs $@ $^

$(B)/waybill: $(B)/obj/main.o $(LIB)
	$(CC) $(CFLAGS_ALL) $(LDFLAGS) -o $@ $< $(LIB) $(LIBS)

# One unit test program per file tests/unit/test_NAME.c:  make unit-NAME builds and runs it, e.g. with fewer layers:
#   make unit-csv LAYERS="base conf format message syntax" BUILD=build/mine
$(B)/unit/test_%: tests/unit/test_%.c $(LIB)
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS_ALL) -Itests $(DEPS_CFLAGS) $(CFLAGS_ALL) -Wno-missing-prototypes $(LDFLAGS) -MMD -MP -MF $@.d -o $@ $< $(LIB) -lcmocka $(LIBS)

.PHONY: unit-%
unit-%: $(B)/unit/test_%
	$<

UNITS = $(patsubst tests/unit/test_%.c,%,$(wildcard tests/unit/test_*.c))
.PHONY: unit
unit: $(UNITS:%=$(B)/unit/test_%)
	@for t in $^; do $$t || exit 1; done

.PHONY: clean
clean:
	rm -rf $(BUILD)

-include $(OBJ:.o=.d) $(B)/obj/main.d $(wildcard $(B)/unit/*.d)
