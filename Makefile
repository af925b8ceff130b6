# neap: build, test, install. `make help` lists the targets.

# User settings.
PREFIX  ?= /usr/local
DESTDIR ?=
CC      ?= cc
CFLAGS  ?= -O2 -g
V       ?= 0

BUILD   ?= build
BIN     ?= bin
VERSION := $(shell sed -n 's/.*NEAP_VERSION "\(.*\)"/\1/p' host/neap.h)

PACKAGES := lua5.4 libuv sqlite3 libpcre2-8 libcjson libsodium libedit
WARN     := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wwrite-strings -Wcast-qual -Wundef
override CFLAGS += -std=c11 -D_GNU_SOURCE -fPIC -fvisibility=hidden $(WARN) -Ihost -Ibindings \
                   $(shell pkg-config --cflags $(PACKAGES) 2>/dev/null)
LIBS     := $(shell pkg-config --libs $(PACKAGES) 2>/dev/null) -lgmp -lcsv -lm -ldl -lpthread

SOURCES  := $(filter-out host/main.c,$(wildcard host/*.c bindings/*.c bindings/*/*.c))
LUA      := $(sort $(shell find lua -name '*.lua'))
OBJECTS  := $(SOURCES:%.c=$(BUILD)/%.o) $(BUILD)/sources.o

ifeq ($(V),0)
Q := @
say = @printf '%-4s %s\n' $(1) $(2)
endif

.DEFAULT_GOAL := all
.PHONY: all test-fast clean help

all: $(BIN)/neap $(BIN)/libneap.a $(BIN)/libneap.so $(BIN)/neap.so  ## build the command, the libraries and the module for stock Lua

$(BIN)/neap: $(BUILD)/host/main.o $(BIN)/libneap.a
	$(call say,LINK,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -Wl,-E -o $@ $^ $(LIBS)

$(BIN)/libneap.a: $(OBJECTS)
	$(call say,AR,$@)
	$(Q)mkdir -p $(@D) && rm -f $@ && $(AR) rcs $@ $^

$(BIN)/libneap.so $(BIN)/neap.so: $(OBJECTS)
	$(call say,LINK,$@)
	$(Q)mkdir -p $(@D) && $(CC) $(CFLAGS) $(LDFLAGS) -shared -o $@ $^ $(LIBS)

$(BUILD)/%.o: %.c
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D) && $(CC) $(CFLAGS) -MMD -MP -c -o $@ $<

# Each Lua file becomes a C string, so that the command is one file.
$(BUILD)/sources.c: $(LUA) Makefile
	$(call say,LUA,$@)
	$(Q)mkdir -p $(@D) && { echo '#include "host.h"'; \
	  echo 'const struct neap__source neap__sources[] = {'; \
	  for f in $(LUA); do n=$${f#lua/}; m=$$(echo "$${n%.lua}" | tr / . | sed 's/\.init$$//'); \
	    echo "{\"$$m\", \"$$n\","; sed 's/\\/\\\\/g; s/"/\\"/g; s/^/"/; s/$$/\\n"/' $$f; echo ", $$(wc -c < $$f)},"; done; \
	  echo '{NULL, NULL, NULL, 0}};'; } > $@

$(BUILD)/sources.o: $(BUILD)/sources.c
	$(Q)$(CC) $(CFLAGS) -MMD -MP -c -o $@ $<

test-fast: all  ## run the tests that need no server
	@tests/run

clean:  ## remove what was built
	rm -rf $(BUILD) $(BIN)

help:  ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1\t\2/p' $(MAKEFILE_LIST) | expand -t 12

-include $(OBJECTS:.o=.d) $(BUILD)/host/main.d
