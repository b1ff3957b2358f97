# make install DESTDIR=... PREFIX=/usr: the programs, their units and example configs.

EXAMPLES := $(PREFIX)/share/mplb
UNITDIR  ?= $(PREFIX)/lib/systemd/system
UNITS    := lb-agent/lb-agent.service lb-agent/lb-agent-withdraw.service server-pm/server-pm.service
COMPS    := loader/lbctl.bash server-pm/server-pm.bash
COMPDIR  ?= $(PREFIX)/share/bash-completion/completions

install: programs ## install programs, units, man pages and example configs into $(DESTDIR)$(PREFIX)
	$(call say,INSTALL,$(DESTDIR)$(PREFIX))
	$(Q)install -d $(DESTDIR)$(SBINDIR) $(DESTDIR)$(EXAMPLES) $(DESTDIR)$(MANDIR)/man8
	$(Q)install -m 755 $(PROGRAMS) $(DESTDIR)$(SBINDIR)
	$(Q)install -m 644 loader/lbctl.yaml server-pm/server-pm.yaml docs/bird.conf.example \
		$(DESTDIR)$(EXAMPLES)
	$(Q)install -d $(DESTDIR)$(UNITDIR) $(DESTDIR)$(COMPDIR)
	$(Q)for comp in $(COMPS); do name=$${comp##*/}; \
		install -m 644 $$comp $(DESTDIR)$(COMPDIR)/$${name%.bash} || exit 1; done
	$(Q)for unit in $(UNITS); do \
		sed 's#@SBINDIR@#$(SBINDIR)#' $$unit > $(DESTDIR)$(UNITDIR)/$${unit##*/} || exit 1; done
	$(Q)for page in $(MAN); do \
		scdoc < docs/man/$$page.scd > $(DESTDIR)$(MANDIR)/man8/$$page || exit 1; done

# The testbed has its tree again in $(BEDDIR): scripts find each other there, and pass.bpf.o.
BEDDIR := $(PREFIX)/lib/mplb

.PHONY: install-testbed
install-testbed: install ## install the testbed, too
	$(call say,INSTALL,$(DESTDIR)$(BEDDIR))
	$(Q)install -d $(DESTDIR)$(BEDDIR)/testbed/scenarios
	$(Q)install -m 755 $B/mplb-load $B/mplb-link $(DESTDIR)$(SBINDIR)
	$(Q)install -m 644 $B/testbed/pass.bpf.o testbed/report.jq $(wildcard testbed/*.sh) \
		$(DESTDIR)$(BEDDIR)/testbed
	$(Q)chmod 755 $(DESTDIR)$(BEDDIR)/testbed/demo.sh
	$(Q)install -m 755 testbed/mplb-testbed $(DESTDIR)$(BEDDIR)/testbed
	$(Q)install -m 644 $(wildcard testbed/scenarios/*.sh) $(DESTDIR)$(BEDDIR)/testbed/scenarios
	$(Q)sed 's#@SBINDIR@#$(SBINDIR)#g; s#@BEDDIR@#$(BEDDIR)#g' testbed/installed.in \
		> $(DESTDIR)$(SBINDIR)/mplb-testbed
	$(Q)chmod 755 $(DESTDIR)$(SBINDIR)/mplb-testbed

uninstall: ## remove what install put there
	$(call say,REMOVE,$(DESTDIR)$(PREFIX))
	$(Q)rm -f $(addprefix $(DESTDIR)$(SBINDIR)/,$(notdir $(PROGRAMS)))
	$(Q)rm -f $(addprefix $(DESTDIR)$(MANDIR)/man8/,$(MAN))
	$(Q)rm -f $(addprefix $(DESTDIR)$(UNITDIR)/,$(notdir $(UNITS)))
	$(Q)rm -f $(patsubst %.bash,$(DESTDIR)$(COMPDIR)/%,$(notdir $(COMPS)))
	$(Q)rm -rf $(DESTDIR)$(EXAMPLES) $(DESTDIR)$(BEDDIR)
	$(Q)rm -f $(addprefix $(DESTDIR)$(SBINDIR)/,mplb-testbed mplb-load mplb-link)
