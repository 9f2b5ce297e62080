# Each target does its own set-up: on a fresh machine `make demo` and `make test` need Rust, a C compiler and nothing else.
.DEFAULT_GOAL := help
.PHONY: help demo test deb deb-test fuzz faults faults-peers incident incident-peers kills load algorithms conformance \
	slow-clients build pgo bench instructions bench-micro deny clean

CARGO ?= cargo
QUICK := $(or $(CARGO_TARGET_DIR),target)/quick
# The documentation is for people who change bookend: links to private items are fine.
DOC_LINTS := -D warnings -A rustdoc::private_intra_doc_links

help: ## show this list
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 20

demo: ## a site under load: a server is killed, another time one is forgotten; DEMO=--stay keeps it up
	@scripts/setup build
	$(CARGO) build --locked --profile quick --bin bookend
	@$(QUICK)/bookend demo $(DEMO)

test: ## format, lints, every test, documentation
	@scripts/setup test
	$(CARGO) fmt --check
	$(CARGO) fmt --check --manifest-path fuzz/Cargo.toml
	$(CARGO) clippy --locked --all-targets -- -D warnings
	$(CARGO) test --locked
	RUSTDOCFLAGS='$(DOC_LINTS)' $(CARGO) doc --locked --no-deps --document-private-items

conformance: ## what other programs make of bookend: installs them, takes an hour, writes docs/conformance.md; CONFORMANCE='tls' chooses
	@scripts/setup conformance
	$(CARGO) build --locked --profile quick --bin bookend
	@tests/conformance/run --write $(CONFORMANCE)

slow-clients: ## 1,000 connections that hold on to bookend, by slowhttptest: four minutes; SLOW='bodies' chooses; installs it
	@scripts/setup slow
	$(CARGO) build --locked --profile quick --bin bookend
	@scripts/slow-clients --bookend $(QUICK)/bookend $(SLOW)

fuzz: ## whatever parses bytes from outside, 20 s each; FUZZ='config model' FUZZ_SECONDS=600 chooses
	@scripts/setup fuzz
	@$(CARGO) fuzz --version >/dev/null 2>&1 || $(CARGO) install --locked cargo-fuzz
	@fuzz/run $(FUZZ)

algorithms: ## the algorithms beside each other in made-up time; writes the table into docs/load.md
	@scripts/setup build
	BOOKEND_ALGORITHMS=write $(CARGO) test --locked --profile quick --test algorithms -- --nocapture table

faults: ## every fault of a node under load, with latencies: about half an hour; FAULTS='killed' chooses
	@scripts/setup build
	BOOKEND_FAULTS=long $(CARGO) test --locked --profile quick --test faults -- $(FAULTS)

faults-peers: ## the same faults in front of bookend, nginx, HAProxy, Envoy, Traefik and Caddy, as they come and tuned
	@scripts/setup build
	@scripts/setup peers
	BOOKEND_FAULTS=peers $(CARGO) test --locked --profile quick --test faults -- $(FAULTS)

incident: ## one of two servers is out and too much arrives: twenty minutes; INCIDENT='cold' chooses
	@scripts/setup build
	BOOKEND_INCIDENT=long $(CARGO) test --locked --profile quick --test incident -- $(INCIDENT)

incident-peers: ## the same in front of bookend, nginx and HAProxy as Debian has them
	@scripts/setup build
	@scripts/setup incident
	BOOKEND_INCIDENT=peers $(CARGO) test --locked --profile quick --test incident -- $(INCIDENT)

kills: ## the whole program is killed 200 times under operators at work: half a minute; KILLS=1000 for more
	@scripts/setup build
	BOOKEND_KILLS=$(or $(KILLS),200) $(CARGO) test --locked --profile quick --test integration -- --nocapture kills::

load: ## simulated loads on the learnt limit, with several seeds and other constants; LOADS='burst,dies' chooses
	@scripts/setup build
	BOOKEND_LOAD=5 BOOKEND_LOADS='$(LOADS)' $(CARGO) test --locked --profile quick --test load

build: ## the program as it is released; with a profile of it at work if `make pgo` has made one
	@scripts/setup build
	@scripts/release build

pgo: ## make that profile anew, and build with it; installs what that takes
	@scripts/setup pgo
	@scripts/release profile
	@scripts/release build

deb: build ## a Debian package, in target/debian; installs cargo-deb if it is not there
	@$(CARGO) deb --version >/dev/null 2>&1 || $(CARGO) install --locked cargo-deb
	@scripts/deb

deb-test: deb ## install, upgrade, remove and purge that package, in a copy of this system that is thrown away; needs root
	@scripts/deb-test $(or $(CARGO_TARGET_DIR),target)/debian/*.deb

bench: build ## bookend beside nginx and HAProxy; BENCH='--peers' for Envoy, Traefik and Caddy, too; '--help' for more
	@scripts/setup bench
	@benches/peers/run $(BENCH)

instructions: ## instructions for a request, of bookend as `make build` left it, nginx and HAProxy
	@scripts/setup bench
	@benches/peers/run --works instructions $(BENCH)

bench-micro: ## measure routing, selection and configuration by themselves
	@scripts/setup build
	$(CARGO) bench --locked

deny: ## licences, advisories, sources and bans of every dependency
	@scripts/setup build
	@$(CARGO) deny --version >/dev/null 2>&1 || $(CARGO) install --locked cargo-deny
	$(CARGO) deny --locked check

clean: ## remove what was built
	$(CARGO) clean
	rm -rf fuzz/target fuzz/corpus fuzz/artifacts
