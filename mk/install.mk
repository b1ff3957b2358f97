install: programs ## install into $(DESTDIR)$(PREFIX)
	$(Q)true
uninstall: ## remove what install put there
	$(Q)true
