#include "monitor/loaders/multiboot2.h"

#include "monitor/loaders/address_fields.h"
#include "monitor/loaders/elf.h"
#include "monitor/loaders/memory_map.h"

struct multiboot2_header {
	uint32_t magic, architecture, length, checksum;
};
_Static_assert(sizeof(struct multiboot2_header) == 16, "Multiboot 2 header");

struct multiboot2_header_tag {
	uint16_t type, flags;
	uint32_t size;
};
_Static_assert(sizeof(struct multiboot2_header_tag) == 8, "Multiboot 2 header tag");

struct multiboot2_tag {
	uint32_t type, size;
};
_Static_assert(sizeof(struct multiboot2_tag) == 8, "Multiboot 2 information tag");

struct multiboot2_map_range {
	uint32_t start[2], length[2], type, reserved;
};
_Static_assert(sizeof(struct multiboot2_map_range) == 24, "Multiboot 2 memory map");

#define HEADER_MAGIC 0xE85250D6U

enum { ENTRY_MAGIC = 0x36D76289, TAG_OPTIONAL = 1, TAG_ALIGNMENT = 8 };

enum {
	HEADER_END,
	HEADER_INFORMATION,
	HEADER_ADDRESS,
	HEADER_ENTRY,
	HEADER_CONSOLE,
	HEADER_FRAMEBUFFER,
	HEADER_MODULES_ALIGNED,
	HEADER_EFI_BOOT_SERVICES,
	HEADER_EFI32_ENTRY,
	HEADER_EFI64_ENTRY,
	HEADER_RELOCATABLE,
	HEADER_TAGS,
};

/* The least size of each header tag. */
static const uint8_t header_tag_sizes[HEADER_TAGS] = {
        [HEADER_END] = 8,
        [HEADER_INFORMATION] = 8,
        [HEADER_ADDRESS] = 24,
        [HEADER_ENTRY] = 12,
        [HEADER_CONSOLE] = 12,
        [HEADER_FRAMEBUFFER] = 20,
        [HEADER_MODULES_ALIGNED] = 8,
        [HEADER_EFI_BOOT_SERVICES] = 8,
        [HEADER_EFI32_ENTRY] = 12,
        [HEADER_EFI64_ENTRY] = 12,
        [HEADER_RELOCATABLE] = 24,
};

enum { CONSOLE_REQUIRED = 1, CONSOLE_TEXT = 2 };

enum {
	INFORMATION_END = 0,
	INFORMATION_COMMAND_LINE = 1,
	INFORMATION_LOADER_NAME = 2,
	INFORMATION_MODULE = 3,
	INFORMATION_MEMORY = 4,
	INFORMATION_MAP = 6,
	INFORMATION_LOAD_BASE = 21,
};

/* What the header asks for. */
struct wishes {
	bool has_addresses, has_entry, relocatable;
	struct address_fields addresses;
	uint32_t entry;
};

static const char loader_name[] = "Ringfence";

static uint32_t image_word(const struct load_request *request, uint32_t offset)
{
	uint32_t word;

	__builtin_memcpy(&word, request->image + offset, sizeof(word));
	return word;
}

bool multiboot2_find(const struct load_request *request, uint32_t *offset)
{
	struct multiboot2_header header;
	uint32_t limit = request->image_size;

	if (limit > MULTIBOOT2_SEARCH)
		limit = MULTIBOOT2_SEARCH;
	for (uint32_t at = 0; at + sizeof(header) <= limit; at += TAG_ALIGNMENT) {
		__builtin_memcpy(&header, request->image + at, sizeof(header));
		if (header.magic == HEADER_MAGIC &&
		    header.magic + header.architecture + header.length + header.checksum == 0) {
			*offset = at;
			return true;
		}
	}
	return false;
}

static bool information_is_given(uint32_t type)
{
	switch (type) {
	case INFORMATION_COMMAND_LINE:
	case INFORMATION_LOADER_NAME:
	case INFORMATION_MODULE:
	case INFORMATION_MEMORY:
	case INFORMATION_MAP:
	case INFORMATION_LOAD_BASE:
		return true;
	default:
		return false;
	}
}

static bool check_information_request(struct load *load, uint32_t at, uint32_t size)
{
	for (uint32_t offset = 8; offset + 4 <= size; offset += 4) {
		uint32_t type = image_word(load->request, at + offset);
		if (!information_is_given(type))
			return LOAD_FAIL(load, MULTIBOOT2_INFORMATION, type);
	}
	return true;
}

