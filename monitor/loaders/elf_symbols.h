/* The names in a guest's ELF file: which function an address lies in.
 *
 * Reads the symbol table where the file still has it, and believes nothing of it: whatever points
 * outside the file is no symbol. For whoever shows a guest's code to people; it must not know who
 * that is. */
#ifndef MONITOR_LOADERS_ELF_SYMBOLS_H
#define MONITOR_LOADERS_ELF_SYMBOLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Empty, as zeros are, where there are no names. */
struct elf_symbols {
	const uint8_t *symbols;
	uint32_t count;
	const char *names;
	uint32_t names_size;
};

/* The file must stay where it is. False, and empty, when it has no symbol table. */
bool elf_symbols_find(struct elf_symbols *symbols, const uint8_t *image, uint32_t size);

/* "name" or "name+0x12", with a blank in front; nothing when no function is there. Returns the
 * length of the text. */
size_t elf_symbols_write(const struct elf_symbols *symbols, uint32_t address, char *text,
                         size_t size);

#endif
