#include "monitor/loaders/multiboot1.h"

#include <stddef.h>

#include "monitor/loaders/address_fields.h"
#include "monitor/loaders/elf.h"
#include "monitor/loaders/memory_map.h"

struct multiboot1_header {
	uint32_t magic, flags, checksum;
	uint32_t header, load, load_end, bss_end, entry; /* only with HEADER_ADDRESSES */
};
_Static_assert(sizeof(struct multiboot1_header) == 32, "Multiboot header");

struct multiboot1_information {
	uint32_t flags;
	uint32_t memory_lower, memory_upper;
	uint32_t boot_device;
	uint32_t command_line;
	uint32_t module_count, modules;
	uint32_t symbols[4];
	uint32_t map_size, map;
	uint32_t drives_size, drives;
	uint32_t configuration;
	uint32_t loader_name;
	uint32_t power_management;
	uint32_t video[4];
	uint32_t framebuffer[7];
};
_Static_assert(sizeof(struct multiboot1_information) == 116, "Multiboot information");
_Static_assert(offsetof(struct multiboot1_information, map_size) == 44, "Multiboot information");
_Static_assert(offsetof(struct multiboot1_information, loader_name) == 64, "Multiboot information");

struct multiboot1_module {
	uint32_t start, end, command_line, reserved;
};
_Static_assert(sizeof(struct multiboot1_module) == 16, "Multiboot module");

struct multiboot1_map_range {
	uint32_t size; /* of what follows */
	uint32_t start[2], length[2], type;
};
_Static_assert(sizeof(struct multiboot1_map_range) == 24, "Multiboot memory map");

enum {
	HEADER_MAGIC = 0x1BADB002,
	HEADER_WITHOUT_ADDRESSES = 12,
	HEADER_KNOWN = 0x0007, /* page-aligned modules, memory information, video mode */
	HEADER_UNKNOWN = 0xFFF8,
	HEADER_ADDRESSES = 0x10000,
	ENTRY_MAGIC = 0x2BADB002,
	INFORMATION_MEMORY = 0x001,
	INFORMATION_COMMAND_LINE = 0x004,
	INFORMATION_MODULES = 0x008,
	INFORMATION_MAP = 0x040,
	INFORMATION_LOADER_NAME = 0x200,
};

static const char loader_name[] = "Ringfence";

bool multiboot1_find(const struct load_request *request, uint32_t *offset)
{
	uint32_t words[3];
	uint32_t limit = request->image_size;

	if (limit > MULTIBOOT1_SEARCH)
		limit = MULTIBOOT1_SEARCH;
	for (uint32_t at = 0; at + sizeof(words) <= limit; at += 4) {
		__builtin_memcpy(words, request->image + at, sizeof(words));
		if (words[0] == HEADER_MAGIC && words[0] + words[1] + words[2] == 0) {
			*offset = at;
			return true;
		}
	}
	return false;
}

static bool multiboot1_take_image(struct load *load, uint32_t offset)
{
	const struct load_request *request = load->request;
	struct multiboot1_header header;

	__builtin_memcpy(&header, request->image + offset, HEADER_WITHOUT_ADDRESSES);
	if (header.flags & HEADER_UNKNOWN)
		return LOAD_FAIL(load, MULTIBOOT1_FLAGS, header.flags & HEADER_UNKNOWN,
		                 HEADER_KNOWN);
	if (!(header.flags & HEADER_ADDRESSES))
		return elf_is_elf(request) ? elf_take(load) : LOAD_FAIL(load, NO_ELF, 0);
	if (request->image_size - offset < sizeof(header))
		return LOAD_FAIL(load, MULTIBOOT_TRUNCATED, offset, sizeof(header),
		                 request->image_size);
	__builtin_memcpy(&header, request->image + offset, sizeof(header));
	struct address_fields fields = {header.header, header.load, header.load_end,
	                                header.bss_end};
	return address_fields_take(load, offset, &fields) && load_enter(load, header.entry);
}

