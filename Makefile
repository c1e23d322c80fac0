# Thin aliases.
export CGO_ENABLED = 0

.PHONY: build demo test

build:
	go build -o bin/glassnic ./cmd/glassnic

demo: build
	./bin/glassnic sim demo

test:
	./test/run
