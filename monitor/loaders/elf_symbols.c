#include "monitor/loaders/elf_symbols.h"

#include "kernel/print.h"

#define ELF_MAGIC       0x464C457Fu
#define ELF_CLASS_32    1
#define SECTION_SYMBOLS 2
#define TYPE_NONE       0 /* labels of assembly */
#define TYPE_FUNCTION   2
#define NO_SECTION      0
#define NAME_LONGEST    48

struct section {
	uint32_t name, type, flags, address, offset, size, link, info, alignment, entry_size;
};
_Static_assert(sizeof(struct section) == 40, "ELF32 section header");

struct symbol {
	uint32_t name, value, size;
	uint8_t info, other;
	uint16_t section;
};
_Static_assert(sizeof(struct symbol) == 16, "ELF32 symbol");

struct table {
	uint32_t offset;
	uint16_t entry_size, count;
};

static bool find_table(const uint8_t *image, uint32_t size, struct table *table)
{
	uint32_t magic;

	if (size < 52)
		return false;
	__builtin_memcpy(&magic, image, sizeof(magic));
	__builtin_memcpy(&table->offset, image + 32, sizeof(table->offset));
	__builtin_memcpy(&table->entry_size, image + 46, sizeof(table->entry_size));
	__builtin_memcpy(&table->count, image + 48, sizeof(table->count));
	return magic == ELF_MAGIC && image[4] == ELF_CLASS_32 &&
	       table->entry_size == sizeof(struct section) && table->offset <= size &&
	       table->count * sizeof(struct section) <= size - table->offset;
}

static struct section section_at(const uint8_t *image, const struct table *table, uint32_t number)
{
	struct section section;

	__builtin_memcpy(&section, image + table->offset + number * sizeof(section),
	                 sizeof(section));
	return section;
}

static bool is_inside(const struct section *section, uint32_t size)
{
	return section->offset <= size && section->size <= size - section->offset;
}

bool elf_symbols_find(struct elf_symbols *symbols, const uint8_t *image, uint32_t size)
{
	struct table table;

	*symbols = (struct elf_symbols){0};
	if (!find_table(image, size, &table))
		return false;
	for (uint32_t i = 0; i < table.count; i++) {
		struct section found = section_at(image, &table, i), names;

		if (found.type != SECTION_SYMBOLS || found.link >= table.count)
			continue;
		names = section_at(image, &table, found.link);
		/* The last name must end. */
		if (!is_inside(&found, size) || !is_inside(&names, size) || !names.size ||
		    image[names.offset + names.size - 1])
			continue;
		symbols->symbols = image + found.offset;
		symbols->count = found.size / sizeof(struct symbol);
		symbols->names = (const char *)image + names.offset;
		symbols->names_size = names.size;
		return true;
	}
	return false;
}

static bool is_code(const struct elf_symbols *symbols, const struct symbol *symbol)
{
	uint8_t type = symbol->info & 0xF;

	return (type == TYPE_FUNCTION || type == TYPE_NONE) && symbol->section != NO_SECTION &&
	       symbol->name < symbols->names_size && symbols->names[symbol->name];
}

/* A function says how long it is; a label reaches to the next one. */
static bool holds(const struct symbol *symbol, uint32_t address)
{
	return symbol->value <= address &&
	       (!symbol->size || address - symbol->value < symbol->size);
}

/* Of two that hold the address the nearer one counts, and of two there the one with a size. */
static bool is_better(const struct symbol *candidate, const struct symbol *best)
{
	return candidate->value > best->value ||
	       (candidate->value == best->value && candidate->size && !best->size);
}

size_t elf_symbols_write(const struct elf_symbols *symbols, uint32_t address, char *text,
                         size_t size)
{
	struct symbol best = {0};
	bool found = false;

	for (uint32_t i = 0; i < symbols->count; i++) {
		struct symbol symbol;

		__builtin_memcpy(&symbol, symbols->symbols + i * sizeof(symbol), sizeof(symbol));
		if (!is_code(symbols, &symbol) || !holds(&symbol, address) ||
		    (found && !is_better(&symbol, &best)))
			continue;
		best = symbol;
		found = true;
	}
	text[0] = 0;
	if (!found)
		return 0;
	if (address == best.value)
		return print_to_buffer(text, size, " %.*s", NAME_LONGEST,
		                       symbols->names + best.name);
	return print_to_buffer(text, size, " %.*s+0x%x", NAME_LONGEST, symbols->names + best.name,
	                       address - best.value);
}
