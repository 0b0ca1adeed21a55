# mdkit. `make demo` and `make test` are the two commands to know; each does
# all of its own set-up. What they need and this system lacks (lab kernels, the
# tools we are compared with) is fetched from the Debian archive into the
# user's cache folder; no system package is installed.

GO    ?= go
FACES := mdadm dmsetup dmstats dmfilemapd blkdeactivate devmap_name dlm_tool

# How long each parser is fuzzed by `make fuzz`, and how often by `make test`.
T      ?= 10m
SAMPLE := 2000x

# `make soak`: on which kernels, with how many seeds, which GROUP (md, engine, dm,
# cluster, trace, formats) or which packages (ONLY=./ioctl/dm,./ioctl/md), and how
# long (FOR=30m begins no step later). RETRY=1 runs again what failed, RENDER=1
# only writes docs/soak.md.
KERNELS ?= oldest,stable,newest
SEEDS   ?= 1
GROUP   ?=
ONLY    ?=
FOR     ?= 0s
RETRY   ?=
RENDER  ?=

# What tests leave to chance hangs on one number (docs/lab.md). It follows from
# the commit: each commit tries another sample, and each run of one commit the
# same, so that a failure comes again. 1 where there is no repository.
ifndef MDKIT_SEED
MDKIT_SEED := $(shell printf %d 0x$$(git rev-parse --verify --quiet HEAD 2>/dev/null | cut -c1-12 | grep . || echo 1))
endif
export MDKIT_SEED

# On a slow machine MDKIT_SLOW=N stretches all deadlines of tests, which are
# generous as they are.
MDKIT_SLOW ?= 1
export MDKIT_SLOW

# What is built in one checkout serves all others: without it the cache knows
# packages by their folder.
export GOFLAGS := $(strip $(shell $(GO) env GOFLAGS) -trimpath)

# Nothing but the race detector needs a C compiler.
export CGO_ENABLED = 0

# The rules of the house have a target of their own; the lab's own tests are
# nothing without a kernel.
ALL   = $$($(GO) list ./... | grep -v /internal/house$$)
UNITS = $$($(GO) list ./... | grep -v -e /internal/house$$ -e /internal/lab$$)

.PHONY: generate build cross install test sample seed unit kernel check fuzz bench soak demo demo-cluster lab coverage clean

# The tag leaves out the generator of manual pages, whose start-up every command
# would pay for.
build:
	$(GO) build -tags urfave_cli_no_docs -ldflags '-s -w' -o bin/mdkit ./cmd/mdkit
	for face in $(FACES); do ln -sf mdkit bin/$$face; done

# BPF programs, with Debian's clang: what is committed comes out again to the byte.
generate:
	set -e; set -- $$($(GO) run ./internal/lab/cmd/labcc bpf); \
	BPF2GO_CC=$$1 BPF2GO_STRIP=$$2 $(GO) generate ./ebpf/...

# The verbs that need no kernel, for other systems: bin/mdkit-darwin-arm64 and so on.
CROSS := darwin/amd64 darwin/arm64 freebsd/amd64 freebsd/arm64 linux/arm64 windows/amd64 windows/arm64

cross:
	set -e; for target in $(CROSS); do \
		export GOOS=$${target%/*} GOARCH=$${target#*/}; suffix=; [ $$GOOS != windows ] || suffix=.exe; \
		$(GO) build -tags urfave_cli_no_docs -ldflags '-s -w' -o bin/mdkit-$$GOOS-$$GOARCH$$suffix ./cmd/mdkit; \
	done

# Where things go; DESTDIR in front of it all is for packages.
PREFIX     ?= /usr
DESTDIR    ?=
BINDIR     ?= $(PREFIX)/sbin
MANDIR     ?= $(PREFIX)/share/man
SHAREDIR   ?= $(PREFIX)/share/mdadm
UDEVDIR    ?= $(PREFIX)/lib/udev/rules.d
UNITDIR    ?= $(PREFIX)/lib/systemd/system
SHUTDOWN   ?= $(PREFIX)/lib/systemd/system-shutdown
COMPLETION ?= $(PREFIX)/share/bash-completion/completions

PLACES = sed -e 's,@BINDIR@,$(BINDIR),g' -e 's,@SHAREDIR@,$(SHAREDIR),g'

