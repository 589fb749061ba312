## make linux      fetches Debian's own Linux kernels and two more guests, and makes an initial ramdisk
## make run-linux  boots them to a shell on this terminal; FLAVOUR=686-pae, ARGS="--native" and the like
## make test-linux runs them in every way and compares

LINUX         := $(BUILD)/linux
LINUX_FETCHED := $(LINUX)/busybox $(LINUX)/vmlinuz-686 $(LINUX)/vmlinuz-686-pae $(LINUX)/memtest $(LINUX)/invaders
LINUX_FILES   := $(LINUX)/initrd $(LINUX)/vmlinuz-686 $(LINUX)/vmlinux-686 $(LINUX)/vmlinuz-686-pae $(LINUX)/vmlinux-686-pae \
                 $(LINUX)/memtest $(LINUX)/invaders
FLAVOUR       := 686

# To unpack a bzImage takes an interpreted guest longer than all the rest.
RUN_LINUX      = $(LINUX)/$(if $(findstring --native,$(ARGS)),vmlinuz,vmlinux)

.PHONY: linux run-linux test-linux
linux:
	@tools/setup linux
	@$(MAKE) --no-print-directory $(LINUX_FILES)

# What is in the packages is older than the rules here.
$(LINUX_FETCHED) &: tools/fetch-linux
	@tools/fetch-linux $(LINUX)
	@touch $(LINUX_FETCHED)

$(LINUX)/initrd: $(LINUX)/busybox guest/linux/init tools/make-initramfs
	tools/make-initramfs $@ /init=guest/linux/init /bin/busybox=$<

$(LINUX)/vmlinux-%: $(LINUX)/vmlinuz-% tools/extract-vmlinux
	tools/extract-vmlinux $< $@

run-linux: linux
	@$(MAKE) --no-print-directory all
	@./ringfence run $(RUN_LINUX)-$(FLAVOUR) --initrd $(LINUX)/initrd --append "console=ttyS0" $(ARGS)

test-linux:
	@tools/setup test linux
	@$(MAKE) --no-print-directory all interpret-here
	@$(TEST_PYTHON) -m pytest tests/guests/linux_boot.py tests/guests/debian_programs.py -v -rs $(ARGS)
