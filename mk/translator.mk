## make measure-translator  instructions of ours that the translator needs for one of real 32-bit code

TRANSLATOR_SOURCES := $(wildcard monitor/translator/*.c monitor/state/*.c monitor/memory/*.c monitor/devices/*.c monitor/cpu/*.c \
                        monitor/instructions/*.c) monitor/loaders/elf_symbols.c kernel/print.c kernel/text.c kernel/statistics.c kernel/divide.c

$(BUILD)/measure_translator: tests/monitor/translator/measure_translator.c $(TRANSLATOR_SOURCES) $(DECODER_PARTS) \
                             $(wildcard monitor/translator/*.h monitor/translator/*.def tests/monitor/translator/*.h)
	@mkdir -p $(@D)
	$(CC) -std=gnu17 -O2 -g -I. $(WARNINGS) -Wno-format $< $(TRANSLATOR_SOURCES) -o $@

.PHONY: measure-translator
measure-translator: $(BUILD)/measure_translator $(BUILD)/measure_decoder.bin
	tests/monitor/instructions/measure-decoder $^ translator_find_or_make

## make translate-guest     a program that runs whole guests translated on this computer
TRANSLATE_GUEST_SOURCES := $(sort $(TRANSLATOR_SOURCES) $(wildcard monitor/loaders/*.c))

$(BUILD)/translate_guest: tests/monitor/translator/translate_guest.c $(TRANSLATE_GUEST_SOURCES) $(DECODER_PARTS) \
                          $(wildcard monitor/translator/*.h monitor/translator/*.def)
	@mkdir -p $(@D)
	$(CC) -std=gnu17 -O2 -g -I. $(WARNINGS) -Wno-format $< $(TRANSLATE_GUEST_SOURCES) -o $@

.PHONY: translate-guest
translate-guest: $(BUILD)/translate_guest
