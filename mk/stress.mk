## make stress     every guest under each stress option of the translator and in lockstep, on both machines

.PHONY: stress
stress:
	@tools/setup test
	@$(MAKE) --no-print-directory all
	@$(TEST_PYTHON) -m pytest tests/guests/stress_all.py -q -n 2 $(ARGS)
