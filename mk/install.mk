# make install DESTDIR=... PREFIX=/usr: the programs, their units and example configs.

EXAMPLES := $(PREFIX)/share/mplb
UNITDIR  ?= $(PREFIX)/lib/systemd/system
UNITS    := lb-agent/lb-agent.service lb-agent/lb-agent-withdraw.service server-pm/server-pm.service
COMPDIR  ?= $(PREFIX)/share/bash-completion/completions

install: programs ## install programs, units, man pages and example configs into $(DESTDIR)$(PREFIX)
	$(call say,INSTALL,$(DESTDIR)$(PREFIX))
	$(Q)install -d $(DESTDIR)$(SBINDIR) $(DESTDIR)$(EXAMPLES) $(DESTDIR)$(MANDIR)/man8
	$(Q)install -m 755 $(PROGRAMS) $(DESTDIR)$(SBINDIR)
	$(Q)install -m 644 loader/lbctl.yaml server-pm/server-pm.yaml docs/bird.conf.example \
		$(DESTDIR)$(EXAMPLES)
	$(Q)install -d $(DESTDIR)$(UNITDIR) $(DESTDIR)$(COMPDIR)
	$(Q)install -m 644 server-pm/server-pm.bash $(DESTDIR)$(COMPDIR)/server-pm
	$(Q)for unit in $(UNITS); do \
		sed 's#@SBINDIR@#$(SBINDIR)#' $$unit > $(DESTDIR)$(UNITDIR)/$${unit##*/} || exit 1; done
	$(Q)for page in $(MAN); do \
		scdoc < docs/man/$$page.scd > $(DESTDIR)$(MANDIR)/man8/$$page || exit 1; done

uninstall: ## remove what install put there
	$(call say,REMOVE,$(DESTDIR)$(PREFIX))
	$(Q)rm -f $(addprefix $(DESTDIR)$(SBINDIR)/,$(notdir $(PROGRAMS)))
	$(Q)rm -f $(addprefix $(DESTDIR)$(MANDIR)/man8/,$(MAN))
	$(Q)rm -f $(addprefix $(DESTDIR)$(UNITDIR)/,$(notdir $(UNITS)))
	$(Q)rm -f $(DESTDIR)$(COMPDIR)/server-pm
	$(Q)rm -rf $(DESTDIR)$(EXAMPLES)
