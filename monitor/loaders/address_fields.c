#include "monitor/loaders/address_fields.h"

bool address_fields_take(struct load *load, uint32_t header_offset,
                         const struct address_fields *fields)
{
	uint32_t before = fields->header - fields->load;
	uint32_t room = fields->bss_end - fields->load;

	if (fields->header < fields->load)
		return LOAD_FAIL(load, ADDRESS_HEADER, fields->header, fields->load);
	if (before > header_offset)
		return LOAD_FAIL(load, ADDRESS_BEFORE_FILE, before, header_offset);
	if (fields->load_end && fields->load_end <= fields->load)
		return LOAD_FAIL(load, ADDRESS_LOAD_END, fields->load_end, fields->load);
	struct load_segment segment = {.offset = header_offset - before,
	                               .address = fields->load,
	                               .virtual_address = fields->load};
	segment.file_size = fields->load_end ? fields->load_end - fields->load
	                                     : load->request->image_size - segment.offset;
	if (fields->bss_end && (fields->bss_end < fields->load || room < segment.file_size))
		return LOAD_FAIL(load, ADDRESS_BSS_END, fields->bss_end,
		                 fields->load + segment.file_size);
	segment.memory_size = fields->bss_end ? room : segment.file_size;
	return load_add_segment(load, &segment);
}
