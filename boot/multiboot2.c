#include "boot/multiboot2.h"

#include "kernel/print.h"

enum { TAG_END = 0, TAG_COMMAND_LINE = 1, TAG_LOADER_NAME = 2, TAG_MODULE = 3, TAG_MEMORY_MAP = 6 };

struct header {
	uint32_t total_size, reserved;
};

struct tag {
	uint32_t type, size;
};

struct module_tag {
	struct tag tag;
	uint32_t start, end;
	char line[];
};

struct map_tag {
	struct tag tag;
	uint32_t entry_size, entry_version;
};

struct map_entry {
	uint64_t start, length;
	uint32_t type, reserved;
};
_Static_assert(sizeof(struct header) == 8 && sizeof(struct tag) == 8, "Multiboot 2, section 3.4");
_Static_assert(offsetof(struct module_tag, line) == 16, "Multiboot 2, section 3.6.6");
_Static_assert(sizeof(struct map_tag) == 16, "Multiboot 2, section 3.6.8");
_Static_assert(sizeof(struct map_entry) == 24, "Multiboot 2, section 3.6.8");

#define TOTAL_SIZE_MAX (1u << 20)

static bool ends_within(const char *text, uint32_t length)
{
	for (uint32_t i = 0; i < length; i++)
		if (!text[i])
			return true;
	return false;
}

static bool refuse_tag(const struct tag *tag, const char *what, char *problem, size_t size)
{
	print_to_buffer(problem, size, "the Multiboot 2 %s (tag type %u, %u bytes) is truncated",
	                what, tag->type, tag->size);
	return false;
}

static bool read_map(struct boot_info *info, const struct tag *tag, char *problem, size_t size)
{
	const struct map_tag *map = (const struct map_tag *)tag;

	if (tag->size < sizeof(*map) || map->entry_size < sizeof(struct map_entry) ||
	    map->entry_size % 8)
		return refuse_tag(tag, "memory map", problem, size);
	for (uint32_t at = sizeof(*map); at < tag->size; at += map->entry_size) {
		const struct map_entry *entry =
		        (const struct map_entry *)(const void *)((const char *)map + at);
		if (map->entry_size > tag->size - at)
			return refuse_tag(tag, "memory map", problem, size);
		struct boot_range range = {entry->start, entry->start + entry->length, entry->type};
		if (!boot_info_add_range(info, &range, problem, size))
			return false;
	}
	return true;
}

static bool read_module(struct boot_info *info, const struct tag *tag, char *problem, size_t size)
{
	const struct module_tag *module = (const struct module_tag *)tag;

	if (tag->size <= sizeof(*module) ||
	    !ends_within(module->line, tag->size - (uint32_t)sizeof(*module)))
		return refuse_tag(tag, "module", problem, size);
	return boot_info_add_module(info, module->start, module->end, module->line, problem, size);
}

static bool read_text(const struct tag *tag, const char *what, const char **text, char *problem,
                      size_t size)
{
	*text = (const char *)(tag + 1);
	if (tag->size > sizeof(*tag) && ends_within(*text, tag->size - (uint32_t)sizeof(*tag)))
		return true;
	return refuse_tag(tag, what, problem, size);
}

static bool read_tag(struct boot_info *info, const struct tag *tag, char *problem, size_t size)
{
	const char *text;

	switch (tag->type) {
	case TAG_COMMAND_LINE:
		return read_text(tag, "command line", &text, problem, size) &&
		       boot_info_set_command_line(info, text, problem, size);
	case TAG_LOADER_NAME:
		if (!read_text(tag, "name of the boot loader", &text, problem, size))
			return false;
		print_to_buffer(info->loader, sizeof(info->loader), "%s", text);
		return true;
	case TAG_MODULE:
		return read_module(info, tag, problem, size);
	case TAG_MEMORY_MAP:
		return read_map(info, tag, problem, size);
	default:
		return true;
	}
}

static bool refuse_truncated(uint32_t address, uint32_t total, uint32_t at, char *problem,
                             size_t size)
{
	print_to_buffer(problem, size,
	                "the Multiboot 2 information at 0x%x is truncated: it says that it has %u "
	                "bytes, but its tag at offset %u is not whole",
	                address, total, at);
	return false;
}

static const char *view_all(uint32_t address, const struct boot_memory *memory, uint32_t *total,
                            char *problem, size_t size)
{
	const struct header *header =
	        address % 8 ? NULL : memory->view(memory, address, sizeof(*header));
	const char *all = NULL;

	*total = header ? header->total_size : 0;
	if (*total >= sizeof(*header) && *total <= TOTAL_SIZE_MAX)
		all = memory->view(memory, address, *total);
	if (!all)
		print_to_buffer(problem, size,
		                "the Multiboot 2 information at 0x%x is truncated: expected a size "
		                "from 8 to %u and that much memory there, found %u",
		                address, TOTAL_SIZE_MAX, *total);
	return all;
}

bool multiboot2_read(struct boot_info *info, uint32_t address, const struct boot_memory *memory,
                     char *problem, size_t size)
{
	uint32_t total, at = sizeof(struct header);
	const char *all = view_all(address, memory, &total, problem, size);

	info->protocol = "Multiboot 2";
	if (!all)
		return false;
	for (;;) {
		const struct tag *tag = (const struct tag *)(const void *)(all + at);
		if (total - at < sizeof(*tag) || tag->size < sizeof(*tag) || tag->size > total - at)
			return refuse_truncated(address, total, at, problem, size);
		if (tag->type == TAG_END)
			break;
		if (!read_tag(info, tag, problem, size))
			return false;
		uint32_t step = (tag->size + 7) & ~7u;
		if (step > total - at)
			return refuse_truncated(address, total, at, problem, size);
		at += step;
	}
	if (info->range_count)
		return true;
	print_to_buffer(problem, size,
	                "the boot loader gave no memory map, and Ringfence does not guess where "
	                "memory is");
	return false;
}
