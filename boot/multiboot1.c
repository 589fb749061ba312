#include "boot/multiboot1.h"

#include "kernel/print.h"

#define HAS_COMMAND_LINE (1u << 2)
#define HAS_MODULES      (1u << 3)
#define HAS_MEMORY_MAP   (1u << 6)
#define HAS_LOADER_NAME  (1u << 9)

struct information {
	uint32_t flags;
	uint32_t memory_lower, memory_upper;
	uint32_t boot_device;
	uint32_t command_line;
	uint32_t module_count, modules;
	uint32_t symbols[4];
	uint32_t map_length, map;
	uint32_t drives_length, drives;
	uint32_t config_table;
	uint32_t loader_name;
} __attribute__((packed)); /* nobody promises that it is aligned */
_Static_assert(offsetof(struct information, module_count) == 20, "Multiboot 1, section 3.3");
_Static_assert(offsetof(struct information, map_length) == 44, "Multiboot 1, section 3.3");
_Static_assert(offsetof(struct information, loader_name) == 64, "Multiboot 1, section 3.3");

struct module {
	uint32_t start, end, line, reserved;
} __attribute__((packed));
_Static_assert(sizeof(struct module) == 16, "Multiboot 1, section 3.3");

/* `size` counts what follows it. */
struct map_entry {
	uint32_t size;
	uint64_t start, length;
	uint32_t type;
} __attribute__((packed));
_Static_assert(sizeof(struct map_entry) == 24, "Multiboot 1, section 3.3");

#define MAP_ENTRY_SIZE_MIN 20

/* A zero-ended text in the loader's memory: NULL when it does not end within what we keep. */
static const char *view_text(const struct boot_memory *memory, uint32_t address)
{
	for (uint32_t length = 0; length < BOOT_TEXT_MAX; length++) {
		const char *c = memory->view(memory, (uint64_t)address + length, 1);
		if (!c)
			return NULL;
		if (!*c)
			return memory->view(memory, address, length + 1);
	}
	return NULL;
}

static bool read_text(const struct boot_memory *memory, uint32_t address, const char *what,
                      const char **text, char *problem, size_t size)
{
	*text = view_text(memory, address);
	if (!*text)
		print_to_buffer(problem, size,
		                "the %s at 0x%x does not end within %u characters of memory", what,
		                address, BOOT_TEXT_MAX);
	return *text;
}

static bool read_map(struct boot_info *info, const struct information *from,
                     const struct boot_memory *memory, char *problem, size_t size)
{
	uint32_t at = 0;

	while (at < from->map_length) {
		const struct map_entry *entry =
		        memory->view(memory, (uint64_t)from->map + at, sizeof(*entry));
		if (!entry || entry->size < MAP_ENTRY_SIZE_MIN ||
		    entry->size + 4ull > from->map_length - at) {
			print_to_buffer(problem, size,
			                "the memory map at 0x%x is truncated: its entry at offset "
			                "%u is not whole",
			                from->map, at);
			return false;
		}
		struct boot_range range = {entry->start, entry->start + entry->length, entry->type};
		if (!boot_info_add_range(info, &range, problem, size))
			return false;
		at += entry->size + 4;
	}
	return true;
}

static bool read_modules(struct boot_info *info, const struct information *from,
                         const struct boot_memory *memory, char *problem, size_t size)
{
	for (uint32_t i = 0; i < from->module_count; i++) {
		const struct module *module = memory->view(
		        memory, from->modules + (uint64_t)i * sizeof(*module), sizeof(*module));
		if (!module) {
			print_to_buffer(problem, size,
			                "the list of %u modules at 0x%x lies outside memory",
			                from->module_count, from->modules);
			return false;
		}
		const char *line = "";
		if (module->line && !read_text(memory, module->line, "command line of a module",
		                               &line, problem, size))
			return false;
		if (!boot_info_add_module(info, module->start, module->end, line, problem, size))
			return false;
	}
	return true;
}

static bool read_texts(struct boot_info *info, const struct information *from,
                       const struct boot_memory *memory, char *problem, size_t size)
{
	const char *text;

	if (from->flags & HAS_LOADER_NAME) {
		if (!read_text(memory, from->loader_name, "name of the boot loader", &text, problem,
		               size))
			return false;
		print_to_buffer(info->loader, sizeof(info->loader), "%s", text);
	}
	if (!(from->flags & HAS_COMMAND_LINE))
		return true;
	return read_text(memory, from->command_line, "command line", &text, problem, size) &&
	       boot_info_set_command_line(info, text, problem, size);
}

bool multiboot1_read(struct boot_info *info, uint32_t address, const struct boot_memory *memory,
                     char *problem, size_t size)
{
	const struct information *from = memory->view(memory, address, sizeof(*from));

	info->protocol = "Multiboot 1";
	if (!from) {
		print_to_buffer(problem, size,
		                "the Multiboot 1 information at 0x%x is truncated: %u bytes of "
		                "memory are needed there",
		                address, (uint32_t)sizeof(*from));
		return false;
	}
	if (!(from->flags & HAS_MEMORY_MAP)) {
		print_to_buffer(problem, size,
		                "the boot loader gave no memory map (flags 0x%x), and Ringfence "
		                "does not guess where memory is",
		                from->flags);
		return false;
	}
	return read_texts(info, from, memory, problem, size) &&
	       read_map(info, from, memory, problem, size) &&
	       (!(from->flags & HAS_MODULES) || read_modules(info, from, memory, problem, size));
}
