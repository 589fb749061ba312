#include "monitor/loaders/load.h"

/* Boot information goes here first: kernels use the memory behind themselves without asking. */
enum { LOW_MEMORY = 0x10000, LOW_MEMORY_END = 0x9F000 };

#define RESET_GDT_LIMIT 0xFFFF

bool load_fail(struct load *load, enum load_fault_reason reason, const uint32_t numbers[4])
{
	load->fault.reason = reason;
	for (unsigned i = 0; i < LOAD_FAULT_NUMBERS; i++)
		load->fault.number[i] = numbers[i];
	return false;
}

uint32_t load_string_size(const char *string)
{
	uint32_t size = 1;

	if (string) {
		/* Past the limit the exact length is of no use. */
		while (size <= 2 * LOAD_COMMAND_LINE && string[size - 1])
			size++;
	}
	return size;
}

static bool load_check_strings(struct load *load)
{
	const struct load_request *request = load->request;
	uint32_t length = load_string_size(request->command_line) - 1;

	if (length > LOAD_COMMAND_LINE)
		return LOAD_FAIL(load, COMMAND_LINE_TOO_LONG, length, LOAD_COMMAND_LINE);
	for (unsigned i = 0; i < request->module_count; i++) {
		length = load_string_size(request->modules[i].command_line) - 1;
		if (length > LOAD_COMMAND_LINE)
			return LOAD_FAIL(load, MODULE_LINE_TOO_LONG, i + 1, length,
			                 LOAD_COMMAND_LINE);
	}
	return true;
}

bool load_start(struct load *load, const struct load_request *request)
{
	uint32_t memory = request->ram->size;

	load->request = request;
	load->segment_count = 0;
	load->entry = (struct load_entry){.gdt_limit = RESET_GDT_LIMIT};
	load->fault.reason = LOAD_FAULT_NONE;
	placement_start(&load->placement, memory);
	if (memory < LOAD_LEAST_MEMORY)
		return LOAD_FAIL(load, MEMORY_TOO_SMALL, memory, LOAD_LEAST_MEMORY);
	if (request->module_count > LOAD_MODULES)
		return LOAD_FAIL(load, TOO_MANY_MODULES, request->module_count, LOAD_MODULES);
	return load_check_strings(load);
}

bool load_add_segment(struct load *load, const struct load_segment *segment)
{
	uint32_t number = load->segment_count + 1, memory = load->request->ram->size;
	uint32_t file = load->request->image_size;
	uint32_t address = segment->address, size = segment->memory_size;

	if (load->segment_count == LOAD_SEGMENTS)
		return LOAD_FAIL(load, ELF_TOO_MANY_SEGMENTS, LOAD_SEGMENTS);
	if (segment->file_size > size)
		return LOAD_FAIL(load, SEGMENT_SIZES, number, segment->file_size, size);
	/* Where a segment without bytes of its own would be in the file means nothing. */
	if (segment->file_size &&
	    (segment->offset > file || segment->file_size > file - segment->offset))
		return LOAD_FAIL(load, SEGMENT_TRUNCATED, number, segment->file_size,
		                 segment->offset, file);
	if (address > memory || size > memory - address)
		return LOAD_FAIL(load, SEGMENT_OUTSIDE, number, size, address, memory);
	const struct placement_range *other = placement_overlap(&load->placement, address, size);
	if (other == &load->placement.range[0])
		return LOAD_FAIL(load, SEGMENT_IN_HOLE, number, size, address);
	if (other)
		return LOAD_FAIL(load, SEGMENT_OVERLAP, number, size, address, other->start);
	placement_claim(&load->placement, address, size);
	load->segment[load->segment_count++] = *segment;
	return true;
}

bool load_enter(struct load *load, uint32_t eip)
{
	for (unsigned i = 0; i < load->segment_count; i++) {
		if (eip - load->segment[i].address < load->segment[i].memory_size) {
			load->entry.eip = eip;
			return true;
		}
	}
	return LOAD_FAIL(load, ENTRY_OUTSIDE, eip);
}

bool load_place_modules(struct load *load)
{
	uint32_t behind = placement_end(&load->placement), memory = load->request->ram->size;

	for (unsigned i = 0; i < load->request->module_count; i++) {
		uint32_t size = load->request->modules[i].size;
		uint32_t *address = &load->module_address[i];
		if (!placement_find(&load->placement, size, behind, memory, address) &&
		    !placement_find(&load->placement, size, PLACEMENT_HOLE_END, memory, address))
			return LOAD_FAIL(load, MODULE_TOO_LARGE, i + 1, size, memory);
	}
	return true;
}

bool load_place_information(struct load *load, uint32_t size)
{
	struct placement *placement = &load->placement;
	uint32_t memory = load->request->ram->size, *address = &load->information;

	if (!placement_find(placement, size, LOW_MEMORY, LOW_MEMORY_END, address) &&
	    !placement_find(placement, size, PLACEMENT_HOLE_END, memory, address))
		return LOAD_FAIL(load, INFORMATION_TOO_LARGE, size, memory);
	return true;
}

void load_copy(const struct load *load)
{
	const struct load_request *request = load->request;
	const struct guest_ram *ram = request->ram;

	for (unsigned i = 0; i < load->segment_count; i++) {
		const struct load_segment *segment = &load->segment[i];
		uint32_t rest = segment->memory_size - segment->file_size;
		if (segment->file_size)
			ram->copy(ram->owner, segment->address, request->image + segment->offset,
			          segment->file_size);
		if (rest)
			ram->clear(ram->owner, segment->address + segment->file_size, rest);
	}
	for (unsigned i = 0; i < request->module_count; i++) {
		if (request->modules[i].size)
			ram->copy(ram->owner, load->module_address[i], request->modules[i].bytes,
			          request->modules[i].size);
	}
}
