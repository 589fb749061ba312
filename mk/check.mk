## make check      the static gates; each also alone: make check-layers, check-shape, ...

# Each gate is a script that can fail by itself. Those that compile take the flags that the build
# uses for each part of the tree from the environment; those that look at objects come after it.
CHECK_GATES      := layers headers format shape unused analysis scripts tables
CHECK_FROM_BUILD := layers unused
CHECK_RUN         = /usr/bin/python3 -B tools/check/$(1).py --build $(BUILD)

check-headers check-analysis: export CHECK_HYPERVISOR_FLAGS = $(HYPERVISOR_CFLAGS)
check-headers check-analysis: export CHECK_GUEST_FLAGS      = $(GUEST_CFLAGS)
check-headers check-analysis: export CHECK_UNIT_FLAGS       = $(UNIT_FLAGS)

.PHONY: check check-setup $(CHECK_GATES:%=check-%)
# All gates speak, also after one has failed.
check:
	@$(MAKE) --no-print-directory -k $(CHECK_GATES:%=check-%)

# The build itself is the first gate: its warnings are errors.
$(CHECK_GATES:%=check-%): check-setup
$(CHECK_FROM_BUILD:%=check-%): all

check-setup:
	@tools/setup check

$(CHECK_GATES:%=check-%): check-%:
	@$(call CHECK_RUN,$*)

## make format     gives all C the look of .clang-format
.PHONY: format
format: check-setup
	@$(call CHECK_RUN,format) --mend
