/*
 * What the loader left: one small structure, the same for Multiboot 1 and 2.
 * Strings and modules stay where the loader put them.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define BOOT_MAX_RANGES   32
#define BOOT_MAX_MODULES  8
#define BOOT_RANGE_USABLE 1

enum boot_protocol { BOOT_UNKNOWN, BOOT_MULTIBOOT1, BOOT_MULTIBOOT2 };

struct boot_range {
	uint64_t base;
	uint64_t size;
	uint32_t type;
};

struct boot_module {
	uint32_t start;
	uint32_t end;
	const char *command_line;
};

struct boot_info {
	enum boot_protocol protocol;
	const char *command_line;
	uint32_t information_end;
	unsigned range_count;
	struct boot_range ranges[BOOT_MAX_RANGES];
	unsigned module_count;
	struct boot_module modules[BOOT_MAX_MODULES];
};

/* Reads what the loader's magic number and pointer say; the protocol is unknown if neither fits. */
void boot_parse(struct boot_info *boot, uint32_t magic, uint32_t information);

const char *boot_protocol_name(enum boot_protocol protocol);

/*
 * The value of `name=value` or of the bare word `name` (an empty string) on the command line;
 * NULL if it is not there. The value ends at a blank or at the end.
 */
const char *boot_find_option(const struct boot_info *boot, const char *name);
