/* The addresses that linker.ld decides, under the names C uses.
 *
 * Only their addresses mean something; nothing is stored in them. */
#ifndef KERNEL_LAYOUT_H
#define KERNEL_LAYOUT_H

#include <stdint.h>

extern char way_in_start[], way_in_end[];
extern char layout_image[], layout_monitor[], layout_stacks[], layout_gdt[], layout_windows[],
        layout_end[];
extern char cross_end[], image_code_end[], image_const_end[], image_end[];

/* What linear and machine address of a byte in the image differ by: an absolute symbol. */
extern char layout_offset[];

static inline uint32_t layout_address(const void *symbol)
{
	return (uint32_t)symbol;
}

static inline uint32_t layout_image_machine(const void *in_image)
{
	return (uint32_t)in_image - (uint32_t)layout_offset;
}

#endif
