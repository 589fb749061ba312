## make bench      measures the guests natively and under each engine; the report is build/bench/report.html

.PHONY: bench
bench:
	@tools/setup run
	@$(MAKE) --no-print-directory all
	@tools/bench --build $(BUILD)
