## make fuzz-parsers  libFuzzer on all that reads what a guest or a loader wrote: MINUTES=n of each, SEED=s, TARGETS="decoder ..."

# The pure code once more, by clang with its fuzzer. Each tests/fuzz/fuzz_NAME.c is the harness of
# one target; what inputs there are, and what is kept, tests/fuzz/run knows.
CLANG        ?= clang
FUZZ_FLAGS   := -std=gnu17 -g -O1 -I. -Wno-format -fno-omit-frame-pointer -fno-sanitize-recover=all -MMD -MP
FUZZ_CODE    := -fsanitize=fuzzer-no-link,address,undefined
FUZZ_OBJS    := $(PURE_SOURCES:%.c=$(BUILD)/fuzz/%.o)
FUZZ_SOURCES := $(wildcard tests/fuzz/fuzz_*.c)
FUZZ_TARGETS := $(FUZZ_SOURCES:tests/fuzz/fuzz_%.c=%)
FUZZ_BINS    := $(FUZZ_TARGETS:%=$(BUILD)/fuzz/fuzz_%)

MINUTES ?= 1
TARGETS ?= $(FUZZ_TARGETS)

$(BUILD)/fuzz/%.o: %.c
	@mkdir -p $(@D)
	$(CLANG) $(FUZZ_FLAGS) $(FUZZ_CODE) -c $< -o $@

$(BUILD)/fuzz/libpure.a: $(FUZZ_OBJS)
	@rm -f $@
	ar rcs $@ $^

$(FUZZ_BINS): $(BUILD)/fuzz/fuzz_%: $(BUILD)/fuzz/tests/fuzz/fuzz_%.o $(BUILD)/fuzz/libpure.a
	$(CLANG) -fsanitize=fuzzer,address,undefined $^ -o $@

.PHONY: fuzz-parsers fuzz-setup
fuzz-setup:
	@tools/setup fuzz

$(FUZZ_OBJS) $(FUZZ_SOURCES:%.c=$(BUILD)/fuzz/%.o): | fuzz-setup

fuzz-parsers: $(FUZZ_BINS)
	@tests/fuzz/run --build $(BUILD) --minutes $(MINUTES) $(if $(SEED),--seed $(SEED)) $(TARGETS)

-include $(FUZZ_OBJS:.o=.d) $(FUZZ_SOURCES:%.c=$(BUILD)/fuzz/%.d)
