## make seventeen  writes docs/seventeen.md from what the guest says natively and under each engine

.PHONY: seventeen
seventeen: $(BUILD)/ringfence.elf $(BUILD)/guest/privileged/seventeen.elf
	tools/seventeen
