# Tests, benchmarks, checks of the source.

# One Criterion binary per folder: tests/unit (no root), tests/bpf (root, BPF_PROG_TEST_RUN).
UNIT_SRC := $(wildcard tests/unit/*.c)
BPFT_SRC := $(wildcard tests/bpf/*.c)

$B/test-unit: $(call obj,$(UNIT_SRC)) $B/libloader.a $B/libserver.a $B/libmplb.a
$B/test-bpf: $(call obj,$(BPFT_SRC)) $B/libloader.a $B/libserver.a $B/libmplb.a
$B/test-unit $B/test-bpf:
	$(call say,LINK,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ -lcriterion $(pkg_libs)

.PHONY: tests
tests: programs $B/test-unit $B/test-bpf

BENCH_SKEL := $B/tests/bench/bench.skel.h
$B/tests/bench/bench.o: $(BENCH_SKEL)
$B/bench: $B/tests/bench/bench.o $B/libloader.a $B/libmplb.a
	$(call say,LINK,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(pkg_libs)

bench: $B/bench ## measure the cost per packet (root); table, and build/bench.json
	$(Q)$B/bench $B/bench.json
