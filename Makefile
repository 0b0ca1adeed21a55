# mdkit. `make demo` and `make test` are the two commands to know; each does
# all of its own set-up. Targets that need a kernel fetch the lab first.

GO      ?= go
T       ?= 30s
CACHE   ?= $(or $(MDKIT_CACHE),$(or $(XDG_CACHE_HOME),$(HOME)/.cache)/mdkit)
FACES   := mdadm
LDFLAGS := -s -w

# Everything but the race detector builds without a C compiler.
export CGO_ENABLED = 0

.PHONY: build test unit kernel check bench fuzz soak demo lab coverage install clean

build:
	$(GO) build -trimpath -ldflags '$(LDFLAGS)' -o bin/mdkit ./cmd/mdkit
	for face in $(FACES); do ln -sf mdkit bin/$$face; done

clean:
	rm -rf bin bench
