## make fuzz-decoder  libFuzzer on the decoder, under ASan and UBSan, for FUZZ_SECONDS (default 60)

CLANG        ?= clang
FUZZ_SECONDS ?= 60
FUZZ_FLAGS   := -std=gnu17 -g -O1 -I. -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all

$(BUILD)/fuzz_decoder: tests/fuzz/fuzz_decoder.c $(wildcard monitor/instructions/*)
	@mkdir -p $(@D)
	$(CLANG) $(FUZZ_FLAGS) $(filter %.c,$^) -o $@

.PHONY: fuzz-decoder
fuzz-decoder: $(BUILD)/fuzz_decoder
	@mkdir -p $(BUILD)/fuzz_decoder_corpus
	$< -max_total_time=$(FUZZ_SECONDS) -max_len=40 -print_final_stats=1 $(BUILD)/fuzz_decoder_corpus
