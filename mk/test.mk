## make test       set-up, build, unit tests, boot tests; ARGS="-k NAME" chooses boot tests

# Debian's packages of pytest belong to Debian's Python, whatever python3 the PATH has.
TEST_PYTHON := /usr/bin/python3 -B

# The gates are tested too, so what they need is installed with the rest.
.PHONY: test
test:
	@tools/setup test check
	@MAKE='$(MAKE)' $(TEST_PYTHON) tests/run-tests --build $(BUILD) -- $(ARGS)
