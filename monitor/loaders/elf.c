#include "monitor/loaders/elf.h"

#include <stddef.h>

struct elf_header {
	uint32_t magic;
	uint8_t class, byte_order, identification_version, padding[9];
	uint16_t type, machine;
	uint32_t version, entry, program_headers, section_headers, flags;
	uint16_t header_size, program_header_size, program_header_count;
	uint16_t section_header_size, section_header_count, section_names;
};
_Static_assert(sizeof(struct elf_header) == 52, "ELF32 header");
_Static_assert(offsetof(struct elf_header, type) == 16, "ELF32 header");
_Static_assert(offsetof(struct elf_header, program_headers) == 28, "ELF32 header");
_Static_assert(offsetof(struct elf_header, program_header_size) == 42, "ELF32 header");

struct elf_program_header {
	uint32_t type, offset, virtual_address, physical_address;
	uint32_t file_size, memory_size, flags, alignment;
};
_Static_assert(sizeof(struct elf_program_header) == 32, "ELF32 program header");
_Static_assert(offsetof(struct elf_program_header, memory_size) == 20, "ELF32 program header");

enum {
	ELF_MAGIC = 0x464C457F,
	ELF_CLASS_32 = 1,
	ELF_LITTLE_ENDIAN = 1,
	ELF_VERSION = 1,
	ELF_EXECUTABLE = 2,
	ELF_386 = 3,
	ELF_LOAD = 1,
	ELF_NOTE = 4,
};

bool elf_is_elf(const struct load_request *request)
{
	uint32_t magic;

	if (request->image_size < sizeof(magic))
		return false;
	__builtin_memcpy(&magic, request->image, sizeof(magic));
	return magic == ELF_MAGIC;
}

struct elf_note {
	uint32_t name_size, content_size, type;
};
_Static_assert(sizeof(struct elf_note) == 12, "ELF32 note");

/* Names and contents are padded to words. */
static uint64_t padded(uint32_t size)
{
	return ((uint64_t)size + 3) & ~3ull;
}

static bool is_name(const uint8_t *name, uint32_t size, const char *wanted)
{
	for (uint32_t i = 0; i < size; i++) {
		if (name[i] != (uint8_t)wanted[i])
			return false;
		if (!wanted[i])
			return i == size - 1;
	}
	return false;
}

static bool notes_are_of(const uint8_t *at, uint32_t size, const char *owner)
{
	struct elf_note note;

	while (size >= sizeof(note)) {
		__builtin_memcpy(&note, at, sizeof(note));
		uint64_t whole = sizeof(note) + padded(note.name_size) + padded(note.content_size);
		if (whole > size)
			return false;
		if (is_name(at + sizeof(note), note.name_size, owner))
			return true;
		at += whole;
		size -= (uint32_t)whole;
	}
	return false;
}

bool elf_has_note_of(const struct load_request *request, const char *owner)
{
	struct elf_header header;
	struct elf_program_header program;
	uint64_t at, file = request->image_size;

	if (!elf_is_elf(request) || file < sizeof(header))
		return false;
	__builtin_memcpy(&header, request->image, sizeof(header));
	if (header.type != ELF_EXECUTABLE || header.program_header_size != sizeof(program))
		return false;
	at = header.program_headers;
	for (unsigned i = 0; i < header.program_header_count; i++, at += sizeof(program)) {
		if (at + sizeof(program) > file)
			return false;
		__builtin_memcpy(&program, request->image + at, sizeof(program));
		if (program.type == ELF_NOTE &&
		    (uint64_t)program.offset + program.file_size <= file &&
		    notes_are_of(request->image + program.offset, program.file_size, owner))
			return true;
	}
	return false;
}

static bool elf_check_header(struct load *load, const struct elf_header *header)
{
	uint64_t headers_size =
	        (uint64_t)header->program_header_count * header->program_header_size;
	uint32_t file = load->request->image_size;

	if (header->class != ELF_CLASS_32)
		return LOAD_FAIL(load, ELF_CLASS, header->class);
	if (header->byte_order != ELF_LITTLE_ENDIAN)
		return LOAD_FAIL(load, ELF_BYTE_ORDER, header->byte_order);
	if (header->version != ELF_VERSION)
		return LOAD_FAIL(load, ELF_VERSION, header->version);
	if (header->type != ELF_EXECUTABLE)
		return LOAD_FAIL(load, ELF_TYPE, header->type);
	if (header->machine != ELF_386)
		return LOAD_FAIL(load, ELF_MACHINE, header->machine);
	if (header->program_header_count == 0)
		return LOAD_FAIL(load, ELF_NO_SEGMENTS, 0);
	if (header->program_header_size != sizeof(struct elf_program_header))
		return LOAD_FAIL(load, ELF_ENTRY_SIZE, header->program_header_size,
		                 sizeof(struct elf_program_header));
	if (header->program_headers + headers_size > file)
		return LOAD_FAIL(load, ELF_HEADERS_TRUNCATED, header->program_header_count,
		                 header->program_headers, file);
	return true;
}

static bool elf_take_segments(struct load *load, const struct elf_header *header)
{
	const uint8_t *at = load->request->image + header->program_headers;
	struct elf_program_header program;

	for (unsigned i = 0; i < header->program_header_count; i++, at += sizeof(program)) {
		__builtin_memcpy(&program, at, sizeof(program));
		if (program.type != ELF_LOAD ||
		    (program.memory_size == 0 && program.file_size == 0))
			continue;
		struct load_segment segment = {.offset = program.offset,
		                               .file_size = program.file_size,
		                               .address = program.physical_address,
		                               .memory_size = program.memory_size,
		                               .virtual_address = program.virtual_address};
		if (!load_add_segment(load, &segment))
			return false;
	}
	if (load->segment_count == 0)
		return LOAD_FAIL(load, ELF_NO_SEGMENTS, 0);
	return true;
}

static bool elf_enter(struct load *load, uint32_t entry)
{
	for (unsigned i = 0; i < load->segment_count; i++) {
		const struct load_segment *segment = &load->segment[i];
		uint32_t offset = entry - segment->virtual_address;
		if (offset < segment->memory_size)
			return load_enter(load, segment->address + offset);
	}
	return load_enter(load, entry);
}

bool elf_take(struct load *load)
{
	struct elf_header header;

	if (load->request->image_size < sizeof(header))
		return LOAD_FAIL(load, ELF_TRUNCATED, sizeof(header), load->request->image_size);
	__builtin_memcpy(&header, load->request->image, sizeof(header));
	return elf_check_header(load, &header) && elf_take_segments(load, &header) &&
	       elf_enter(load, header.entry);
}
