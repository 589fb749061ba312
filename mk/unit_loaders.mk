# The loaders are pure, too: they join the archive of pure code (read after unit.mk, which makes it).

LOADER_SOURCES := $(wildcard monitor/loaders/*.c)
LOADER_OBJS    := $(LOADER_SOURCES:%.c=$(BUILD)/unit/%.o)

$(BUILD)/unit/libpure.a: $(LOADER_OBJS)

-include $(LOADER_OBJS:.o=.d)
