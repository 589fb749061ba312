#include "guest/library/boot.h"

#include <stddef.h>

#include "guest/library/memory.h"

#define MULTIBOOT1_MAGIC 0x2BADB002u
#define MULTIBOOT2_MAGIC 0x36D76289u

#define INFO1_COMMAND_LINE (1u << 2)
#define INFO1_MODULES      (1u << 3)
#define INFO1_MEMORY_MAP   (1u << 6)

struct info1 {
	uint32_t flags;
	uint32_t memory_lower, memory_upper;
	uint32_t boot_device;
	uint32_t command_line;
	uint32_t module_count, modules;
	uint32_t symbols[4];
	uint32_t map_size, map;
};
_Static_assert(sizeof(struct info1) == 52, "Multiboot 1 information, as far as it is read");
_Static_assert(offsetof(struct info1, map) == 48, "Multiboot 1 memory map address");

struct module1 {
	uint32_t start, end, command_line, reserved;
};
_Static_assert(sizeof(struct module1) == 16, "Multiboot 1 module entry");

struct map1 {
	uint32_t size; /* of what follows; the next entry stands size + 4 further on */
	uint64_t base, length;
	uint32_t type;
} __attribute__((packed));
_Static_assert(sizeof(struct map1) == 24, "Multiboot 1 memory map entry");

#define TAG_END          0
#define TAG_COMMAND_LINE 1
#define TAG_MODULE       3
#define TAG_MEMORY_MAP   6

struct tag {
	uint32_t type, size;
};
_Static_assert(sizeof(struct tag) == 8, "Multiboot 2 tag header");

struct tag_module {
	struct tag tag;
	uint32_t start, end;
	char command_line[];
};
_Static_assert(offsetof(struct tag_module, command_line) == 16, "Multiboot 2 module tag");

struct map2 {
	uint64_t base, length;
	uint32_t type, reserved;
};
_Static_assert(sizeof(struct map2) == 24, "Multiboot 2 memory map entry");

struct tag_map {
	struct tag tag;
	uint32_t entry_size, entry_version;
	char entries[];
};
_Static_assert(offsetof(struct tag_map, entries) == 16, "Multiboot 2 memory map tag");

static void *boot_at(uint32_t address)
{
	return (void *)(uintptr_t)address;
}

static void boot_add_range(struct boot_info *boot, uint64_t base, uint64_t size, uint32_t type)
{
	if (boot->range_count < BOOT_MAX_RANGES)
		boot->ranges[boot->range_count++] = (struct boot_range){base, size, type};
}

static void boot_add_module(struct boot_info *boot, uint32_t start, uint32_t end, const char *line)
{
	if (boot->module_count < BOOT_MAX_MODULES)
		boot->modules[boot->module_count++] = (struct boot_module){start, end, line};
}

static void boot_note_end(struct boot_info *boot, uint32_t end)
{
	if (end > boot->information_end)
		boot->information_end = end;
}

static void boot_note_string(struct boot_info *boot, const char *text)
{
	boot_note_end(boot, (uint32_t)(uintptr_t)text + strlen(text) + 1);
}

static void boot_parse1(struct boot_info *boot, uint32_t information)
{
	const struct info1 *info = boot_at(information);
	boot->protocol = BOOT_MULTIBOOT1;
	boot_note_end(boot, information + 128);
	if (info->flags & INFO1_COMMAND_LINE) {
		boot->command_line = boot_at(info->command_line);
		boot_note_string(boot, boot->command_line);
	}
	const struct module1 *module = boot_at(info->modules);
	for (uint32_t i = 0; (info->flags & INFO1_MODULES) && i < info->module_count; i++) {
		const char *line = module[i].command_line ? boot_at(module[i].command_line) : "";
		boot_add_module(boot, module[i].start, module[i].end, line);
		boot_note_string(boot, line);
		boot_note_end(boot, (uint32_t)(uintptr_t)&module[i + 1]);
	}
	uint32_t end = (info->flags & INFO1_MEMORY_MAP) ? info->map + info->map_size : 0;
	boot_note_end(boot, end);
	for (uint32_t at = info->map; at < end;) {
		const struct map1 *entry = boot_at(at);
		boot_add_range(boot, entry->base, entry->length, entry->type);
		at += entry->size + 4;
	}
}

static void boot_parse_tag(struct boot_info *boot, const struct tag *tag)
{
	if (tag->type == TAG_COMMAND_LINE) {
		boot->command_line = (const char *)(tag + 1);
	} else if (tag->type == TAG_MODULE) {
		const struct tag_module *m = (const void *)tag;
		boot_add_module(boot, m->start, m->end, m->command_line);
	} else if (tag->type == TAG_MEMORY_MAP) {
		const struct tag_map *map = (const void *)tag;
		const char *end = (const char *)tag + tag->size;
		for (const char *at = map->entries; at < end; at += map->entry_size) {
			const struct map2 *entry = (const void *)at;
			boot_add_range(boot, entry->base, entry->length, entry->type);
		}
	}
}

static void boot_parse2(struct boot_info *boot, uint32_t information)
{
	uint32_t size = *(uint32_t *)boot_at(information);
	boot->protocol = BOOT_MULTIBOOT2;
	boot_note_end(boot, information + size);
	for (uint32_t at = information + 8; at < information + size;) {
		const struct tag *tag = boot_at(at);
		if (tag->type == TAG_END)
			return;
		boot_parse_tag(boot, tag);
		at += (tag->size + 7) & ~7u;
	}
}

void boot_parse(struct boot_info *boot, uint32_t magic, uint32_t information)
{
	*boot = (struct boot_info){.command_line = ""};
	if (magic == MULTIBOOT1_MAGIC)
		boot_parse1(boot, information);
	else if (magic == MULTIBOOT2_MAGIC)
		boot_parse2(boot, information);
}

const char *boot_protocol_name(enum boot_protocol protocol)
{
	static const char *const names[] = {
	        [BOOT_UNKNOWN] = "an unknown protocol",
	        [BOOT_MULTIBOOT1] = "Multiboot 1",
	        [BOOT_MULTIBOOT2] = "Multiboot 2",
	};
	return names[protocol];
}

const char *boot_find_option(const struct boot_info *boot, const char *name)
{
	size_t length = strlen(name);
	for (const char *at = boot->command_line; *at; at++) {
		bool word_starts = at == boot->command_line || at[-1] == ' ';
		if (!word_starts || strncmp(at, name, length) != 0)
			continue;
		if (at[length] == '=')
			return at + length + 1;
		if (at[length] == ' ' || at[length] == '\0')
			return at + length;
	}
	return NULL;
}
