LINT = github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0

.PHONY: run test short race soak generate web lint mongod bench bench-abuse

run: ## serve on localhost:8080 with the embedded store
	go run .

test: ## run every test, on both stores; like go test ./..., but shows progress
	go test . ./graph/... ./web/... ./bench/... $$(go list ./internal/... | grep -v /e2e)
	go test -v ./internal/e2e

short: ## run the tests that start no process and no mongod, in about a minute
	go test -short ./...

race: mongod ## run the same tests under the race detector, in random order
	go test -race -shuffle=on -timeout 30m ./...

soak: mongod ## run the long tests: failing nodes, servers and networks, a large rebuild, half an hour of load
	CHIRP_TEST_FIRE_ROUNDS=20 CHIRP_TEST_FIRE_OUTAGE=10 CHIRP_TEST_CRASH_ROUNDS=20 CHIRP_TEST_SOAK_MINUTES=10 \
	CHIRP_TEST_HISTORY_USERS=37700 \
		go test -count=1 -v -timeout 3h -run 'Fire|Network|History|Kills|Soak' ./internal/e2e

generate: ## regenerate the generated Go code and schema.graphql
	go generate ./...

PAGES = web web/graphiql

web: ## rebuild the web pages, which are checked in; needs Node 20
	for app in $(PAGES); do (cd $$app && npm ci --no-audit --no-fund && npm run build) || exit 1; done

lint:
	go vet ./...
	go run $(LINT) run ./...

mongod: .cache/mongod ## download a MongoDB server for the tests (Linux on x86-64)

.cache/mongod:
	go run ./internal/storage/mongodb/mongotest/fetchmongod $@

bench: mongod ## measure Chirp beside its peers, for doc/performance.md; needs Node 20, takes 40 minutes
	CHIRP_TEST_MONGOD=$${CHIRP_TEST_MONGOD:-$(CURDIR)/.cache/mongod} go run ./bench/performance -doc doc/performance.md -results .cache/performance.json $(BENCH)

bench-abuse: mongod ## attack a started server on both stores, and measure what other users notice
	CHIRP_TEST_MONGOD=$${CHIRP_TEST_MONGOD:-$(CURDIR)/.cache/mongod} go run ./bench/abuse
