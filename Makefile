# Thin aliases.
export CGO_ENABLED = 0

.PHONY: build datasheet demo pgo test

build:
	go build -o bin/glassnic ./cmd/glassnic

demo: build
	./bin/glassnic sim demo

test:
	./test/run

# pgo takes the profile that build uses: the driver at batches of 1 and 32 on modelled cards.
pgo:
	go build -pgo=off -o bin/glassnic ./cmd/glassnic
	./bin/glassnic bench driver --drivers glassnic --modes inline --batches 1,32 --rounds 300 --cpuprofile cmd/glassnic/default.pgo

# datasheet writes docs/datasheet.md. What Linux's driver exercises is written down by
# go test ./test/vm -run TestJudge -update
datasheet:
	go test ./driver/ixgbe -count=1 -update
	go test ./test/house -count=1 -run TestDatasheet -update
