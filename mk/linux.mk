## make linux      fetches Debian's own Linux kernels and two more guests, and makes an initial ramdisk
## make run-linux  boots them to a shell on this terminal; FLAVOUR=686-pae, ARGS="--native" and the like
## make test-linux runs them in every way and compares; two hours
## make test-linux-lockstep boots them with each block of their kernels run by the interpreter, too, and compared; an hour for each
## make stress-linux  Linux under stress for MINUTES=2, FLAVOUR=686; natively for one minute, then as a guest

LINUX          := $(BUILD)/linux
LINUX_FLAVOURS := 686 686-pae
LINUX_FETCHED  := $(LINUX)/busybox $(LINUX)/memtest $(LINUX)/invaders \
                  $(LINUX_FLAVOURS:%=$(LINUX)/vmlinuz-%) $(LINUX_FLAVOURS:%=$(LINUX)/modules-%)
LINUX_FILES    := $(LINUX_FETCHED) $(LINUX)/initrd $(LINUX_FLAVOURS:%=$(LINUX)/initrd-%) $(LINUX_FLAVOURS:%=$(LINUX)/vmlinux-%)
FLAVOUR        := 686

# To unpack a bzImage takes an interpreted guest longer than all the rest.
RUN_LINUX      = $(LINUX)/$(if $(findstring --native,$(ARGS)),vmlinuz,vmlinux)

.PHONY: linux run-linux test-linux test-linux-lockstep stress-linux
linux:
	@tools/setup linux
	@$(MAKE) --no-print-directory LINUX_RULES=yes $(LINUX_FILES)

# The ISO has some of these files when they are there; that is no reason for a plain `make` to fetch them again.
ifdef LINUX_RULES
# What is in the packages is older than the rules here.
$(LINUX_FETCHED) &: tools/fetch-linux
	@tools/fetch-linux $(LINUX)
	@touch $(LINUX_FETCHED)

LINUX_PROGRAMS := /init=guest/linux/init /bin/busybox=$(LINUX)/busybox
LINUX_MADE_OF  := $(LINUX)/busybox guest/linux/init tools/make-initramfs

$(LINUX)/churn: guest/linux/churn.c guest/linux/calls.h
	@mkdir -p $(@D)
	$(CC) $(GUEST_CFLAGS) -MF $@.d -Wl,--build-id=none -Wl,-z,noexecstack $< -o $@

# The small one has what a shell needs, the others the stress and the modules of one kernel, too.
$(LINUX)/initrd: $(LINUX_MADE_OF)
	tools/make-initramfs $@ $(LINUX_PROGRAMS)

$(LINUX)/initrd-%: $(LINUX_MADE_OF) guest/linux/stress $(LINUX)/churn $(LINUX)/modules-%
	tools/make-initramfs $@ $(LINUX_PROGRAMS) /bin/stress=guest/linux/stress /bin/churn=$(LINUX)/churn /lib/modules=$(LINUX)/modules-$*

$(LINUX)/vmlinux-%: $(LINUX)/vmlinuz-% tools/extract-vmlinux
	tools/extract-vmlinux $< $@
endif

run-linux: linux
	@$(MAKE) --no-print-directory all
	@./ringfence run $(RUN_LINUX)-$(FLAVOUR) --initrd $(LINUX)/initrd-$(FLAVOUR) --append "console=ttyS0" $(ARGS)

test-linux:
	@tools/setup test linux
	@$(MAKE) --no-print-directory all interpret-here
	@$(TEST_PYTHON) -m pytest tests/guests/debian_programs.py tests/guests/linux_shell.py tests/guests/linux_boot.py -v -rs $(ARGS)

test-linux-lockstep:
	@tools/setup test linux
	@$(MAKE) --no-print-directory all linux
	@$(TEST_PYTHON) -m pytest tests/guests/linux_lockstep.py -v -rs $(ARGS)

stress-linux:
	@tools/setup test linux
	@$(MAKE) --no-print-directory all linux
	@MINUTES=$(or $(MINUTES),2) FLAVOUR=$(FLAVOUR) $(TEST_PYTHON) -m pytest tests/guests/linux_stress.py -v -rs -s $(ARGS)
