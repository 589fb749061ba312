/* What the boot loader told us, the same whichever loader it was.
 *
 * Multiboot 1 and 2, from GRUB and from QEMU, all become one struct boot_info, copied out of the
 * loader's memory so that this may be handed out afterwards. It must not know the protocols:
 * multiboot.c does. */
#ifndef BOOT_BOOT_INFO_H
#define BOOT_BOOT_INFO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BOOT_RANGES_MAX       128
#define BOOT_MODULES_MAX      16
#define BOOT_TEXT_MAX         2048
#define BOOT_PROBLEM_MAX      512
#define BOOT_MEMORY_NEEDED_MB 32

struct boot_range {
	uint64_t start, end;
	uint32_t type; /* as the BIOS says it: 1 is usable memory */
};

#define BOOT_RANGE_USABLE 1

struct boot_module {
	uint64_t start, end;
	char name[64];            /* the last part of the path that the loader was given */
	char text[BOOT_TEXT_MAX]; /* what followed it: the module's own command line */
};

struct boot_info {
	const char *protocol;
	char loader[64];
	char command_line[BOOT_TEXT_MAX];
	uint32_t range_count, module_count;
	struct boot_range ranges[BOOT_RANGES_MAX];
	struct boot_module modules[BOOT_MODULES_MAX];
};

/* That of this boot; start() fills it in before anything reads it. */
extern struct boot_info boot_info;

/* How the readers see memory: a pointer to `length` bytes at a machine address, NULL when they
 * are not all there. */
struct boot_memory {
	const void *(*view)(const struct boot_memory *memory, uint64_t at, uint64_t length);
};

/* Usable memory in whole megabytes. */
uint32_t boot_info_memory_mb(const struct boot_info *info);

/* For the readers of the two protocols; each false with a sentence. */
bool boot_info_add_range(struct boot_info *info, const struct boot_range *range, char *problem,
                         size_t size);
bool boot_info_add_module(struct boot_info *info, uint64_t start, uint64_t end, const char *line,
                          char *problem, size_t size);
bool boot_info_set_command_line(struct boot_info *info, const char *line, char *problem,
                                size_t size);

/* What follows the first word. */
const char *boot_info_skip_word(const char *text);

#endif
