## make bench      measures the guests natively and under each engine; the report is build/bench/report.html

YARDSTICK := $(BUILD)/yardstick

.PHONY: bench yardstick
bench:
	@tools/setup run
	@$(MAKE) --no-print-directory all
	@if [ -e $(LINUX)/vmlinux-686 ]; then $(MAKE) --no-print-directory yardstick; fi
	@tools/bench --build $(BUILD)

# Debian's Linux with our program in its ramdisk. What `make linux` has fetched is no prerequisite: a measurement downloads nothing.
yardstick: $(YARDSTICK)/linux $(YARDSTICK)/initrd

$(YARDSTICK)/program: guest/linux/yardstick.c guest/linux/calls.h
	@mkdir -p $(@D)
	$(CC) $(GUEST_CFLAGS) -MF $@.d -Wl,--build-id=none -Wl,-z,noexecstack $< -o $@

$(YARDSTICK)/initrd: $(YARDSTICK)/program guest/linux/yardstick_init tools/make-initramfs
	tools/make-initramfs $@ /init=guest/linux/yardstick_init /yardstick=$< /bin/busybox=$(LINUX)/busybox

$(YARDSTICK)/start.bin: guest/linux/uncompressed.asm
	@mkdir -p $(@D)
	$(NASM) -f bin -w+all -w+error -o $@ $<

$(YARDSTICK)/linux: $(YARDSTICK)/start.bin tools/make-uncompressed
	tools/make-uncompressed $(LINUX)/vmlinuz-686 $(LINUX)/vmlinux-686 $< $@
