# SPDX-License-Identifier: MIT
# Included by the Makefile: what is installed, the tarball, and the packages.

PREFIX ?= /usr/local
SBINDIR ?= $(PREFIX)/sbin
LIBEXECDIR ?= $(PREFIX)/libexec/telephone
MANDIR ?= $(PREFIX)/share/man
DOCDIR ?= $(PREFIX)/share/doc/telephone
COMPLETIONDIR ?= $(PREFIX)/share/bash-completion/completions
ZSHDIR ?= $(PREFIX)/share/zsh/site-functions
FISHDIR ?= $(PREFIX)/share/fish/vendor_completions.d
UNITDIR ?= $(PREFIX)/lib/systemd/system
SYSUSERSDIR ?= $(PREFIX)/lib/sysusers.d
TMPFILESDIR ?= $(PREFIX)/lib/tmpfiles.d
# Where telephone(8) looks, whatever the PREFIX.
CONFDIR := /etc/telephone
INSTALL ?= install

# --- install -----------------------------------------------------------------
UNITS := telephone.service telephone@.service telephone.socket
DOCS := README.md CHANGELOG.md SECURITY.md $(wildcard docs/*.md docs/*.json)

# The sandbox is the same in both services.
$(O)/systemd/%: packaging/systemd/%.in packaging/systemd/sandbox.in FORCE
	@mkdir -p $(@D)
	@sed -e '/^@SANDBOX@$$/{r packaging/systemd/sandbox.in' -e 'd}' $< | \
	sed -e 's,@SBINDIR@,$(SBINDIR),g' -e 's,@LIBEXECDIR@,$(LIBEXECDIR),g' \
	-e 's,@CONFDIR@,$(CONFDIR),g' > $@
units: $(addprefix $(O)/systemd/,$(UNITS))

d = $(DESTDIR)
install: $(DAEMON) units
	$(INSTALL) -d $(d)$(SBINDIR) $(d)$(LIBEXECDIR) $(d)$(MANDIR)/man5 \
	$(d)$(MANDIR)/man8 $(d)$(DOCDIR) $(d)$(COMPLETIONDIR) $(d)$(ZSHDIR) $(d)$(FISHDIR) $(d)$(UNITDIR) \
	$(d)$(SYSUSERSDIR) $(d)$(TMPFILESDIR) $(d)$(CONFDIR)
	$(INSTALL) -m 0755 $(O)/telephone $(O)/telephonectl $(d)$(SBINDIR)
	$(INSTALL) -m 0755 $(O)/worker $(O)/tokend $(d)$(LIBEXECDIR)
	$(INSTALL) -m 0644 $(wildcard man/*.5) $(d)$(MANDIR)/man5
	$(INSTALL) -m 0644 $(wildcard man/*.8) $(d)$(MANDIR)/man8
	$(INSTALL) -m 0644 $(DOCS) telephone.conf.example $(d)$(DOCDIR)
	$(INSTALL) -m 0644 packaging/completion/* $(d)$(COMPLETIONDIR)
	$(INSTALL) -m 0644 packaging/completion-zsh/* $(d)$(ZSHDIR)
	$(INSTALL) -m 0644 packaging/completion-fish/* $(d)$(FISHDIR)
	$(INSTALL) -m 0644 $(addprefix $(O)/systemd/,$(UNITS)) $(d)$(UNITDIR)
	$(INSTALL) -m 0644 packaging/systemd/telephone.sysusers $(d)$(SYSUSERSDIR)/telephone.conf
	$(INSTALL) -m 0644 packaging/systemd/telephone.tmpfiles $(d)$(TMPFILESDIR)/telephone.conf
	test -e $(d)$(CONFDIR)/telephone.conf || \
	$(INSTALL) -m 0600 packaging/telephone.conf $(d)$(CONFDIR)/telephone.conf
# Users, directories and a secret where no package has made them; as root.
setup:
	systemd-sysusers telephone.conf
	systemd-tmpfiles --create telephone.conf
	packaging/make-secret $(CONFDIR)/secret
	systemctl daemon-reload
uninstall:
	rm -f $(addprefix $(d)$(SBINDIR)/,telephone telephonectl) \
	$(addprefix $(d)$(LIBEXECDIR)/,worker tokend) \
	$(addprefix $(d)$(MANDIR)/,$(patsubst man/%.5,man5/%.5,$(wildcard man/*.5)) \
	$(patsubst man/%.8,man8/%.8,$(wildcard man/*.8))) \
	$(addprefix $(d)$(DOCDIR)/,$(notdir $(DOCS)) telephone.conf.example) \
	$(addprefix $(d)$(COMPLETIONDIR)/,telephone telephonectl) \
	$(d)$(ZSHDIR)/_telephonectl $(d)$(FISHDIR)/telephonectl.fish \
	$(addprefix $(d)$(UNITDIR)/,$(UNITS)) \
	$(d)$(SYSUSERSDIR)/telephone.conf $(d)$(TMPFILESDIR)/telephone.conf
	-rmdir $(d)$(LIBEXECDIR) $(d)$(DOCDIR)

# --- the tarball -------------------------------------------------------------
# Made of what git has: HEAD, and changes to it, but no strange files. The
# same bytes from the same commit, wherever and whenever it is made.
DIST := telephone-$(VERSION_TEXT)
$(O)/dist/$(DIST).tar.xz: FORCE
	@mkdir -p $(@D)
	@packaging/dist.sh $(DIST) $@
dist: $(O)/dist/$(DIST).tar.xz
	@echo $<

check-dist:
	$(Q)tests/dist.sh $(O)

# What building and checking the packages needs besides.
PACKAGE_DEPS := debhelper dpkg-dev fakeroot lintian systemd systemd-container \
	xz-utils rpm rpmlint makepkg pacman-package-manager libarchive-tools \
	musl-tools buildah mmdebstrap autopkgtest
deps-packages:
	$(Q)packaging/deps.sh $(PACKAGE_DEPS)

# --- packages ----------------------------------------------------------------
deb:
	$(Q)packaging/build-deps.sh
	$(Q)$(MAKE) --no-print-directory dist
	$(Q)packaging/deb.sh $(O)/dist/$(DIST).tar.xz $(VERSION_TEXT) $(O)/deb
# What lintian says is an error, its hints included; overrides have reasons.
check-deb: deb
	$(Q)lintian --allow-root --pedantic --fail-on error,warning $(O)/deb/*.changes

# The package's own tests, as Debian runs them.
check-autopkgtest: deb
	$(Q)tests/autopkgtest.sh $(O) $(O)/dist/$(DIST).tar.xz $(VERSION_TEXT)

rpm: dist
	$(Q)packaging/rpm/build.sh $(O)/dist/$(DIST).tar.xz $(VERSION_TEXT) $(O)/rpm
check-rpm: rpm
	$(Q)rpmlint --strict -c packaging/rpm/rpmlint.toml $(O)/rpm/SPECS/*.spec \
	$(O)/rpm/RPMS/*/*.rpm $(O)/rpm/SRPMS/*.rpm
arch: dist
	$(Q)packaging/arch/build.sh $(O)/dist/$(DIST).tar.xz $(VERSION_TEXT) $(O)/arch
alpine: dist
	$(Q)packaging/alpine/build.sh $(O)/dist/$(DIST).tar.xz $(VERSION_TEXT) $(O)/alpine
	$(Q)tests/musl.sh $(O)

# The image without a Docker engine, built and run.
check-image: $(O)/switchboard $(O)/demo-backend
	$(Q)tests/image.sh $(O)

# The manifests against the models of the official client, offline; what kustomize
# makes of them, where there is kubectl.
KUBE := packaging/kubernetes
check-kubernetes: $(O)/kubernetes/node_modules
	$(Q)node tests/kubernetes/check.js $(O)/kubernetes $(KUBE)/sidecar $(KUBE)/statefulset
	$(Q)if kubectl version --client >/dev/null 2>&1; then \
	for b in sidecar statefulset; do kubectl kustomize $(KUBE)/$$b > $(O)/kubernetes/$$b.yaml || exit 1; done; \
	node tests/kubernetes/check.js $(O)/kubernetes $(O)/kubernetes/sidecar.yaml $(O)/kubernetes/statefulset.yaml; fi
$(O)/kubernetes/node_modules: tests/kubernetes/package-lock.json
	@mkdir -p $(O)/kubernetes
	$(Q)cp tests/kubernetes/package*.json $(O)/kubernetes/
	$(Q)cd $(O)/kubernetes && npm ci --silent --no-audit --no-fund
	@touch $@

# The package for the other processor, built and run here.
check-arm64: dist
	$(Q)tests/arm64/run.sh $(O) $(O)/dist/$(DIST).tar.xz $(VERSION_TEXT)

# A real systemd, booted in a container with the package in it; DIRECTIVES=1:
# the sandbox of the unit line by line instead.
check-system: deb $(O)/switchboard $(O)/demo-backend
	$(Q)tests/system/boot.sh $(O) $(if $(DIRECTIVES),directives)
# The documents' commands on a bare Debian, whose package was built there; SUITES
# says which.
SUITES ?= bookworm trixie
check-bare:
	$(Q)for s in $(SUITES); do tests/system/bare.sh $(O) $$s || exit 1; done
# How much of the system the units can reach, without starting them.
check-units: units
	$(Q)for u in telephone.service telephone@.service; do \
	systemd-analyze security --offline=yes --no-pager --threshold=25 \
	$(O)/systemd/$$u > $(O)/systemd/$$u.exposure && good=0 || good=1; \
	grep -v '✓' $(O)/systemd/$$u.exposure; [ $$good = 0 ] || exit 1; done

.PHONY: check-autopkgtest check-bare check-arm64 check-kubernetes check-image rpm check-rpm arch alpine deps-packages check-dist check-system check-units install uninstall setup units dist deb check-deb
