## make translation  writes the example in docs/translation.md from a run of the guest prime

.PHONY: translation
translation: $(BUILD)/ringfence.elf $(BUILD)/guest/prime.elf
	tools/translation
