## make debug      boots under gdb, stopped; ARGS="--cpu pentium3" are for ./ringfence boot

.PHONY: debug
debug:
	@tools/setup debug
	@$(MAKE) --no-print-directory all
	@tools/gdb/start -- $(ARGS)
