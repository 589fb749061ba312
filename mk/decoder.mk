## make compare-decoder  the decoder against Zydis: every opcode and ten million random strings
## make measure-decoder  instructions that the decoder needs for one instruction of real 32-bit code

DECODER_SOURCES  := monitor/instructions/decode.c monitor/instructions/opcodes.c
DECODER_PARTS    := $(wildcard monitor/instructions/*.def monitor/instructions/*.h)
DECODER_FLAGS    := -std=gnu17 -O2 -g -I. $(WARNINGS)
COMPARE_SOURCES  := $(wildcard tests/monitor/instructions/compare_zydis*.c)
COMPARE_PARTS    := $(wildcard tests/monitor/instructions/compare_zydis*)
COMPARE_STRINGS  ?= 10000000

$(BUILD)/compare_zydis: $(COMPARE_SOURCES) $(COMPARE_PARTS) $(DECODER_SOURCES) $(DECODER_PARTS)
	@mkdir -p $(@D)
	@echo '#include <Zydis/Zydis.h>' | $(CC) -E -o /dev/null - 2>/dev/null || \
	  { echo "compare-decoder needs Zydis 4: install the package libzydis-dev" >&2; exit 1; }
	$(CC) $(DECODER_FLAGS) $(COMPARE_SOURCES) $(DECODER_SOURCES) -lZydis -o $@

$(BUILD)/measure_decoder: tests/monitor/instructions/measure_decoder.c $(DECODER_SOURCES) $(DECODER_PARTS)
	@mkdir -p $(@D)
	$(CC) $(DECODER_FLAGS) $< $(DECODER_SOURCES) -o $@

# Real code: what GRUB runs on this very kind of machine.
$(BUILD)/measure_decoder.bin: /usr/lib/grub/i386-pc/normal.mod
	@mkdir -p $(@D)
	objcopy -O binary -j .text $< $@

.PHONY: compare-decoder measure-decoder
compare-decoder: $(BUILD)/compare_zydis
	$< $(COMPARE_STRINGS)

measure-decoder: $(BUILD)/measure_decoder $(BUILD)/measure_decoder.bin
	tests/monitor/instructions/measure-decoder $^ instruction_scan instruction_decode

## make ask-silicon      verdicts and lengths against this computer's own processor, in 32-bit mode
SILICON_FLAGS := -m32 -ffreestanding -fno-pic -fno-stack-protector -mno-sse -std=gnu17 -O2 -I. $(WARNINGS)

$(BUILD)/ask_silicon: tests/monitor/instructions/ask_silicon.c \
                      tests/monitor/instructions/ask_silicon_entry.asm $(DECODER_SOURCES) $(DECODER_PARTS)
	@mkdir -p $(@D)
	$(NASM) -f elf32 $(filter %.asm,$^) -o $@_entry.o
	$(CC) $(SILICON_FLAGS) -static -nostdlib -no-pie $(filter %.c,$^) $@_entry.o -o $@

.PHONY: ask-silicon
ask-silicon: $(BUILD)/ask_silicon
	$<
