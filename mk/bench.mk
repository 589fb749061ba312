## make bench      measures the guests natively and under each engine; the report is build/bench/report.html
## make bench-compare BASE=rev  the same, and that revision beside it: what got worse is marked
## make bench-publish puts the last report's figures and plots into docs/
## make bench-check   a few rows in a minute: fails when one is worse than recorded; make bench-record renews the record

YARDSTICK := $(BUILD)/yardstick

.PHONY: bench bench-compare bench-check bench-record bench-publish yardstick
bench:
	@tools/setup run
	@$(MAKE) --no-print-directory all
	@if [ -e $(LINUX)/vmlinux-686 ]; then $(MAKE) --no-print-directory yardstick; fi
	@tools/bench --build $(BUILD)

bench-compare:
	@[ -n "$(BASE)" ] || { echo "bench-compare: say which revision, as in make bench-compare BASE=HEAD~1" >&2; exit 2; }
	@tools/setup run
	@$(MAKE) --no-print-directory all
	@if [ -e $(LINUX)/vmlinux-686 ]; then $(MAKE) --no-print-directory yardstick; fi
	@tools/bench --build $(BUILD) --compare "$(BASE)" $(ROWS)

bench-publish:
	@tools/bench --build $(BUILD) --publish

bench-check bench-record: bench-%:
	@tools/setup run
	@$(MAKE) --no-print-directory all
	@tools/bench --build $(BUILD) --$*

# Debian's Linux with our program in its ramdisk. What `make linux` has fetched is no prerequisite: a measurement downloads nothing.
yardstick: $(YARDSTICK)/linux $(YARDSTICK)/initrd

# Without debug information, which has the name of this folder: one byte more in a ramdisk, and some figures are others.
COMPILE_FOR_LINUX = $(CC) $(GUEST_CFLAGS) -MF $@.d -Wl,--build-id=none -Wl,-z,noexecstack -Wl,--strip-all $< -o $@

$(YARDSTICK)/program: guest/linux/yardstick.c guest/linux/calls.h guest/linux/tell.h
	@mkdir -p $(@D)
	$(COMPILE_FOR_LINUX)

$(YARDSTICK)/initrd: $(YARDSTICK)/program guest/linux/yardstick_init tools/make-initramfs
	tools/make-initramfs $@ /init=guest/linux/yardstick_init /yardstick=$< /bin/busybox=$(LINUX)/busybox

$(YARDSTICK)/start.bin: guest/linux/uncompressed.asm
	@mkdir -p $(@D)
	$(NASM) -f bin -w+all -w+error -o $@ $<

$(YARDSTICK)/linux: $(YARDSTICK)/start.bin tools/make-uncompressed
	tools/make-uncompressed $(LINUX)/vmlinuz-686 $(LINUX)/vmlinux-686 $< $@
