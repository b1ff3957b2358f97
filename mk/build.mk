# What is built from what. Dependencies point one way: bpf -> include; lib -> include;
# loader -> lib; lb-agent -> loader, lib; server-pm -> lib. Objects land in build/obj/, BPF objects and
# skeletons in build/, each at the path of its source.

BPF_SRC    := $(wildcard bpf/*.bpf.c)
LIB_SRC    := $(wildcard lib/*.c)
LBCTL_SRC  := loader/main.c $(wildcard loader/cmd_*.c)
LOADER_SRC := $(filter-out $(LBCTL_SRC),$(wildcard loader/*.c))
AGENT_SRC  := $(wildcard lb-agent/*.c)
SERVER_SRC := $(wildcard server-pm/*.c)
LOAD_SRC   := $(wildcard testbed/load/*.c)
LINK_SRC   := $(wildcard testbed/link/*.c)

obj = $(patsubst %.c,$B/obj/%.o,$(1))
skel = $(patsubst %.bpf.c,$B/%.skel.h,$(1))

PROGRAMS := $B/lbctl $B/lb-agent $B/server-pm
TESTBED  := $B/mplb-load $B/mplb-link $(patsubst %.bpf.c,$B/%.bpf.o,$(wildcard testbed/*.bpf.c))

all: deps-quiet programs ## build everything (installs what is missing, as root)

.PHONY: programs deps-quiet
programs: $(PROGRAMS) $(TESTBED)

deps: ## install the missing Debian packages, and say which
	$(Q)mk/deps.sh

# DEPS=no: somebody else sees to that, as dpkg-buildpackage does.
deps-quiet:
	$(Q)$(if $(filter no,$(DEPS)),:,mk/deps.sh --quiet)

# pkg-config is asked when a rule runs, so that `make deps` works on a machine that lacks it.
pkg_cflags = $(shell pkg-config --cflags $(PKGS))
pkg_libs   = $(shell pkg-config --libs $(PKGS))

.SECONDARY: $(patsubst %.c,$B/%.o,$(BPF_SRC)) $(call skel,$(BPF_SRC))

# -g for BTF. -mcpu=v3: 32-bit ALU and jumps, every kernel of our range has them.
BPF_CFLAGS := -O2 -g -std=gnu17 -Wall -Wextra -Werror -mcpu=v3 -target bpf \
	      -Iinclude -I. -I/usr/include/$(shell uname -m)-linux-gnu

$B/%.bpf.o: %.bpf.c | deps-quiet
	$(call say,BPF,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CLANG) $(BPF_CFLAGS) -MMD -MP -MF $(@:.o=.d) -MT $@ -c $< -o $@

$B/%.skel.h: $B/%.bpf.o
	$(call say,SKEL,$<)
	$(Q)$(BPFTOOL) gen skeleton $< name $(subst -,_,$(notdir $*))_bpf > $@ 2> $@.log || \
		{ cat $@.log >&2; exit 1; }

$B/obj/%.o: %.c | deps-quiet $(call skel,$(BPF_SRC))
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) $(pkg_cflags) -c $< -o $@

$B/libmplb.a: $(call obj,$(LIB_SRC))
$B/libloader.a: $(call obj,$(LOADER_SRC))
$B/libagent.a: $(call obj,$(filter-out lb-agent/main.c,$(AGENT_SRC)))
$B/libserver.a: $(call obj,$(filter-out server-pm/main.c,$(SERVER_SRC)))
$B/%.a:
	$(call say,AR,$@)
	$(Q)rm -f $@ && ar rcs $@ $^

$B/lbctl: $(call obj,$(LBCTL_SRC)) $B/libloader.a $B/libmplb.a
$B/lb-agent: $B/obj/lb-agent/main.o $B/libagent.a $B/libloader.a $B/libmplb.a
$B/lb-agent: LIBS := -levent
$B/server-pm: $B/obj/server-pm/main.o $B/libserver.a $B/libmplb.a
$B/server-pm: LIBS := -levent
$B/mplb-load: $(call obj,$(LOAD_SRC)) $B/libmplb.a
$B/mplb-load: LIBS := -levent -lcrypto
$B/liblink.a: $(call obj,$(filter-out testbed/link/main.c,$(LINK_SRC)))
$B/mplb-link: $B/obj/testbed/link/main.o $B/liblink.a $B/libmplb.a

$B/lbctl $B/lb-agent $B/server-pm $B/mplb-load $B/mplb-link:
	$(call say,LINK,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LIBS) $(pkg_libs)

-include $(shell find $B -name '*.d' 2>/dev/null)
