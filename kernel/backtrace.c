#include "kernel/backtrace.h"

#include <stdbool.h>

#include "kernel/exception_table.h"
#include "kernel/print.h"
#include "kernel/symbols.h"

#define DEPTH_MAX 24

static void say(uint32_t address, uint32_t looked_up, void (*line)(const char *text))
{
	char text[96];
	uint32_t offset;
	const char *name = symbols_find(looked_up, &offset);

	if (name)
		print_to_buffer(text, sizeof(text), "0x%08x %s+0x%x", address, name,
		                offset + (address - looked_up));
	else
		print_to_buffer(text, sizeof(text), "0x%08x (not our code)", address);
	line(text);
}

static bool read32(uint32_t at, uint32_t *value)
{
	*value = 0;
	for (uint32_t i = 0; i < 4; i++) {
		uint8_t byte;
		if (!recoverable_read8((const void *)(at + i), &byte))
			return false;
		*value |= (uint32_t)byte << (8 * i);
	}
	return true;
}

#define PUSH_EBP 0x55

/* Until a function has pushed ebp, the chain starts at its caller's frame and leaves the caller
 * out. gcc gives a leaf that needs no stack no frame at all, whatever its options say. */
static bool has_no_frame(uint32_t eip)
{
	uint32_t offset;
	uint8_t first;

	return symbols_find(eip, &offset) &&
	       (!offset ||
	        (recoverable_read8((const void *)(eip - offset), &first) && first != PUSH_EBP));
}

void backtrace_walk(uint32_t eip, uint32_t ebp, uint32_t esp, void (*line)(const char *text))
{
	uint32_t caller_of_leaf;

	say(eip, eip, line);
	if (has_no_frame(eip) && read32(esp, &caller_of_leaf))
		say(caller_of_leaf, caller_of_leaf - 1, line);
	for (int depth = 0; depth < DEPTH_MAX && ebp; depth++) {
		uint32_t caller, return_address;
		if (!read32(ebp, &caller) || !read32(ebp + 4, &return_address) || !return_address)
			return;
		/* A call may be the last instruction of a function that does not return. */
		say(return_address, return_address - 1, line);
		if (caller <= ebp)
			return;
		ebp = caller;
	}
}
