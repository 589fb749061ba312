#include "monitor/loaders/linux.h"

#include <stddef.h>

#include "monitor/loaders/elf.h"
#include "monitor/loaders/memory_map.h"

#define HEADER_OFFSET 0x1F1

/* The setup header, from HEADER_OFFSET of the file and of the boot parameters on. */
struct __attribute__((packed)) setup_header {
	uint8_t setup_sectors;
	uint16_t root_flags;
	uint32_t paragraphs; /* of the protected-mode code */
	uint16_t ram_size, video_mode, root_device, boot_flag;
	uint8_t jump, jump_distance; /* to the end of the header */
	uint32_t magic;
	uint16_t version;
	uint32_t mode_switch;
	uint16_t start_system, kernel_version;
	uint8_t loader_type, load_flags;
	uint16_t move_size;
	uint32_t code32_start;
	uint32_t ramdisk, ramdisk_size;
	uint32_t not_used;
	uint16_t heap_end;
	uint8_t loader_version, loader_type_extended;
	uint32_t command_line;
	uint32_t ramdisk_last; /* the highest address that a byte of the ramdisk may have */
	uint32_t alignment;
	uint8_t relocatable, least_alignment;
	uint16_t entry_flags;
	uint32_t command_line_limit; /* characters, without the zero */
	uint32_t hardware;
	uint64_t hardware_data;
	uint32_t payload, payload_size;
	uint64_t setup_data;
	uint64_t preferred_address;
	uint32_t init_size; /* what the kernel takes from its runtime address on */
	uint32_t handover;
	uint8_t later[40];
};
_Static_assert(offsetof(struct setup_header, magic) == 0x202 - HEADER_OFFSET, "setup header");
_Static_assert(offsetof(struct setup_header, ramdisk_last) == 0x22C - HEADER_OFFSET,
               "setup header");
_Static_assert(offsetof(struct setup_header, init_size) == 0x260 - HEADER_OFFSET, "setup header");
_Static_assert(sizeof(struct setup_header) == 0x290 - HEADER_OFFSET, "setup header");

struct __attribute__((packed)) map_range {
	uint64_t start, size;
	uint32_t type;
};
_Static_assert(sizeof(struct map_range) == 20, "e820 entry");

#define MAP_ROOM 128

struct __attribute__((packed)) boot_parameters {
	uint8_t cursor[2];
	uint16_t extended_kb; /* at most 63 MB can be said here */
	uint16_t video_page;
	uint8_t video_mode, video_columns;
	uint16_t video_flags, video_bx, not_used;
	uint8_t video_lines, is_vga;
	uint16_t video_points;
	uint8_t not_given[0x1CE];
	uint32_t all_extended_kb;
	uint8_t firmware[4];
	uint8_t map_count;
	uint8_t counts[8];
	struct setup_header header;
	uint8_t signatures[0x40];
	struct map_range map[MAP_ROOM];
	uint8_t rest[0x330];
};
_Static_assert(offsetof(struct boot_parameters, video_points) == 0x10, "boot parameters");
_Static_assert(offsetof(struct boot_parameters, all_extended_kb) == 0x1E0, "boot parameters");
_Static_assert(offsetof(struct boot_parameters, map_count) == 0x1E8, "boot parameters");
_Static_assert(offsetof(struct boot_parameters, header) == HEADER_OFFSET, "boot parameters");
_Static_assert(offsetof(struct boot_parameters, map) == 0x2D0, "boot parameters");
_Static_assert(sizeof(struct boot_parameters) == 0x1000, "boot parameters");
_Static_assert(MEMORY_MAP_RANGES <= MAP_ROOM, "boot parameters");

enum {
	SECTOR = 512,
	PARAGRAPH = 16,
	DEFAULT_SETUP_SECTORS = 4,
	MAGIC = 0x53726448, /* "HdrS" */
	MAGIC_OFFSET = 0x202,
	BOOT_FLAG = 0xAA55,
	OLDEST_VERSION = 0x203,
	LEAST_HEADER_END = 0x230, /* that of version 2.03 */
	WIDE_SIZE_VERSION = 0x204,
	LINE_LIMIT_VERSION = 0x206,
	INIT_SIZE_VERSION = 0x20A,
	VMLINUX_VERSION = 0x20F,
	LOADED_HIGH = 1,
	HAS_64_BIT_ENTRY = 1,
	LOADER_WITHOUT_NUMBER = 0xFF,
	DEFAULT_RAMDISK_LAST = 0x37FFFFFF,
	DEFAULT_LINE_LIMIT = 255,
	VMLINUX_LINE_LIMIT = 2047,
	CODE_SELECTOR = 0x10,
	DATA_SELECTOR = 0x18,
};