/* The information in guest memory: the fixed part, modules, map and, behind them, the strings. */
struct layout {
	uint32_t modules, map, strings, size;
};

static struct layout multiboot1_lay_out(const struct load_request *request)
{
	struct layout layout;

	layout.modules = sizeof(struct multiboot1_information);
	layout.map =
	        layout.modules + request->module_count * (uint32_t)sizeof(struct multiboot1_module);
	layout.strings =
	        layout.map + MEMORY_MAP_RANGES * (uint32_t)sizeof(struct multiboot1_map_range);
	layout.size = layout.strings + (uint32_t)sizeof(loader_name);
	layout.size += load_string_size(request->command_line);
	for (unsigned i = 0; i < request->module_count; i++)
		layout.size += load_string_size(request->modules[i].command_line);
	return layout;
}

/* Writes the string and gives its address; `at` moves behind it. */
static uint32_t write_string(const struct guest_ram *ram, uint32_t *at, const char *string)
{
	uint32_t address = *at, size = load_string_size(string);

	ram->copy(ram->owner, address, string ? string : "", size);
	*at += size;
	return address;
}

static uint32_t write_map(const struct guest_ram *ram, uint32_t at)
{
	struct memory_map_range ranges[MEMORY_MAP_RANGES];
	unsigned count = memory_map_fill(ranges, ram->size);

	for (unsigned i = 0; i < count; i++, at += sizeof(struct multiboot1_map_range)) {
		const struct memory_map_range *range = &ranges[i];
		struct multiboot1_map_range out = {
		        .size = sizeof(out) - sizeof(out.size),
		        .start = {(uint32_t)range->start, (uint32_t)(range->start >> 32)},
		        .length = {(uint32_t)range->size, (uint32_t)(range->size >> 32)},
		        .type = range->type};
		ram->copy(ram->owner, at, &out, sizeof(out));
	}
	return count * (uint32_t)sizeof(struct multiboot1_map_range);
}

static void write_modules(const struct load *load, uint32_t at, uint32_t *strings)
{
	const struct load_request *request = load->request;

	for (unsigned i = 0; i < request->module_count; i++) {
		const struct load_module *module = &request->modules[i];
		struct multiboot1_module out = {
		        .start = load->module_address[i],
		        .end = load->module_address[i] + module->size,
		        .command_line = write_string(request->ram, strings, module->command_line)};
		request->ram->copy(request->ram->owner, at + i * (uint32_t)sizeof(out), &out,
		                   sizeof(out));
	}
}

static void multiboot1_write_information(const struct load *load, const struct layout *layout)
{
	const struct load_request *request = load->request;
	const struct guest_ram *ram = request->ram;
	uint32_t base = load->information, strings = base + layout->strings;
	struct multiboot1_information out = {
	        .flags = INFORMATION_MEMORY | INFORMATION_COMMAND_LINE | INFORMATION_MODULES |
	                 INFORMATION_MAP | INFORMATION_LOADER_NAME,
	        .memory_lower = memory_map_lower(),
	        .memory_upper = memory_map_upper(ram->size),
	        .module_count = request->module_count,
	        .modules = base + layout->modules,
	        .map = base + layout->map};

	out.command_line = write_string(ram, &strings, request->command_line);
	out.loader_name = write_string(ram, &strings, loader_name);
	write_modules(load, out.modules, &strings);
	out.map_size = write_map(ram, out.map);
	ram->copy(ram->owner, base, &out, sizeof(out));
}

bool multiboot1_load(struct load *load, uint32_t offset)
{
	struct layout layout = multiboot1_lay_out(load->request);

	if (!multiboot1_take_image(load, offset) || !load_place_modules(load) ||
	    !load_place_information(load, layout.size))
		return false;
	load_copy(load);
	multiboot1_write_information(load, &layout);
	load->entry.eax = ENTRY_MAGIC;
	load->entry.ebx = load->information;
	return true;
}
