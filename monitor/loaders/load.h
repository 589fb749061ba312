/* What every loader works on: the files, the guest's memory, and what came of it.
 *
 * A loader first checks everything and claims its places, then writes; a kernel that is refused
 * leaves guest memory untouched. Guest memory is reached only through struct guest_ram, which
 * whoever owns that memory provides; loaders never write outside its size. It must not know any
 * file format. */
#ifndef MONITOR_LOADERS_LOAD_H
#define MONITOR_LOADERS_LOAD_H

#include <stdbool.h>
#include <stdint.h>

#include "monitor/loaders/load_fault.h"
#include "monitor/loaders/placement.h"

#define LOAD_SEGMENTS     32
#define LOAD_MODULES      64
#define LOAD_COMMAND_LINE 4095 /* characters, without the zero */
#define LOAD_LEAST_MEMORY 0x100000

struct guest_ram {
	uint32_t size; /* from guest-physical address 0 on */
	void (*copy)(void *owner, uint32_t address, const void *bytes, uint32_t size);
	void (*clear)(void *owner, uint32_t address, uint32_t size);
	void *owner;
};

struct load_module {
	const uint8_t *bytes;
	uint32_t size;
	const char *command_line;
};

struct load_request {
	const uint8_t *image;
	uint32_t image_size;
	const char *command_line; /* with the kernel's own name in front, as Multiboot has it */
	const char *arguments;    /* without it, as Linux has it */
	const struct load_module *modules;
	unsigned module_count;
	bool text_screen; /* the machine has a VGA, as firmware leaves it: 80 by 25 characters */
	const struct guest_ram *ram;
};

/* 32-bit protected mode, paging and interrupts off, flat segments; what has no
 * field, and selectors and GDTR without a protocol that sets them, is as a reset leaves it. */
struct load_entry {
	uint32_t eip, eax, ebx, esi;
	uint32_t gdt_base;
	uint16_t gdt_limit;
	uint16_t code_selector, data_selector;
};

struct load_segment {
	uint32_t offset, file_size;    /* in the image */
	uint32_t address, memory_size; /* in guest-physical memory */
	uint32_t virtual_address;
};

struct load {
	const struct load_request *request;
	struct placement placement;
	struct load_segment segment[LOAD_SEGMENTS];
	unsigned segment_count;
	uint32_t module_address[LOAD_MODULES];
	uint32_t information; /* where the boot information is */
	struct load_entry entry;
	struct load_fault fault;
};

/* Checks what does not depend on the format. */
bool load_start(struct load *load, const struct load_request *request);

/* Notes the fault and gives false, for "return load_fail(…)". */
bool load_fail(struct load *load, enum load_fault_reason reason, const uint32_t numbers[4]);
#define LOAD_FAIL(load, reason, ...) \
	load_fail(load, LOAD_FAULT_##reason, (const uint32_t[4]){__VA_ARGS__})

/* Adds a segment after checking it against the file, guest memory and the other segments. */
bool load_add_segment(struct load *load, const struct load_segment *segment);

/* Sets the entry to a physical address, which must lie in a segment. */
bool load_enter(struct load *load, uint32_t eip);

/* Finds room for the modules behind the kernel, and for so many bytes of boot information. */
bool load_place_modules(struct load *load);
bool load_place_information(struct load *load, uint32_t size);

/* Writes segments and modules. */
void load_copy(const struct load *load);

uint32_t load_string_size(const char *string); /* with its zero; a missing one is empty */

#endif