static const uint64_t descriptors[] = {0, 0, 0x00CF9B000000FFFF, 0x00CF93000000FFFF};
_Static_assert(sizeof(descriptors) == DATA_SELECTOR + 8, "the last one is the data segment");

/* What lies in the information's pages, one behind the other. */
struct information {
	struct boot_parameters parameters;
	uint64_t descriptors[DATA_SELECTOR / 8 + 1];
	char command_line[];
};

bool linux_is_bzimage(const struct load_request *request)
{
	uint32_t magic;

	if (request->image_size < MAGIC_OFFSET + sizeof(magic))
		return false;
	__builtin_memcpy(&magic, request->image + MAGIC_OFFSET, sizeof(magic));
	return magic == MAGIC;
}

bool linux_is_vmlinux(const struct load_request *request)
{
	return elf_has_note_of(request, "Linux");
}

/* Fields behind the end of an older header read as zero. */
static bool read_header(struct load *load, struct setup_header *header)
{
	const struct load_request *request = load->request;
	uint32_t end, size = request->image_size;

	if (size < LEAST_HEADER_END)
		return LOAD_FAIL(load, LINUX_HEADER_TRUNCATED, LEAST_HEADER_END, size);
	end = MAGIC_OFFSET + request->image[MAGIC_OFFSET - 1];
	if (end < LEAST_HEADER_END)
		end = LEAST_HEADER_END;
	if (end > HEADER_OFFSET + sizeof(*header))
		end = HEADER_OFFSET + sizeof(*header);
	if (size < end)
		return LOAD_FAIL(load, LINUX_HEADER_TRUNCATED, end, size);
	__builtin_memcpy(header, request->image + HEADER_OFFSET, end - HEADER_OFFSET);
	return true;
}

static bool check_header(struct load *load, const struct setup_header *header)
{
	if (header->boot_flag != BOOT_FLAG)
		return LOAD_FAIL(load, LINUX_BOOT_FLAG, header->boot_flag, BOOT_FLAG);
	if (header->version < OLDEST_VERSION)
		return LOAD_FAIL(load, LINUX_TOO_OLD, header->version >> 8, header->version & 0xFF,
		                 OLDEST_VERSION >> 8, OLDEST_VERSION & 0xFF);
	if (!(header->load_flags & LOADED_HIGH))
		return LOAD_FAIL(load, LINUX_LOADED_LOW, 0);
	if (header->entry_flags & HAS_64_BIT_ENTRY)
		return LOAD_FAIL(load, LINUX_64_BIT, 0);
	return true;
}

/* Before version 2.04 the size is not to be believed; the code then goes to the end of the file.
 * The last paragraph need not be a whole one. */
static bool take_code(struct load *load, const struct setup_header *header)
{
	uint32_t sectors = header->setup_sectors ? header->setup_sectors : DEFAULT_SETUP_SECTORS;
	uint32_t offset = (sectors + 1) * SECTOR, file = load->request->image_size;
	uint64_t size = (uint64_t)header->paragraphs * PARAGRAPH;

	if (offset >= file)
		return LOAD_FAIL(load, LINUX_NO_CODE, offset, file);
	if (header->version < WIDE_SIZE_VERSION || size == 0)
		size = file - offset;
	if (size > file - offset && size - (file - offset) < PARAGRAPH)
		size = file - offset;
	if (size > file - offset)
		return LOAD_FAIL(load, LINUX_TRUNCATED, header->paragraphs, offset, file);
	struct load_segment segment = {.offset = offset,
	                               .file_size = (uint32_t)size,
	                               .address = header->code32_start,
	                               .memory_size = (uint32_t)size};
	return load_add_segment(load, &segment) && load_enter(load, header->code32_start);
}

/* Where the kernel unpacks itself to: nothing else may be there when it starts. */
static bool claim_runtime(struct load *load, const struct setup_header *header)
{
	uint64_t start = header->preferred_address, align = header->alignment;
	uint32_t memory = load->request->ram->size;

	if (header->version < INIT_SIZE_VERSION)
		return true;
	if (align & (align - 1))
		return LOAD_FAIL(load, LINUX_ALIGNMENT, header->alignment);
	if (start > memory)
		return LOAD_FAIL(load, LINUX_MEMORY, header->init_size, (uint32_t)start, memory);
	if (header->relocatable && start < header->code32_start)
		start = header->code32_start;
	if (header->relocatable && align)
		start = (start + align - 1) & ~(align - 1);
	if (start > memory || header->init_size > memory - start)
		return LOAD_FAIL(load, LINUX_MEMORY, header->init_size, (uint32_t)start, memory);
	placement_claim(&load->placement, (uint32_t)start, header->init_size);
	return true;
}

