# neap: build, test, install. `make help` lists the targets.

# User settings.
PREFIX  ?= /usr/local
DESTDIR ?=
CC      ?= cc
CFLAGS  ?= -O2 -g
V       ?= 0
WITH_PG ?= 1
WITH_HTTP ?= 1
FUZZ_SECONDS ?= 60

BUILD   ?= build
BIN     ?= bin
VERSION := $(shell sed -n 's/.*NEAP_VERSION "\(.*\)"/\1/p' host/neap.h)
SONAME  := libneap.so.$(firstword $(subst ., ,$(VERSION)))

# Debian packages: to build, to test, to compare with in `make bench`.
BUILD_DEPS := gcc make pkg-config liblua5.4-dev libuv1-dev libsqlite3-dev libpcre2-dev libsodium-dev \
              libedit-dev libgmp-dev libcsv-dev libpq-dev libcurl4-openssl-dev
TEST_DEPS  := libcjson-dev python3 python3-h2 lua5.4 lua-busted strace sqlite3 postgresql openssl zsh groff-base default-jre-headless
LINT_DEPS  := lua-check clang clang-tidy clang-format cppcheck valgrind
BENCH_DEPS := postgresql default-jre-headless python3 python3-psycopg2 python3-sqlalchemy python3-django python3-boto3 lua-sql-sqlite3 lua-sql-postgres lua-cjson

PACKAGES := lua5.4 libuv sqlite3 libpcre2-8 libsodium
LOADED   := libedit libpq libcurl
# The latter are loaded when they are first used: every start is three times as fast.

# Small builds: WITH_PG=0 leaves PostgreSQL out, WITH_HTTP=0 HTTP.
PARTS := -DWITH_PG=$(WITH_PG) -DWITH_HTTP=$(WITH_HTTP)
ifeq ($(WITH_PG),0)
LEFT_OUT   += bindings/transport/postgres%.c bindings/store/%_postgres.c
LOADED     := $(filter-out libpq,$(LOADED))
BUILD_DEPS := $(filter-out libpq-dev,$(BUILD_DEPS))
endif
ifeq ($(WITH_HTTP),0)
LEFT_OUT   += bindings/transport/http%.c bindings/transport/aws%.c bindings/store/dynamodb%.c
LOADED     := $(filter-out libcurl,$(LOADED))
BUILD_DEPS := $(filter-out libcurl4-openssl-dev,$(BUILD_DEPS))
endif

WARN     := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wwrite-strings -Wcast-qual -Wundef
INCLUDES := -Ihost -Ibindings $(shell pkg-config --cflags $(PACKAGES) $(LOADED) 2>/dev/null)
override CFLAGS += -std=c11 -D_GNU_SOURCE -fPIC -fvisibility=hidden $(PARTS) $(WARN) $(INCLUDES)
OTHERS   := -lgmp -lcsv -lm -ldl -lpthread
LIBS     := $(shell pkg-config --libs $(PACKAGES) 2>/dev/null) $(OTHERS)

# Said before the compiler complains of a header.
ifneq ($(filter-out deps demo check help clean format uninstall,$(or $(MAKECMDGOALS),all)),)
ifneq ($(shell pkg-config --exists $(PACKAGES) $(LOADED) && echo found),found)
$(error pkg-config does not find all of: $(PACKAGES) $(LOADED). On Debian: apt-get install $(BUILD_DEPS))
endif
endif

