#include "monitor/run/silent_store.h"

#include <stdbool.h>

#define MOV_FROM_REGISTER  0x89
#define MOV_FROM_IMMEDIATE 0xC7
#define RM_SIB             4
#define NO_BASE            5 /* as rm, or as the base of a SIB, where mod is 0 */

/* GS is not the guest's where this is used. */
static bool is_segment_prefix(uint8_t byte)
{
	return byte == 0x26 || byte == 0x2E || byte == 0x36 || byte == 0x3E || byte == 0x64;
}

static uint32_t register_value(const struct trap_frame *frame, unsigned int number)
{
	const uint32_t values[] = {frame->eax, frame->ecx, frame->edx, frame->ebx,
	                           frame->esp, frame->ebp, frame->esi, frame->edi};

	return values[number];
}

/* Of ModRM with a memory operand, and what belongs to it. */
static uint32_t operand_size(const uint8_t *modrm)
{
	unsigned int mod = modrm[0] >> 6, base = modrm[0] & 7;
	uint32_t size = 1;

	if (base == RM_SIB) {
		base = modrm[1] & 7;
		size++;
	}
	if (mod == 1)
		return size + 1;
	return mod == 2 || base == NO_BASE ? size + 4 : size;
}

uint32_t silent_store_length(const struct trap_frame *frame, const uint8_t *code,
                             const uint8_t *there)
{
	uint32_t prefix = is_segment_prefix(code[0]), now, stored, size;
	uint8_t opcode = code[prefix], modrm = code[prefix + 1];

	if (modrm >> 6 == 3 || (opcode != MOV_FROM_REGISTER && opcode != MOV_FROM_IMMEDIATE))
		return 0;
	size = prefix + 1 + operand_size(code + prefix + 1);
	stored = register_value(frame, modrm >> 3 & 7);
	if (opcode == MOV_FROM_IMMEDIATE) {
		if (modrm & 0x38)
			return 0;
		__builtin_memcpy(&stored, code + size, sizeof(stored));
		size += sizeof(stored);
	}
	__builtin_memcpy(&now, there, sizeof(now));
	return now == stored ? size : 0;
}