static uint32_t line_limit(const struct setup_header *header)
{
	if (header->version < LINE_LIMIT_VERSION || header->command_line_limit == 0)
		return DEFAULT_LINE_LIMIT;
	return header->command_line_limit;
}

static bool place_ramdisk(struct load *load, const struct setup_header *header)
{
	const struct load_request *request = load->request;
	uint32_t end = request->ram->size, size;

	if (request->module_count == 0)
		return true;
	if (request->module_count > 1)
		return LOAD_FAIL(load, LINUX_MODULES, request->module_count);
	size = request->modules[0].size;
	if (header->ramdisk_last < end)
		end = header->ramdisk_last + 1;
	if (!placement_find_highest(&load->placement, size, PLACEMENT_HOLE_END, end,
	                            &load->module_address[0]))
		return LOAD_FAIL(load, LINUX_RAMDISK, size, end);
	return true;
}

static bool place_all(struct load *load, const struct setup_header *header)
{
	uint32_t size = load_string_size(load->request->arguments);

	if (size - 1 > line_limit(header))
		return LOAD_FAIL(load, LINUX_LINE_TOO_LONG, size - 1, line_limit(header));
	return place_ramdisk(load, header) &&
	       load_place_information(load, sizeof(struct information) + size);
}

static void fill_map(struct boot_parameters *parameters, uint32_t memory_size)
{
	struct memory_map_range ranges[MEMORY_MAP_RANGES];
	uint32_t upper = memory_map_upper(memory_size);

	parameters->map_count = (uint8_t)memory_map_fill(ranges, memory_size);
	for (unsigned i = 0; i < parameters->map_count; i++)
		parameters->map[i] =
		        (struct map_range){ranges[i].start, ranges[i].size, ranges[i].type};
	parameters->all_extended_kb = upper;
	parameters->extended_kb = upper < UINT16_MAX ? (uint16_t)upper : UINT16_MAX;
}

/* What the BIOS says of a VGA in its text mode: colours, 256 KB of memory. */
static void fill_screen(struct boot_parameters *parameters)
{
	parameters->video_mode = 3;
	parameters->video_columns = 80;
	parameters->video_bx = 3;
	parameters->video_lines = 25;
	parameters->is_vga = 1;
	parameters->video_points = 16;
}

static void complete_header(const struct load *load, struct setup_header *header)
{
	const struct load_request *request = load->request;

	header->loader_type = LOADER_WITHOUT_NUMBER;
	header->command_line =
	        load->information + (uint32_t)offsetof(struct information, command_line);
	if (request->module_count) {
		header->ramdisk = load->module_address[0];
		header->ramdisk_size = request->modules[0].size;
	}
}

static void write_information(const struct load *load, const struct setup_header *header)
{
	static struct information information;
	const struct guest_ram *ram = load->request->ram;
	const char *line = load->request->arguments;

	__builtin_memset(&information, 0, sizeof(information));
	__builtin_memcpy(information.descriptors, descriptors, sizeof(descriptors));
	information.parameters.header = *header;
	complete_header(load, &information.parameters.header);
	fill_map(&information.parameters, ram->size);
	if (load->request->text_screen)
		fill_screen(&information.parameters);
	ram->copy(ram->owner, load->information, &information, sizeof(information));
	ram->copy(ram->owner, information.parameters.header.command_line, line ? line : "",
	          load_string_size(line));
}

static void finish(struct load *load, const struct setup_header *header)
{
	load_copy(load);
	write_information(load, header);
	load->entry.esi = load->information;
	load->entry.gdt_base =
	        load->information + (uint32_t)offsetof(struct information, descriptors);
	load->entry.gdt_limit = sizeof(descriptors) - 1;
	load->entry.code_selector = CODE_SELECTOR;
	load->entry.data_selector = DATA_SELECTOR;
}

bool linux_load_bzimage(struct load *load)
{
	struct setup_header header = {0};

	if (!read_header(load, &header) || !check_header(load, &header) ||
	    !take_code(load, &header) || !claim_runtime(load, &header) || !place_all(load, &header))
		return false;
	finish(load, &header);
	return true;
}

bool linux_load_vmlinux(struct load *load)
{
	const struct setup_header header = {
	        .boot_flag = BOOT_FLAG,
	        .magic = MAGIC,
	        .version = VMLINUX_VERSION,
	        .load_flags = LOADED_HIGH,
	        .ramdisk_last = DEFAULT_RAMDISK_LAST,
	        .command_line_limit = VMLINUX_LINE_LIMIT,
	};

	if (!elf_take(load) || !place_all(load, &header))
		return false;
	finish(load, &header);
	return true;
}