/* One header tag at that offset, all of it inside the header. */
static bool take_header_tag(struct load *load, uint32_t at, const struct multiboot2_header_tag *tag,
                            struct wishes *wishes)
{
	const struct load_request *request = load->request;
	bool required = !(tag->flags & TAG_OPTIONAL);
	uint32_t console;

	switch (tag->type) {
	case HEADER_INFORMATION:
		return !required || check_information_request(load, at, tag->size);
	case HEADER_ADDRESS:
		wishes->has_addresses = true;
		__builtin_memcpy(&wishes->addresses, request->image + at + 8,
		                 sizeof(wishes->addresses));
		return true;
	case HEADER_ENTRY:
		wishes->has_entry = true;
		wishes->entry = image_word(request, at + 8);
		return true;
	case HEADER_CONSOLE:
		console = image_word(request, at + 8);
		if (required && console & CONSOLE_REQUIRED && !(console & CONSOLE_TEXT))
			return LOAD_FAIL(load, MULTIBOOT2_DEVICE, tag->type);
		return true;
	case HEADER_FRAMEBUFFER:
	case HEADER_EFI_BOOT_SERVICES:
		return required ? LOAD_FAIL(load, MULTIBOOT2_DEVICE, tag->type) : true;
	case HEADER_RELOCATABLE:
		wishes->relocatable = true;
		return true;
	case HEADER_MODULES_ALIGNED:
	case HEADER_EFI32_ENTRY:
	case HEADER_EFI64_ENTRY:
		/* Modules are always aligned; EFI entries are for those who start by EFI. */
		return true;
	default:
		return required ? LOAD_FAIL(load, MULTIBOOT2_TAG, tag->type) : true;
	}
}

static bool take_header_tags(struct load *load, uint32_t offset, uint32_t length,
                             struct wishes *wishes)
{
	uint32_t at = offset + (uint32_t)sizeof(struct multiboot2_header), end = offset + length;
	struct multiboot2_header_tag tag;

	while (at < end && end - at >= sizeof(tag)) {
		__builtin_memcpy(&tag, load->request->image + at, sizeof(tag));
		uint32_t least = tag.type < HEADER_TAGS ? header_tag_sizes[tag.type] : sizeof(tag);
		if (tag.size < least || tag.size > end - at)
			return LOAD_FAIL(load, MULTIBOOT2_TAG_SIZE, at, tag.type, tag.size);
		if (tag.type == HEADER_END)
			return true;
		if (!take_header_tag(load, at, &tag, wishes))
			return false;
		at += (tag.size + TAG_ALIGNMENT - 1) & ~(uint32_t)(TAG_ALIGNMENT - 1);
	}
	return LOAD_FAIL(load, MULTIBOOT2_NO_END, offset);
}

static bool take_header(struct load *load, uint32_t offset, struct wishes *wishes)
{
	uint32_t file = load->request->image_size;
	struct multiboot2_header header;

	__builtin_memcpy(&header, load->request->image + offset, sizeof(header));
	if (header.architecture != 0)
		return LOAD_FAIL(load, MULTIBOOT2_ARCHITECTURE, header.architecture);
	if (header.length > file - offset)
		return LOAD_FAIL(load, MULTIBOOT_TRUNCATED, offset, header.length, file);
	return take_header_tags(load, offset, header.length, wishes);
}

static bool take_image(struct load *load, uint32_t offset, const struct wishes *wishes)
{
	if (wishes->has_addresses) {
		/* Minus one: from the beginning of the file on. */
		struct address_fields fields = wishes->addresses;
		if (fields.load == UINT32_MAX)
			fields.load = fields.header - offset;
		if (!wishes->has_entry)
			return LOAD_FAIL(load, MULTIBOOT2_NO_ENTRY, 0);
		return address_fields_take(load, offset, &fields) &&
		       load_enter(load, wishes->entry);
	}
	if (!elf_is_elf(load->request))
		return LOAD_FAIL(load, NO_ELF, 0);
	return elf_take(load) && (!wishes->has_entry || load_enter(load, wishes->entry));
}

static uint32_t tag_space(uint32_t size)
{
	return (size + TAG_ALIGNMENT - 1) & ~(uint32_t)(TAG_ALIGNMENT - 1);
}

