## make bench-peers  measures QEMU and KVM inside Linux with the same guest: PEERS="tcg kvm-shadow kvm-nested"; fetches a kernel

PEERS_FOLDER := $(BUILD)/peers

.PHONY: bench-peers
bench-peers: linux
	@$(MAKE) --no-print-directory all yardstick
	@$(MAKE) --no-print-directory PEERS_RULES=yes $(PEERS_FOLDER)/linux $(PEERS_FOLDER)/initrd
	@tools/bench-peers --build $(BUILD) $(PEERS)

# Only for who asks for it: no other target downloads this kernel.
ifdef PEERS_RULES
$(PEERS_FOLDER)/vmlinuz-amd64 $(PEERS_FOLDER)/modules-amd64 &: tools/fetch-linux
	@tools/fetch-linux --peers $(PEERS_FOLDER)
	@touch $(PEERS_FOLDER)/vmlinuz-amd64 $(PEERS_FOLDER)/modules-amd64

$(PEERS_FOLDER)/linux: $(PEERS_FOLDER)/vmlinuz-amd64 tools/extract-vmlinux
	tools/extract-vmlinux $< $@

$(PEERS_FOLDER)/peers_watch: guest/linux/peers_watch.c guest/linux/calls.h guest/linux/tell.h
	@mkdir -p $(@D)
	$(COMPILE_FOR_LINUX)

# Anew each time: the system's own may be another by now, which no file here knows.
.PHONY: take-qemu
take-qemu:
	@tools/take-qemu $(PEERS_FOLDER)/qemu

$(PEERS_FOLDER)/initrd: guest/linux/peers_init $(PEERS_FOLDER)/peers_watch $(PEERS_FOLDER)/modules-amd64 take-qemu yardstick tools/make-initramfs
	tools/make-initramfs $@ /init=$< /bin/peers_watch=$(PEERS_FOLDER)/peers_watch /bin/busybox=$(LINUX)/busybox \
		/modules=$(PEERS_FOLDER)/modules-amd64 /qemu=$(PEERS_FOLDER)/qemu \
		/yardstick/linux=$(YARDSTICK)/linux /yardstick/initrd=$(YARDSTICK)/initrd
endif
