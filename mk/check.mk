## make check      the static gates; each also alone: make check-layers, check-shape, ...

# Each gate is a script that can fail by itself: tools/check/NAME.py --help.
# Gates that compile are given the flags that the build uses for each part of the tree.
CHECK_GATES       := layers headers format shape unused analysis scripts tables
CHECK_COMPILES    := headers analysis
CHECK_FROM_BUILD  := layers unused
CHECK_PYTHON      := /usr/bin/python3 -B

CHECK_FLAGS = --flags 'hypervisor=$(HYPERVISOR_CFLAGS)' --flags 'guest=$(GUEST_CFLAGS)' --flags 'unit=$(UNIT_FLAGS)'

.PHONY: check check-setup $(CHECK_GATES:%=check-%)
check: $(CHECK_GATES:%=check-%)

# The build itself is the first gate: its warnings are errors.
$(CHECK_GATES:%=check-%): check-setup
$(CHECK_FROM_BUILD:%=check-%): all

check-setup:
	@tools/setup check

$(CHECK_GATES:%=check-%): check-%:
	@$(CHECK_PYTHON) tools/check/$*.py --build $(BUILD) $(if $(filter $*,$(CHECK_COMPILES)),$(CHECK_FLAGS))

## make format     gives all C the look of .clang-format
.PHONY: format
format: check-setup
	@$(CHECK_PYTHON) tools/check/format.py --build $(BUILD) --mend
