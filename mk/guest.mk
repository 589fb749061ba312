## make guests     the project's own guests, build/guest/NAME.elf for each guest/NAME/main.c

# A guest is a tenant: it is built from guest/ alone and includes nothing of the hypervisor.
# Each folder with a main.c is one guest, from all sources in it and the library's archive.
# A folder with an own linker.ld is linked by it; it then brings its own entry as well.
GUEST_NAMES  := $(sort $(patsubst guest/%/main.c,%,$(shell find guest -name main.c)))
GUEST_ELFS   := $(GUEST_NAMES:%=$(BUILD)/guest/%.elf)
GUEST_OBJECT := $(BUILD)/guest/object

# i586 is the least that Ringfence itself asks for; the guests must not ask for more.
GUEST_CFLAGS := -std=gnu17 -m32 -march=i586 -O2 -g -I. $(WARNINGS) -ffreestanding -nostdlib -static \
                -fno-pic -fno-pie -fno-stack-protector -fno-asynchronous-unwind-tables \
                -fno-strict-aliasing -fcf-protection=none -mgeneral-regs-only -MMD -MP

guest_sources = $(sort $(shell find $(1) -name '*.c' -o -name '*.asm'))
guest_objects = $(patsubst %,$(GUEST_OBJECT)/%.o,$(call guest_sources,$(1)))

GUEST_LIBRARY_OBJECTS := $(call guest_objects,guest/library)
GUEST_OBJECTS         := $(GUEST_LIBRARY_OBJECTS) $(foreach g,$(GUEST_NAMES),$(call guest_objects,guest/$(g)))

$(GUEST_OBJECT)/%.c.o: %.c
	@mkdir -p $(@D)
	$(CC) $(GUEST_CFLAGS) -c $< -o $@

$(GUEST_OBJECT)/%.asm.o: %.asm
	@mkdir -p $(@D)
	$(NASM) -f elf32 -g -F dwarf -w+all -w-unknown-warning -w+error -i ./ -MD $(@:.o=.d) -MP -o $@ $<

$(GUEST_OBJECT)/library.a: $(GUEST_LIBRARY_OBJECTS)
	@rm -f $@
	ar rcs $@ $^

guest_linker = $(firstword $(wildcard guest/$(1)/linker.ld) guest/library/guest.ld)

define guest_rule
$(BUILD)/guest/$(1).elf: $(call guest_objects,guest/$(1)) $(GUEST_OBJECT)/library.a $(call guest_linker,$(1))
	@mkdir -p $$(@D)
	$(CC) $(GUEST_CFLAGS) -Wl,--build-id=none -Wl,--fatal-warnings -Wl,-z,noexecstack -T $(call guest_linker,$(1)) \
		$$(filter %.o %.a,$$^) -o $$@
endef
$(foreach g,$(GUEST_NAMES),$(eval $(call guest_rule,$(g))))

.PHONY: guests
guests: $(GUEST_ELFS)
all: guests

-include $(GUEST_OBJECTS:.o=.d)
