## make unit       the unit tests of pure code, on this machine, under ASan and UBSan

# Pure code includes nothing of the machine, so it is also built for the developer's
# computer. Files listed here are put into one archive; each tests/**/test_*.c is linked with it.
PURE_SOURCES := $(wildcard monitor/state/*.c monitor/memory/*.c monitor/devices/*.c monitor/cpu/*.c monitor/instructions/*.c monitor/loaders/*.c monitor/translator/*.c) \
                monitor/run/console_keys.c monitor/run/lockstep.c monitor/run/plain_store.c monitor/run/twins.c \
                kernel/print.c kernel/text.c kernel/options.c kernel/frames.c kernel/statistics.c kernel/divide.c kernel/steady_time.c \
                boot/boot_info.c boot/multiboot.c boot/multiboot1.c boot/multiboot2.c

# -Wno-format: uint64_t is a long here and a long long in the hypervisor, whose build checks formats.
UNIT_FLAGS  := -std=gnu17 -g -O1 -I. $(WARNINGS) -Wno-format -fsanitize=address,undefined -fno-sanitize-recover=all \
               -fno-omit-frame-pointer -MMD -MP
UNIT_OBJS   := $(PURE_SOURCES:%.c=$(BUILD)/unit/%.o)
UNIT_TESTS  := $(patsubst %.c,$(BUILD)/unit/%,$(shell find tests -name 'test_*.c'))
UNIT_LIBS   =

$(BUILD)/unit/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(UNIT_FLAGS) -c $< -o $@

$(BUILD)/unit/libpure.a: $(UNIT_OBJS)
	@rm -f $@
	ar rcs $@ $^

$(UNIT_TESTS): $(BUILD)/unit/%: $(BUILD)/unit/%.o $(BUILD)/unit/libpure.a
	$(CC) $(UNIT_FLAGS) $< $(BUILD)/unit/libpure.a $(UNIT_LIBS) -o $@

.PHONY: unit
unit: $(UNIT_TESTS)
	@tests/run-unit $(UNIT_TESTS)

-include $(UNIT_OBJS:.o=.d) $(UNIT_TESTS:=.d)
