## make interpret-here  a program that runs guests on this computer, without a machine underneath

HERE_SOURCES  = tests/monitor/run/interpret_here.c $(filter monitor/%,$(PURE_SOURCES)) \
                kernel/print.c kernel/string.c kernel/divide.c kernel/statistics.c
HERE_FLAGS    = $(filter-out -mgeneral-regs-only,$(HYPERVISOR_CFLAGS)) -mno-sse
HERE_OBJECTS  = $(HERE_SOURCES:%.c=$(BUILD)/here/%.o) $(BUILD)/here/tests/monitor/run/interpret_here_entry.o

$(BUILD)/here/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(HERE_FLAGS) -c $< -o $@

$(BUILD)/here/%.o: %.asm
	@mkdir -p $(@D)
	$(NASM) -f elf32 $< -o $@

$(BUILD)/interpret_here: $(HERE_OBJECTS)
	$(CC) -m32 -static -nostdlib -no-pie $^ -o $@

.PHONY: interpret-here
interpret-here: $(BUILD)/interpret_here

-include $(HERE_OBJECTS:.o=.d)