/* An upper bound: every tag at its largest. */
static uint32_t information_size(const struct load_request *request)
{
	uint32_t size = 8 + 16 + 16 + 8; /* head, memory, load base, end */

	size += 16 + MEMORY_MAP_RANGES * (uint32_t)sizeof(struct multiboot2_map_range);
	size += tag_space(8 + load_string_size(request->command_line));
	size += tag_space(8 + (uint32_t)sizeof(loader_name));
	for (unsigned i = 0; i < request->module_count; i++)
		size += tag_space(16 + load_string_size(request->modules[i].command_line));
	return size;
}

/* Writes one tag of words and an optional string at `at` and moves it on. */
static void write_tag(const struct guest_ram *ram, uint32_t *at, uint32_t type, const void *body,
                      uint32_t body_size, const char *string)
{
	uint32_t string_size = string ? load_string_size(string) : 0;
	struct multiboot2_tag tag = {type, 8 + body_size + string_size};

	ram->clear(ram->owner, *at, tag_space(tag.size));
	ram->copy(ram->owner, *at, &tag, sizeof(tag));
	if (body_size)
		ram->copy(ram->owner, *at + 8, body, body_size);
	if (string_size)
		ram->copy(ram->owner, *at + 8 + body_size, string, string_size);
	*at += tag_space(tag.size);
}

static void write_map(const struct guest_ram *ram, uint32_t *at)
{
	struct {
		uint32_t entry_size, version;
		struct multiboot2_map_range range[MEMORY_MAP_RANGES];
	} map = {sizeof(struct multiboot2_map_range), 0, {{{0}, {0}, 0, 0}}};
	struct memory_map_range ranges[MEMORY_MAP_RANGES];
	unsigned count = memory_map_fill(ranges, ram->size);

	for (unsigned i = 0; i < count; i++) {
		map.range[i].start[0] = (uint32_t)ranges[i].start;
		map.range[i].start[1] = (uint32_t)(ranges[i].start >> 32);
		map.range[i].length[0] = (uint32_t)ranges[i].size;
		map.range[i].length[1] = (uint32_t)(ranges[i].size >> 32);
		map.range[i].type = ranges[i].type;
	}
	write_tag(ram, at, INFORMATION_MAP, &map, 8 + count * (uint32_t)sizeof(map.range[0]), NULL);
}

static void write_modules(const struct load *load, uint32_t *at)
{
	const struct load_request *request = load->request;

	for (unsigned i = 0; i < request->module_count; i++) {
		const struct load_module *module = &request->modules[i];
		uint32_t body[] = {load->module_address[i], load->module_address[i] + module->size};
		write_tag(request->ram, at, INFORMATION_MODULE, body, sizeof(body),
		          module->command_line ? module->command_line : "");
	}
}

static uint32_t load_base(const struct load *load)
{
	uint32_t base = UINT32_MAX;

	for (unsigned i = 0; i < load->segment_count; i++) {
		if (load->segment[i].address < base)
			base = load->segment[i].address;
	}
	return base;
}

static void write_information(const struct load *load, const struct wishes *wishes)
{
	const struct load_request *request = load->request;
	const struct guest_ram *ram = request->ram;
	uint32_t at = load->information + 8;
	uint32_t memory[] = {memory_map_lower(), memory_map_upper(ram->size)};
	uint32_t base = load_base(load);

	write_tag(ram, &at, INFORMATION_COMMAND_LINE, NULL, 0,
	          request->command_line ? request->command_line : "");
	write_tag(ram, &at, INFORMATION_LOADER_NAME, NULL, 0, loader_name);
	write_modules(load, &at);
	write_tag(ram, &at, INFORMATION_MEMORY, memory, sizeof(memory), NULL);
	write_map(ram, &at);
	if (wishes->relocatable)
		write_tag(ram, &at, INFORMATION_LOAD_BASE, &base, sizeof(base), NULL);
	write_tag(ram, &at, INFORMATION_END, NULL, 0, NULL);
	uint32_t head[] = {at - load->information, 0};
	ram->copy(ram->owner, load->information, head, sizeof(head));
}

bool multiboot2_load(struct load *load, uint32_t offset)
{
	struct wishes wishes = {0};

	if (!take_header(load, offset, &wishes) || !take_image(load, offset, &wishes) ||
	    !load_place_modules(load) ||
	    !load_place_information(load, information_size(load->request)))
		return false;
	load_copy(load);
	write_information(load, &wishes);
	load->entry.eax = ENTRY_MAGIC;
	load->entry.ebx = load->information;
	return true;
}
