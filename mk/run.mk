## make run        installs what is missing, builds, and shows the ISO in QEMU on this terminal

.PHONY: run
run:
	@tools/setup run
	@$(MAKE) --no-print-directory all
	@./ringfence boot --menu
