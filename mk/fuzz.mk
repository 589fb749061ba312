## make fuzz       random instructions in the same state natively, interpreted and translated: MINUTES=n or CASES=n, SEED=s, ON=qemu

CASES_SOURCES := $(wildcard tests/cases/*.c) monitor/instructions/decode.c monitor/instructions/opcodes.c \
                 monitor/instructions/disassemble.c kernel/print.c kernel/text.c kernel/divide.c
CASES_PARTS   := $(wildcard tests/cases/*.h guest/cases/*.h) $(DECODER_PARTS)

$(BUILD)/make_cases: $(CASES_SOURCES) $(CASES_PARTS)
	@mkdir -p $(@D)
	$(CC) $(DECODER_FLAGS) -Wno-format $(CASES_SOURCES) -o $@

.PHONY: make-cases fuzz
make-cases: $(BUILD)/make_cases

fuzz: all make-cases
	@tools/setup test
	@tests/cases/run --build $(BUILD) $(if $(CASES),--cases $(CASES),--minutes $(MINUTES)) \
		$(if $(SEED),--seed $(SEED)) $(if $(COUNT),--count $(COUNT)) $(if $(ON),--on $(ON))
