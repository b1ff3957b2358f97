# SPDX-License-Identifier: GPL-2.0-only
#
# mplb: an MPTCP-aware layer-4 load balancer. `make help` lists the targets.

.DELETE_ON_ERROR:
.SUFFIXES:

PREFIX  ?= /usr/local
DESTDIR ?=
SBINDIR ?= $(PREFIX)/sbin
MANDIR  ?= $(PREFIX)/share/man
B       := build
CC      := gcc
CLANG   ?= clang
BPFTOOL ?= $(firstword $(wildcard /usr/sbin/bpftool /sbin/bpftool) bpftool)

Q := $(if $(V),,@)
say = $(if $(V),,@printf '  %-8s %s\n' $(1) $(2))

VERSION := 0.1.0
MAN     := lbctl.8 lb-agent.8 server-pm.8
PKGS    := libbpf libxdp libmnl libcyaml yaml-0.1 jansson

CPPFLAGS += -D_GNU_SOURCE -DMPLB_VERSION='"$(VERSION)"' -Iinclude -I. -I$B -MMD -MP
CFLAGS   ?= -O2 -g
CFLAGS   += -std=c17 -Wall -Wextra -Werror -Wno-missing-field-initializers $(SAN)
LDFLAGS  += $(SAN)

.PHONY: help all deps demo check many bench lint san install uninstall deb deb-check clean

help: ## list the targets
	@awk -F':.*## ' '/^[a-z0-9-]+:.*## /{printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

include mk/build.mk
include mk/test.mk
include mk/fuzz.mk
include mk/install.mk
include mk/deb.mk

clean: ## remove everything that was built
	$(Q)rm -rf $B
