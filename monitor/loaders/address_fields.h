/* The address fields of a Multiboot header: a kernel that says itself where it is loaded.
 *
 * Both protocols have the same four addresses, all physical. The image is one segment; what is
 * between the end of the load and the end of the bss is cleared. Zero means "to the end of the
 * file" and "no bss". It must not know where in which header the fields stand. */
#ifndef MONITOR_LOADERS_ADDRESS_FIELDS_H
#define MONITOR_LOADERS_ADDRESS_FIELDS_H

#include <stdbool.h>
#include <stdint.h>

#include "monitor/loaders/load.h"

struct address_fields {
	uint32_t header, load, load_end, bss_end;
};

/* Adds the one segment; the header was found at that offset in the image. */
bool address_fields_take(struct load *load, uint32_t header_offset,
                         const struct address_fields *fields);

#endif
