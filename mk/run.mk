## make run        installs what is missing, builds, and shows the ISO in QEMU on this terminal

.PHONY: run
run:
	@tools/setup run
	@$(MAKE) --no-print-directory all
	@if [ -t 0 ]; then ./ringfence boot --menu; \
	else ./ringfence run build/guest/mini_kernel.elf --append demo --iso --memory 64M; fi
