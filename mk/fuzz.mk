# Fuzzers. fuzz-lb holds the program in the kernel against a model of docs/packet-walk.md; the
# others are libFuzzer targets (clang) over parsers. tests/fuzz/run.sh runs them.

FUZZ_SEED    ?= 1
FUZZ_PACKETS ?= 1000000
FUZZ_SECONDS ?= 10
SOAK_PACKETS ?= 20000000
SOAK_SECONDS ?= 600

FUZZ_LB_SRC  := $(addprefix tests/fuzz/,fuzz_lb.c trial.c tally.c model.c model_parse.c \
		  model_frame.c model_steer.c world.c world_maps.c gen.c gen_l4.c gen_mutate.c)
FUZZ_TARGETS := $(addprefix $B/fuzz/,options config server_config netlink control)

$B/fuzz-lb: $(call obj,$(FUZZ_LB_SRC)) $B/libloader.a $B/libmplb.a
	$(call say,LINK,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ -lcrypto $(pkg_libs)

# Instrumented objects beside the ordinary ones.
FUZZ_CFLAGS := -O1 -g -std=c17 -Wall -Wextra -Werror -Wno-missing-field-initializers \
	       -fno-omit-frame-pointer -fno-sanitize-recover=all
fuzz_obj = $(patsubst %.c,$B/fuzz/obj/%.o,$(1))

$B/fuzz/obj/%.o: %.c | deps-quiet
	$(call say,CC,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CLANG) $(CPPFLAGS) $(FUZZ_CFLAGS) -fsanitize=fuzzer-no-link,address,undefined \
		$(pkg_cflags) -c $< -o $@

# quiet.c stands in for the logger.
$B/fuzz/libmplb.a: $(call fuzz_obj,$(filter-out lib/log%,$(LIB_SRC)) tests/fuzz/quiet.c)

$B/fuzz/options: $(call fuzz_obj,tests/fuzz/fuzz_options.c) $B/fuzz/libmplb.a
$B/fuzz/config: $(call fuzz_obj,tests/fuzz/fuzz_config.c $(wildcard loader/config*.c)) \
		$B/fuzz/libmplb.a
$B/fuzz/server_config: $(call fuzz_obj,tests/fuzz/fuzz_server_config.c \
		       $(wildcard server-pm/config*.c)) $B/fuzz/libmplb.a
$B/fuzz/netlink: $(call fuzz_obj,tests/fuzz/fuzz_netlink.c tests/fuzz/netlink_route.c \
		 tests/fuzz/netlink_server.c $(addprefix server-pm/,pm_event.c pm_diag.c pm_flow.c)) \
		 $B/fuzz/libmplb.a
$B/fuzz/control: $(call fuzz_obj,tests/fuzz/fuzz_control.c lb-agent/requests.c lb-agent/left.c \
		 $(wildcard loader/config*.c)) $B/fuzz/libmplb.a
$B/fuzz/control: LIBS := -levent
$(FUZZ_TARGETS):
	$(call say,LINK,$@)
	$(Q)$(CLANG) -fsanitize=fuzzer,address,undefined -o $@ $^ $(LIBS) $(pkg_libs)

.PHONY: fuzz soak fuzzers
fuzzers: deps-quiet
	$(Q)$(MAKE) --no-print-directory $B/fuzz-lb $(FUZZ_TARGETS)

fuzz: fuzzers ## fuzz the data plane against its model, and the parsers, for a minute (root)
	$(Q)FUZZ_BUILD=$B FUZZ_SEED=$(FUZZ_SEED) FUZZ_PACKETS=$(FUZZ_PACKETS) \
		FUZZ_SECONDS=$(FUZZ_SECONDS) tests/fuzz/run.sh

soak: fuzzers ## the same for long, with another seed each time (SOAK_PACKETS, SOAK_SECONDS)
	$(Q)FUZZ_BUILD=$B FUZZ_SEED=$$(date +%s) FUZZ_PACKETS=$(SOAK_PACKETS) \
		FUZZ_SECONDS=$(SOAK_SECONDS) tests/fuzz/run.sh
