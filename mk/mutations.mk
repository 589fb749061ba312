## make mutations  breaks the monitor in the ways of tests/mutations/table.py and shows that the tests notice; ONLY=text chooses

.PHONY: mutations
mutations: all $(UNIT_TESTS)
	@tests/mutations/run --build $(BUILD) $(if $(ONLY),--only "$(ONLY)")