# The program with its faces, rules for udev, units for systemd, manual pages
# and completion.
install: build
	install -D -m 755 bin/mdkit $(DESTDIR)$(BINDIR)/mdkit
	for face in $(FACES); do ln -sf mdkit $(DESTDIR)$(BINDIR)/$$face; done
	install -d $(DESTDIR)$(UDEVDIR) $(DESTDIR)$(UNITDIR) $(DESTDIR)$(SHUTDOWN)
	set -e; for f in dist/udev/*.rules; do $(PLACES) $$f > $(DESTDIR)$(UDEVDIR)/$${f##*/}; done
	set -e; for f in dist/systemd/*.service dist/systemd/*.timer; do $(PLACES) $$f > $(DESTDIR)$(UNITDIR)/$${f##*/}; done
	$(PLACES) dist/systemd/mdadm.shutdown > $(DESTDIR)$(SHUTDOWN)/mdadm.shutdown
	chmod 755 $(DESTDIR)$(SHUTDOWN)/mdadm.shutdown
	install -D -m 755 dist/share/mdcheck $(DESTDIR)$(SHAREDIR)/mdcheck
	install -D -m 644 docs/mdadm.8 $(DESTDIR)$(MANDIR)/man8/mdadm.8
	install -D -m 644 docs/mdkit.8 $(DESTDIR)$(MANDIR)/man8/mdkit.8
	install -D -m 644 docs/dmsetup.8 $(DESTDIR)$(MANDIR)/man8/dmsetup.8
	install -D -m 644 docs/dmstats.8 $(DESTDIR)$(MANDIR)/man8/dmstats.8
	install -D -m 644 docs/blkdeactivate.8 $(DESTDIR)$(MANDIR)/man8/blkdeactivate.8
	install -D -m 644 docs/dlm_tool.8 $(DESTDIR)$(MANDIR)/man8/dlm_tool.8
	install -D -m 644 docs/mdadm.conf.5 $(DESTDIR)$(MANDIR)/man5/mdadm.conf.5
	install -D -m 644 dist/completion/mdadm.bash $(DESTDIR)$(COMPLETION)/mdadm
	install -D -m 644 dist/completion/dlm_tool.bash $(DESTDIR)$(COMPLETION)/dlm_tool

# What took how long: each stage adds to the file.
TIMES   = bin/times.jsonl
TESTRUN = $(GO) run ./internal/coverage/cmd/testrun -times $(TIMES)

# The gate: what CI runs. Whatever comes of it, it ends with a table of what
# took how long.
test: seed
	@mkdir -p bin && rm -f $(TIMES)
	@code=0; $(MAKE) --no-print-directory check unit kernel sample || code=$$?; \
		$(TESTRUN) -table; exit $$code

# Each fuzz test for a moment.
sample:
	@mkdir -p bin; start=$$(date +%s); \
		$(GO) run ./internal/house/cmd/fuzz -t $(SAMPLE) && \
		echo "{\"stage\":\"fuzz\",\"seconds\":$$(($$(date +%s) - start))}" >>$(TIMES)

seed:
	@echo "make: MDKIT_SEED=$(MDKIT_SEED) repeats this run"

# The rules of the house: floors, portability, format, linters, dead code.
check:
	@mkdir -p bin; $(GO) test -json -count=1 -timeout=1h ./internal/house | $(TESTRUN) -stage house

# Everything that needs no kernel, under the race detector.
unit: seed
	@mkdir -p bin
	MDKIT_LAB=off CGO_ENABLED=1 CC="$$($(GO) run ./internal/lab/cmd/labcc)" \
		$(GO) test -race -json -timeout=$$((15 * $(MDKIT_SLOW)))m $(UNITS) | $(TESTRUN) -stage unit

# Everything, with the lab's kernels; the coverage page must agree.
kernel: seed lab
	@mkdir -p bin
	MDKIT_LAB=require $(GO) test -json -count=1 -timeout=$$((45 * $(MDKIT_SLOW)))m $(ALL) | \
		$(TESTRUN) -stage kernel -coverage docs/coverage.md

coverage: lab
	MDKIT_LAB=require $(GO) test -json -count=1 -timeout=$$((45 * $(MDKIT_SLOW)))m $(ALL) | \
		$(GO) run ./internal/coverage/cmd/testrun -coverage docs/coverage.md -write

# Each fuzz test for T, added up in the log; PKG narrows it down.
fuzz:
	$(GO) run ./internal/house/cmd/fuzz -t $(T) -log docs/fuzz.tsv $(PKG)

# Ours and the peers side by side, into docs/performance.md. ONLY=name renews one
# row; BENCH_CHECK=1 fails where a row is below its floor (internal/bench/floors.go).
ONLY ?=
bench: build lab
	$(GO) run ./internal/bench/cmd/bench -o bench/results.json -page docs/performance.md $(if $(ONLY),-only $(ONLY))

# All packages that have kernel tests, on all kernels, all there is. It takes
# hours, goes on after failures and takes up where it was interrupted, in any
# checkout: commit docs/soak.jsonl and docs/soak.md, which grow with every step.
soak: seed lab
	$(GO) run ./internal/soak/cmd/soak -kernels $(KERNELS) -seeds $(SEEDS) -for $(FOR) \
		$(if $(GROUP),-group $(GROUP)) $(if $(ONLY),-only $(ONLY)) $(if $(RETRY),-retry) $(if $(RENDER),-render) \
		$$(grep -rl --include='*_test.go' 'lab\.Main' . | xargs -n1 dirname | sort -u | grep -v '^./internal/soak$$')

# The main job, told as a story. It needs a kernel and a tool, and fetches them.
demo: build
	$(GO) test -c -o bin/demo.test ./internal/demo
	cd internal/demo && MDKIT_LAB=require ../../bin/demo.test -test.run '^TestDemo$$'

# Two nodes share a mirror, and one of them dies.
demo-cluster: build
	$(GO) test -c -o bin/demo.test ./internal/demo
	cd internal/demo && MDKIT_LAB=require MDKIT_SOAK=1 ../../bin/demo.test -test.run '^TestDemoCluster$$'

lab:
	$(GO) run ./internal/lab/cmd/labfetch

clean:
	rm -rf bin bench