COMMAND  := host/main.c host/edit.c host/report.c host/supervisor.c
SOURCES  := $(filter-out $(COMMAND) $(LEFT_OUT),$(wildcard host/*.c bindings/*.c bindings/*/*.c))
HEADERS  := $(wildcard host/*.h bindings/*.h bindings/*/*.h)
LUA      := $(sort $(shell find lua -name '*.lua' -not -path '*/meta/*'))
META     := $(sort $(wildcard lua/neap/meta/*.lua))
OBJECTS  := $(SOURCES:%.c=$(BUILD)/%.o) $(BUILD)/sources.o
C_TESTS  := $(patsubst %.c,$(BUILD)/%,$(wildcard tests/host/*_test.c))
FUZZERS  := $(wildcard tests/fuzz/*_fuzz.c)
REPLAYS  := $(FUZZERS:%_fuzz.c=$(BUILD)/%_replay)
BENCHES  := $(patsubst %.c,$(BUILD)/%,$(wildcard tests/bench/*.c))

ifeq ($(V),0)
Q := @
say = @printf '%-4s %s\n' $(1) $(2)
endif

SUB := $(MAKE) --no-print-directory
SAN := CFLAGS="-O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=undefined"
VALGRIND := valgrind -q --error-exitcode=9 --leak-check=full --show-leak-kinds=definite --errors-for-leak-kinds=definite

# What `make install` puts where below PREFIX.
MADE := $(addprefix $(BUILD)/share/,neap.1 neap.3 neap.pc neap.bash _neap)
INSTALLED := $(BIN)/neap=bin/neap $(BIN)/libneap.a=lib/libneap.a $(BIN)/libneap.so=lib/libneap.so.$(VERSION) \
  $(BIN)/neap.so=lib/lua/5.4/neap.so host/neap.h=include/neap.h $(BUILD)/share/neap.pc=lib/pkgconfig/neap.pc \
  $(BUILD)/share/neap.1=share/man/man1/neap.1 $(BUILD)/share/neap.3=share/man/man3/neap.3 \
  $(BUILD)/share/neap.bash=share/bash-completion/completions/neap $(BUILD)/share/_neap=share/zsh/site-functions/_neap \
  $(foreach f,$(META),$(f)=$(f:lua/neap/%=share/neap/%))
INSTALLED_LINKS := lib/$(SONAME) lib/libneap.so

.DEFAULT_GOAL := all
.PHONY: all deps demo check test-fast tests san tsan valgrind fuzz soak lint bench format install install-strip uninstall clean help

all: $(BIN)/neap $(BIN)/libneap.a $(BIN)/libneap.so $(BIN)/neap.so $(MADE)  ## build the command, the libraries and the module for stock Lua

# Lua is linked into the command, whole, as Debian's lua5.4 does: calls into it cost a third less than through a library,
# and C modules find all of it.
$(BIN)/neap: $(COMMAND:%.c=$(BUILD)/%.o) $(BIN)/libneap.a
	$(call say,LINK,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -Wl,-E -o $@ $^ -Wl,--whole-archive -l:liblua5.4.a -Wl,--no-whole-archive \
	  $(filter-out -llua%,$(LIBS))

$(BIN)/libneap.a: $(OBJECTS)
	$(call say,AR,$@)
	$(Q)mkdir -p $(@D) && rm -f $@ && $(AR) rcs $@ $^

$(BIN)/libneap.so: $(OBJECTS)
	$(call say,LINK,$@)
	$(Q)mkdir -p $(@D) && $(CC) $(CFLAGS) $(LDFLAGS) -shared -Wl,-z,defs -Wl,-soname,$(SONAME) -o $@ $^ $(LIBS)

# Lua itself comes from the program that loads this one.
$(BIN)/neap.so: $(OBJECTS)
	$(call say,LINK,$@)
	$(Q)mkdir -p $(@D) && $(CC) $(CFLAGS) $(LDFLAGS) -shared -o $@ $^ $(filter-out -llua%,$(LIBS))

# What knows of the parts is compiled again when others are wanted.
$(BUILD)/bindings/store/sql_open.o $(BUILD)/bindings/modules.o: $(BUILD)/parts
$(BUILD)/parts: always
	@mkdir -p $(@D) && { echo '$(PARTS)' | cmp -s - $@ || echo '$(PARTS)' > $@; }
always:

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

# Manual pages, completions and neap.pc: their words and the version come from the sources.
$(BUILD)/share/neap.1: docs/man/neap.1 host/neap.h
	$(Q)mkdir -p $(@D) && sed 's/@VERSION@/$(VERSION)/' $< > $@

$(BUILD)/share/neap.3: scripts/package/manual.lua host/neap.h $(BIN)/neap
	$(Q)mkdir -p $(@D) && $(BIN)/neap $< host/neap.h > $@

$(BUILD)/share/neap.bash: scripts/package/completions.lua $(BIN)/neap
	$(Q)mkdir -p $(@D) && $(BIN)/neap $< bash > $@

$(BUILD)/share/_neap: scripts/package/completions.lua $(BIN)/neap
	$(Q)mkdir -p $(@D) && $(BIN)/neap $< zsh > $@

$(BUILD)/share/neap.pc: scripts/package/neap.pc.in host/neap.h Makefile
	$(Q)mkdir -p $(@D) && sed 's|@VERSION@|$(VERSION)|; s|@PACKAGES@|$(PACKAGES)|; s|@OTHERS@|$(OTHERS)|' $< > $@

# Programs of the tests: each its own, linked with the library. The allocation sweeps replace malloc.
$(BUILD)/tests/host/sweep_test $(BUILD)/tests/host/api_sweep_test $(BUILD)/tests/host/store_sweep_test $(BUILD)/tests/host/rollback_sweep_test $(BUILD)/tests/host/http_test $(BUILD)/tests/host/aws_test $(BUILD)/tests/host/aws_keys_test: LDFLAGS += -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc
# Sees what is sent to SQLite.
$(BUILD)/tests/host/statements_test: LDFLAGS += -Wl,--wrap=sqlite3_prepare_v3
# Links every library, used or not: what starting costs at least.
$(BUILD)/tests/bench/linked: LDFLAGS += -Wl,--no-as-needed
# The JSON reader of others, to compare with.
$(BUILD)/tests/fuzz/json_replay $(BUILD)/tests/fuzz/json_fuzzer $(BUILD)/tests/bench/%_peer: LIBS += -lcjson
# Calls libpq itself, which neap loads when it is first needed.
$(BUILD)/tests/bench/postgres_peer: LIBS += -lpq
# The same with libcurl.
$(BUILD)/tests/bench/dynamodb_peer: LIBS += -lcurl

$(BUILD)/tests/host/memory_steps_test: tests/host/memory_steps_test.c tests/model/plain.c $(BIN)/libneap.a
	$(call say,LINK,$@)
	$(Q)mkdir -p $(@D) && $(CC) $(CFLAGS) $(LDFLAGS) -Wl,--wrap=luaopen_neap_sql -o $@ $^ $(LIBS)

# The command with a store of SQLite that does nothing itself.
$(BUILD)/tests/model/plain: tests/model/plain.c $(COMMAND:%.c=$(BUILD)/%.o) $(BIN)/libneap.a
	$(call say,LINK,$@)
	$(Q)mkdir -p $(@D) && $(CC) $(CFLAGS) $(LDFLAGS) -Wl,-E,--wrap=luaopen_neap_sql -o $@ $^ \
	  -Wl,--whole-archive -l:liblua5.4.a -Wl,--no-whole-archive $(filter-out -llua%,$(LIBS))

# Loaded into programs to give them clocks of their own.
$(BUILD)/tests/%.so: tests/%.c
	$(call say,LINK,$@)
	$(Q)mkdir -p $(@D) && $(CC) $(CFLAGS) $(LDFLAGS) -shared -o $@ $< -ldl

$(BUILD)/tests/%_replay: tests/%_fuzz.c tests/fuzz/replay.c $(BIN)/libneap.a
	$(call say,LINK,$@)
	$(Q)mkdir -p $(@D) && $(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LIBS)

$(BUILD)/tests/%: tests/%.c $(BIN)/libneap.a
	$(call say,LINK,$@)
	$(Q)mkdir -p $(@D) && $(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LIBS)

$(BUILD)/tests/%_fuzzer: tests/%_fuzz.c $(BIN)/libneap.a
	$(call say,LINK,$@)
	$(Q)mkdir -p $(@D) && $(CC) $(CFLAGS) -fsanitize=fuzzer -o $@ $^ $(LIBS)

deps:  ## install the Debian packages and servers that are missing to build and to test
	@tests/deps $(BUILD_DEPS) $(TEST_DEPS)
	@tests/services/dynamodb fetch

demo:  ## import real data and report on it
	@tests/deps $(BUILD_DEPS)
	@$(SUB) $(BIN)/neap
	@scripts/demo $(BIN)/neap

check: deps  ## run every test; installs and builds what that needs
	@$(SUB) all tests
	@BIN=$(BIN) BUILD=$(BUILD) tests/run --san

test-fast: all tests  ## run the tests that need no server and little time
	@BIN=$(BIN) BUILD=$(BUILD) tests/run --fast

tests: $(C_TESTS) $(REPLAYS) $(BUILD)/tests/services/proxy $(BUILD)/tests/kill/skew.so $(BUILD)/tests/model/plain

san:  ## run the tests under AddressSanitizer and UndefinedBehaviorSanitizer
	@$(SUB) BUILD=build/san BIN=build/san/bin $(SAN) build/san/bin/neap build/san/bin/neap.so tests
	@BIN=build/san/bin BUILD=build/san tests/run --fast

tsan:  ## run many hosts on many threads under ThreadSanitizer
	@$(SUB) BUILD=build/tsan BIN=build/tsan/bin CFLAGS="-O1 -g -fno-omit-frame-pointer -fsanitize=thread" \
	  build/tsan/tests/host/threads_test
	@BIN=$(BIN) BUILD=build/tsan tests/run tests/host/threads_test.c

valgrind: all  ## run the tests that need no server under valgrind
	@tests/deps $(LINT_DEPS)
	@WRAP="$(VALGRIND)" BIN=$(BIN) BUILD=$(BUILD) tests/run --fast

# Targets keep a state from one input to the next; looking for leaks after each would take twenty times as long.
fuzz:  ## fuzz each target for FUZZ_SECONDS, starting from its corpus
	@tests/deps $(LINT_DEPS)
	@$(SUB) BUILD=build/fuzz BIN=build/fuzz/bin CC=clang \
	  CFLAGS="-O1 -g -fsanitize=address,undefined,fuzzer-no-link" $(FUZZERS:%_fuzz.c=build/fuzz/%_fuzzer)
	@for f in $(FUZZERS:tests/fuzz/%_fuzz.c=%); do mkdir -p build/fuzz/corpus/$$f && echo "FUZZ $$f" && \
	  build/fuzz/tests/fuzz/$${f}_fuzzer -max_total_time=$(FUZZ_SECONDS) -timeout=10 -detect_leaks=0 -verbosity=0 -print_final_stats=1 \
	  build/fuzz/corpus/$$f tests/fuzz/corpus/$$f || exit 1; done

soak: all tests  ## the long versions of the fault, kill and fuzz runs
	@NEAP_SOAK=1 BIN=$(BIN) BUILD=$(BUILD) tests/run
	@$(SUB) fuzz FUZZ_SECONDS=600

bench: all $(BENCHES) $(BUILD)/tests/host/frames_test  ## measure against the raw driver loops and the peers
	@tests/deps $(BENCH_DEPS)
	@for b in $(wildcard tests/bench/*_bench.lua); do BIN=$(BIN) BUILD=$(BUILD) $(BIN)/neap $$b || exit 1; done

lint:  ## luacheck, clang-format, clang-tidy and cppcheck
	@tests/deps $(LINT_DEPS)
	luacheck -q lua scripts tests
	clang-format --dry-run -Werror $(SOURCES) $(COMMAND) $(HEADERS)
	cppcheck -q --std=c11 --enable=warning,performance,portability --inline-suppr --error-exitcode=1 \
	  --suppress=missingIncludeSystem --suppress=internalAstError --suppress=ctuuninitvar \
	  --suppress=nullPointerRedundantCheck --suppress=wrongPrintfScanfArgNum -Ihost -Ibindings host bindings
	clang-tidy --quiet $(SOURCES) $(COMMAND) -- -std=c11 -D_GNU_SOURCE $(PARTS) $(INCLUDES)

format:  ## lay out the C files
	clang-format -i $(SOURCES) $(COMMAND) $(HEADERS)

install: all  ## install to DESTDIR/PREFIX
	@for f in $(INSTALLED); do case $${f#*=} in bin/*) mode=755 ;; *) mode=644 ;; esac; \
	  install -D -m $$mode "$${f%%=*}" "$(DESTDIR)$(PREFIX)/$${f#*=}" || exit 1; done
	@for f in $(INSTALLED_LINKS); do ln -sf libneap.so.$(VERSION) "$(DESTDIR)$(PREFIX)/$$f" || exit 1; done
	@sed -i 's|@PREFIX@|$(PREFIX)|' "$(DESTDIR)$(PREFIX)/lib/pkgconfig/neap.pc"

install-strip: all  ## the same without symbols for debuggers
	@$(SUB) install
	@strip -s $(DESTDIR)$(PREFIX)/bin/neap
	@strip -g $(DESTDIR)$(PREFIX)/lib/libneap.a
	@strip --strip-unneeded $(DESTDIR)$(PREFIX)/lib/libneap.so $(DESTDIR)$(PREFIX)/lib/lua/5.4/neap.so

uninstall:  ## remove what install put there
	@for f in $(INSTALLED) $(INSTALLED_LINKS); do rm -f "$(DESTDIR)$(PREFIX)/$${f#*=}" || exit 1; done
	@rmdir "$(DESTDIR)$(PREFIX)/share/neap/meta" "$(DESTDIR)$(PREFIX)/share/neap" 2> /dev/null || true

clean:  ## remove what was built
	rm -rf $(BUILD) $(BIN)

help:  ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1\t\2/p' $(MAKEFILE_LIST) | expand -t 15

-include $(OBJECTS:.o=.d) $(COMMAND:%.c=$(BUILD)/%.d)
