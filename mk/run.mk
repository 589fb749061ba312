## make run        installs what is missing, builds, and shows the ISO in QEMU on this terminal

.PHONY: run
run:
	@if [ -x tools/setup ]; then tools/setup; fi
	@$(MAKE) --no-print-directory all
	@./ringfence boot --menu
