# Debian packages, in build/deb/.

JOBS ?= $(shell nproc)

deb: ## build the Debian packages into build/deb/ (installs what is missing, as root; JOBS)
	$(Q)mk/deps.sh --quiet --deb
	$(Q)mk/deb.sh $B/deb $(VERSION) $(JOBS)

deb-check: deb ## install, upgrade, remove the packages in a throw-away copy of this system (root)
	$(Q)tests/deb/check.sh $B/deb
