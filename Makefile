# make            the same as make build
# make build      the four commands, static, into bin/
# make run        the daemon in the foreground on a scratch configuration with two harmless programs
# make demo       a real etcd under supervision: killed, back again, its data still there
# make test       everything that the tests need, then the tests
# make check      format, vet, staticcheck, then make test
# make torture    kill supervisord hundreds of times, and see whether a program notices; ARGS="-for 1h -seed 7"
# make kube-test  examples/kubernetes with the real Kubernetes, which it builds first; as root
# make bench      our speed beside the original's and other peers'; ARGS="-rounds 5" for its options

# A clone that belongs to another user (a container, sudo) must build too.
export GOFLAGS := -buildvcs=false $(GOFLAGS)

.PHONY: build run demo setup test check torture kube-test bench clean

build:
	CGO_ENABLED=0 go build -trimpath -ldflags '-s -w' -o bin/ ./cmd/...

run: build
	@scripts/run

demo: build
	@scripts/demo $(ARGS)

# What can't be installed is said, and the tests that need it are skipped with that reason.
setup:
	@scripts/setup gcc python3 supervisor etcd chromium ansible npm || true

# The race detector needs a C compiler. No result is an old one: go does not see that e2e's binaries have changed.
test: build setup
	go test -count=1 $$(command -v gcc >/dev/null && echo -race) -timeout 10m ./...

check:
	@out=$$(go list -f '{{.Dir}}' ./... | xargs gofmt -l); \
	if [ -n "$$out" ]; then echo "gofmt would change:"; echo "$$out"; exit 1; fi
	go vet ./...
	go tool staticcheck ./...
	@$(MAKE) --no-print-directory test

torture:
	go test -count=1 -v -timeout=0 ./e2e/torture -for 1m $(ARGS)

kube-test:
	@scripts/setup etcd kubenode
	dir=$$(scripts/kube-build) && go test -count=1 -v -timeout=60m ./e2e/kube -kube "$$dir" $(ARGS)

bench: build
	go run ./bench $(ARGS)

clean:
	rm -rf bin
