#include "kernel/symbols.h"

#include <stddef.h>

#include "kernel/layout.h"

struct symbol {
	uint32_t address, name;
};

/* Written by tools/make-symbols, sorted by address; names are offsets into symbol_names. */
extern const uint32_t symbol_count;
extern const struct symbol symbol_table[];
extern const char symbol_names[];

const char *symbols_find(uint32_t address, uint32_t *offset)
{
	uint32_t low = 0, high = symbol_count;

	if (address < layout_address(layout_image) || address >= layout_address(image_code_end))
		return NULL;
	while (low < high) {
		uint32_t middle = (low + high) / 2;
		if (symbol_table[middle].address <= address)
			low = middle + 1;
		else
			high = middle;
	}
	if (!low)
		return NULL;
	*offset = address - symbol_table[low - 1].address;
	return symbol_names + symbol_table[low - 1].name;
}
