## make hypervisor  build/ringfence.elf, the hypervisor itself

VERSION := 0.1

HYPERVISOR_SOURCES := $(shell find $(wildcard boot kernel monitor) -name '*.c' -o -name '*.asm' | sort)
HYPERVISOR_DIR     := $(BUILD)/hypervisor
HYPERVISOR_OBJECTS := $(patsubst %,$(HYPERVISOR_DIR)/%.o,$(basename $(HYPERVISOR_SOURCES)))
HYPERVISOR_ELF     := $(BUILD)/ringfence.elf

# Only integer registers: the FPU and the vector registers belong to the guests. The first three
# arguments are in EAX, EDX and ECX: a trap passes a dozen calls, and each saves some instructions.
HYPERVISOR_CFLAGS := -std=gnu17 -m32 -march=i586 -mtune=generic -mgeneral-regs-only -ffreestanding -nostdlib \
                    -fno-pic -fno-pie -fno-stack-protector -fno-asynchronous-unwind-tables \
                    -fno-omit-frame-pointer -fno-shrink-wrap -fno-optimize-sibling-calls -fcf-protection=none \
                    -fno-tree-loop-distribute-patterns -mpreferred-stack-boundary=2 \
                    -mregparm=3 -fno-common -O2 -g -I. $(WARNINGS) -DRINGFENCE_VERSION='"$(VERSION)"' -MMD -MP
HYPERVISOR_LINK  := ld -m elf_i386 -nostdlib -z max-page-size=4096 -z noexecstack \
                    --no-warn-rwx-segments --build-id=none -T linker.ld

# A changed flag rebuilds everything, hence this file among the prerequisites.
$(HYPERVISOR_DIR)/%.o: %.c mk/hypervisor.mk
	@mkdir -p $(@D)
	$(CC) $(HYPERVISOR_CFLAGS) -c $< -o $@

$(HYPERVISOR_DIR)/%.o: %.asm mk/hypervisor.mk
	@mkdir -p $(@D)
	$(NASM) -Werror -f elf32 -g -F dwarf -MD $(@:.o=.d) -MP $< -o $@

# Two links: the first with an empty symbol table tells the addresses that go into the second.
$(HYPERVISOR_DIR)/symbols-none.asm: tools/make-symbols
	@mkdir -p $(@D)
	tools/make-symbols < /dev/null > $@

$(HYPERVISOR_DIR)/first.elf: $(HYPERVISOR_OBJECTS) $(HYPERVISOR_DIR)/symbols-none.o linker.ld
	$(HYPERVISOR_LINK) $(HYPERVISOR_OBJECTS) $(HYPERVISOR_DIR)/symbols-none.o -o $@

$(HYPERVISOR_DIR)/symbols-all.asm: $(HYPERVISOR_DIR)/first.elf tools/make-symbols
	nm -n $< | tools/make-symbols > $@

$(HYPERVISOR_DIR)/symbols-%.o: $(HYPERVISOR_DIR)/symbols-%.asm
	$(NASM) -f elf32 $< -o $@

# The table is only true when the second link has moved no function.
$(HYPERVISOR_ELF): $(HYPERVISOR_DIR)/symbols-all.o
	$(HYPERVISOR_LINK) $(HYPERVISOR_OBJECTS) $(HYPERVISOR_DIR)/symbols-all.o -o $@
	@nm -n $@ | tools/make-symbols | cmp -s - $(HYPERVISOR_DIR)/symbols-all.asm || \
		{ echo "$@: the second link moved functions, so the symbol table is wrong" >&2; rm $@; exit 1; }

.PHONY: hypervisor
hypervisor: $(HYPERVISOR_ELF)
all: hypervisor

-include $(HYPERVISOR_OBJECTS:.o=.d)
