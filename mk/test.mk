# Tests, benchmarks, checks of the source.

# One Criterion binary per folder: tests/unit (no root), tests/bpf (root, BPF_PROG_TEST_RUN).
UNIT_SRC := $(wildcard tests/unit/*.c)
BPFT_SRC := $(wildcard tests/bpf/*.c)

$B/test-unit: $(call obj,$(UNIT_SRC)) $B/liblink.a $B/libagent.a $B/libloader.a $B/libserver.a $B/libmplb.a
$B/test-bpf: $(call obj,$(BPFT_SRC)) $B/libloader.a $B/libserver.a $B/libmplb.a
$B/test-unit $B/test-bpf:
	$(call say,LINK,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ -lcriterion -levent -lcrypto $(pkg_libs) -lm

.PHONY: tests
tests: programs fuzzers $B/test-unit $B/test-bpf

check: deps-quiet ## run all tests (root); the last line has the totals
	$(Q)[ "$$(id -u)" -ne 0 ] || $(MAKE) --no-print-directory tests
	$(Q)tests/check.sh

MANY ?= 10000

many: programs ## 10,000 connections through changes and failures (root; MANY)
	$(Q)MANY=$(MANY) MANY_INTERVAL=2 MANY_STALL=1 LIMIT=600 tests/e2e/run.sh many

demo: deps-quiet ## show the main job in network namespaces (root); build/demo.json has the figures
	$(Q)[ "$$(id -u)" -ne 0 ] || $(MAKE) --no-print-directory programs
	$(Q)testbed/demo.sh

$B/obj/tests/bench/bench.o: $B/tests/bench/bench.skel.h
$B/obj/tests/bench/bench_server.o: $B/tests/bench/server.skel.h
$B/bench: $(call obj,tests/bench/bench.c tests/bench/bench_server.c) $B/libloader.a $B/libmplb.a
	$(call say,LINK,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(pkg_libs)

bench: $B/bench ## measure the cost per packet (root); a table, and build/bench.json
	$(Q)$B/bench $B/bench.json

# The sources that lint looks at. clang-tidy takes userspace only: BPF has no libc to look at; and one
# file at a time: with several, version 14 sees uninitialised va_lists that are none.
C_SRC  := $(wildcard $(addsuffix /*.c,bpf lib loader lb-agent server-pm testbed testbed/load testbed/link \
	    tests/unit tests/bpf tests/bench tests/fuzz tests/kernels))
C_HDR  := $(wildcard $(addsuffix /*.h,include/mplb bpf lib loader lb-agent server-pm testbed/load testbed/link \
	    tests/unit tests/bpf tests/bench tests/fuzz))
TIDY   := $(filter-out %.bpf.c tests/%,$(C_SRC))
SHELL_SRC := mk/deps.sh mk/deb.sh loader/lbctl.bash server-pm/server-pm.bash tests/deb/check.sh tests/docs.sh .ci/run \
	     tests/check.sh tests/totals.sh $(wildcard testbed/*.sh testbed/scenarios/*.sh \
	     tests/e2e/*.sh tests/e2e/*.bash tests/fuzz/*.sh tests/kernels/*.sh)

lint: programs ## formatting, clang-tidy, shellcheck, links and man pages of the docs
	$(call say,FORMAT,)
	$(Q)clang-format --dry-run -Werror $(C_SRC) $(C_HDR)
	$(call say,DOCS,)
	$(Q)tests/docs.sh $(patsubst %,docs/man/%.scd,$(MAN))
	$(call say,SHELL,)
	$(Q)shellcheck -x $(SHELL_SRC)
	$(call say,TIDY,)
	$(Q)printf '%s\n' $(TIDY) | xargs -P 2 -I{} clang-tidy --quiet {} -- \
		$(filter-out -MMD -MP,$(CPPFLAGS)) -std=c17 2>/dev/null

san: ## unit tests under ASan and UBSan
	$(Q)$(MAKE) --no-print-directory B=build/san \
		SAN="-fsanitize=address,undefined -fno-sanitize-recover=all" build/san/test-unit
	$(Q)build/san/test-unit
