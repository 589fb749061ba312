# build/ringfence.iso: the hypervisor and the project's own guests behind GRUB's menu.

ISO        := $(BUILD)/ringfence.iso
ISO_KERNEL := $(BUILD)/ringfence.elf
ISO_LINUX  := $(wildcard $(BUILD)/linux/vmlinux-686 $(BUILD)/linux/initrd)

all: $(ISO)

# GUEST_ELFS comes from mk/guest.mk, which is read before this file.
$(ISO): $(ISO_KERNEL) iso/grub.cfg tools/make-iso tools/launcher/iso.py $(GUEST_ELFS) $(ISO_LINUX)
	tools/make-iso --config iso/grub.cfg --output $@ /boot/ringfence.elf=$(ISO_KERNEL) \
		$(foreach guest,$(GUEST_ELFS),/guest/$(notdir $(guest))=$(guest)) \
		$(foreach file,$(ISO_LINUX),/guest/linux/$(notdir $(file))=$(file))
