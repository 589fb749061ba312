#include "monitor/memory/journal.h"

#include "kernel/string.h"
#include "monitor/memory/watch.h"

static bool is_watched(const struct vm *vm, uint64_t at, size_t size, unsigned int told)
{
	uint64_t last = (at + size - 1) / GUEST_PAGE_SIZE;

	if (!vm->watchers)
		return false;
	for (uint64_t page = at / GUEST_PAGE_SIZE; page <= last; page++)
		if (vm->watchers[(size_t)page] & told)
			return true;
	return false;
}

static void write_part(struct vm *vm, uint32_t at, const uint8_t *from, uint16_t size, bool marks)
{
	struct journal *journal = vm->journal;
	struct journal_entry *entry = &journal->entries[journal->count++];

	entry->at = at;
	entry->size = size;
	entry->marks = marks;
	memcpy(entry->before, vm->ram + at, size);
	memcpy(entry->after, from, size);
	memcpy(vm->ram + at, from, size);
}

void journal_write(struct vm *vm, gpa_t at, const void *from, size_t size, unsigned int told)
{
	struct journal *journal = vm->journal;

	journal->full |= (journal->max - journal->count) * JOURNAL_PART < size + JOURNAL_PART;
	journal->refused |= journal->full || is_watched(vm, at.value, size, told);
	for (size_t part, done = 0; !journal->refused && done < size; done += part) {
		part = size - done < JOURNAL_PART ? size - done : JOURNAL_PART;
		write_part(vm, (uint32_t)(at.value + done), (const uint8_t *)from + done,
		           (uint16_t)part, told != WATCH_ALL);
	}
}

static void put_before(struct vm *vm, const struct journal *journal, uint32_t from, uint32_t to)
{
	while (to > from) {
		const struct journal_entry *entry = &journal->entries[--to];

		memcpy(vm->ram + entry->at, entry->before, entry->size);
	}
}

void journal_take_back(struct vm *vm, struct journal *journal, uint32_t count)
{
	put_before(vm, journal, count, journal->count);
	journal->count = count;
}

static void note_found(struct vm *vm, struct journal *journal, uint32_t all)
{
	for (uint32_t i = 0; i < all; i++)
		memcpy(journal->entries[i].found, vm->ram + journal->entries[i].at,
		       journal->entries[i].size);
}

static void put_after(struct vm *vm, const struct journal *journal, uint32_t to)
{
	for (uint32_t i = 0; i < to; i++)
		memcpy(vm->ram + journal->entries[i].at, journal->entries[i].after,
		       journal->entries[i].size);
}

static void put_found(struct vm *vm, const struct journal *journal, uint32_t from, uint32_t to)
{
	for (uint32_t i = from; i < to; i++)
		memcpy(vm->ram + journal->entries[i].at, journal->entries[i].found,
		       journal->entries[i].size);
}

static bool differs(const struct vm *vm, const struct journal_entry *entry,
                    struct journal_difference *difference)
{
	for (uint32_t i = 0; i < entry->size; i++) {
		if (vm->ram[entry->at + i] == entry->found[i])
			continue;
		*difference = (struct journal_difference){entry->at + i, vm->ram[entry->at + i],
		                                          entry->found[i]};
		return true;
	}
	return false;
}

/* Entries may overlap, so what is wanted is made in the memory itself: as it was at first, and then
 * what the entries wrote. What was found is put back afterwards. */
struct journal_difference journal_compare(struct vm *vm, struct journal *journal,
                                          struct journal_extent extent)
{
	struct journal_difference difference = {0};
	uint32_t i = 0;

	note_found(vm, journal, extent.all);
	put_before(vm, journal, 0, extent.all);
	put_after(vm, journal, extent.done);
	put_found(vm, journal, extent.done, extent.begun);
	for (uint32_t mark = 0; mark < extent.all; mark++)
		if (journal->entries[mark].marks)
			put_found(vm, journal, mark, mark + 1);
	while (i < extent.all && !differs(vm, &journal->entries[i], &difference))
		i++;
	put_found(vm, journal, 0, extent.all);
	return difference;
}
