# The front door: Meson and Ninja do the work.  "make help" lists what there is.
# SPDX-License-Identifier: MIT
.DEFAULT_GOAL := build
MAKEFLAGS += --no-print-directory

BUILD ?= build
PREFIX ?= /usr/local
# What "make run" starts: make run CPUS=4 MEM=1G ARGS="-d guest_errors"
CPUS ?= 1
MEM ?= 512
ARGS ?=
# How much "make check" does: make check CHECK=--no-cross (see tools/check)
CHECK ?=

.PHONY: help
help:
	@sed -n 's/^## \{0,1\}//p' Makefile

## Rhea, from the source tree:
##
##   make build      build/rhea and its links (the default)
##   make run        fetch a small Linux and boot it here; CPUS=1 MEM=512 ARGS=
##   make check      build with warnings as errors, run every suite
##   make asan       the suites under AddressSanitizer and UBSan
##   make fuzz       build the fuzz targets, run each for FUZZ_SECONDS=20
##   make bench      measure start-up and boot, print a table
##   make format     clang-format the sources
##   make install    into PREFIX=/usr/local, below DESTDIR=
##   make clean      remove the build folders
##
## Missing packages are named, and installed where this runs as root.

# What is installed; "ninja -C build" makes the test programs as well.
PROGRAM = rhea rhea-system-x86_64 rhea-system-aarch64 docs/rhea.1

$(BUILD)/build.ninja:
	@tools/ensure-packages build
	@echo "configuring $(BUILD)/"
	@out=$$(meson setup $(BUILD) --prefix=$(PREFIX) 2>&1) || { echo "$$out"; exit 1; }

.PHONY: build
build: $(BUILD)/build.ninja
	@tools/ensure-packages build
	@ninja -C $(BUILD) $(PROGRAM)

.PHONY: run
run: build
	@guest=$$(tools/guest/fetch) && \
	echo "booting Linux: Ctrl-A X ends it, Ctrl-A H lists the keys" && \
	exec $(BUILD)/rhea -M microvm -m $(MEM) -smp $(CPUS) -nographic \
		-kernel "$$guest/vmlinuz" -initrd "$$guest/initrd" -append "console=ttyS0" $(ARGS)

.PHONY: check asan
check:
	@tools/ensure-packages build check
	@tools/check $(CHECK)
asan:
	@tools/ensure-packages build
	@tools/check --asan

FUZZ_SECONDS ?= 20
.PHONY: fuzz
fuzz:
	@tools/ensure-packages build fuzz
	@tools/fuzz $(FUZZ_SECONDS)

.PHONY: bench
bench: build
	@tests/bench/run.py $(BUILD)
	@if [ -w /dev/kvm ]; then tests/bench/kvm.py $(BUILD); fi

.PHONY: format
format:
	@tools/ensure-packages format
	@find src tests -name '*.[ch]' -print0 | xargs -0 clang-format-14 -i

.PHONY: install
install: build
	@meson configure $(BUILD) --prefix=$(PREFIX)
	@meson install -C $(BUILD) --no-rebuild --quiet

.PHONY: clean
clean:
	rm -rf $(BUILD) build-check build-asan build-aarch64 build-fuzz
