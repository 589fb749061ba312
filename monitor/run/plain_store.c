#include "monitor/run/plain_store.h"

#define MOV_FROM_REGISTER  0x89
#define MOV_FROM_EAX       0xA3
#define MOV_FROM_IMMEDIATE 0xC7
#define ESP                4
#define EBP                5
#define RM_SIB             4
#define NO_INDEX           4
#define NO_BASE            5 /* as rm, or as the base of a SIB, where mod is 0 */

static uint32_t register_value(const struct trap_frame *frame, unsigned int number)
{
	const uint32_t values[] = {frame->eax, frame->ecx, frame->edx, frame->ebx,
	                           frame->esp, frame->ebp, frame->esi, frame->edi};

	return values[number];
}

static uint32_t long_at(const uint8_t *code)
{
	uint32_t value;

	__builtin_memcpy(&value, code, sizeof(value));
	return value;
}

/* GS is not the guest's where this is used, and CS is not writable. */
static bool is_segment(const struct trap_frame *frame, uint8_t prefix, uint32_t *selector)
{
	switch (prefix) {
	case 0x26:
		*selector = frame->es;
		return true;
	case 0x36:
		*selector = frame->ss;
		return true;
	case 0x3E:
		*selector = frame->ds;
		return true;
	case 0x64:
		*selector = frame->fs;
		return true;
	default:
		return false;
	}
}

/* A memory operand, and what belongs to it: returns its size. */
static uint32_t read_operand(const struct trap_frame *frame, const uint8_t *modrm,
                             struct plain_store *store)
{
	unsigned int mod = modrm[0] >> 6, base = modrm[0] & 7;
	uint32_t size = 1;

	store->offset = 0;
	if (base == RM_SIB) {
		unsigned int index = modrm[1] >> 3 & 7;

		if (index != NO_INDEX)
			store->offset = register_value(frame, index) << (modrm[1] >> 6);
		base = modrm[1] & 7;
		size++;
	}
	if (mod == 0 && base == NO_BASE) {
		store->offset += long_at(modrm + size);
		return size + 4;
	}
	store->offset += register_value(frame, base);
	if (base == ESP || base == EBP)
		store->selector = frame->ss;
	if (mod == 1)
		store->offset += (uint32_t)(int8_t)modrm[size++];
	if (mod != 2)
		return size;
	store->offset += long_at(modrm + size);
	return size + 4;
}

/* Behind the opcode. */
static uint32_t read_rest(const struct trap_frame *frame, uint8_t opcode, const uint8_t *code,
                          struct plain_store *store)
{
	uint32_t size;

	if (opcode == MOV_FROM_EAX) {
		store->offset = long_at(code);
		store->value = frame->eax;
		return sizeof(store->offset);
	}
	if (code[0] >> 6 == 3)
		return 0;
	size = read_operand(frame, code, store);
	store->value = register_value(frame, code[0] >> 3 & 7);
	if (opcode == MOV_FROM_REGISTER)
		return size;
	store->value = long_at(code + size);
	return opcode == MOV_FROM_IMMEDIATE && !(code[0] & 0x38) ? size + 4 : 0;
}

bool plain_store_read(const struct trap_frame *frame, const uint8_t *code,
                      struct plain_store *store)
{
	uint32_t chosen, prefix = is_segment(frame, code[0], &chosen), rest;
	uint8_t opcode = code[prefix];

	store->selector = frame->ds;
	if (opcode != MOV_FROM_REGISTER && opcode != MOV_FROM_EAX && opcode != MOV_FROM_IMMEDIATE)
		return false;
	rest = read_rest(frame, opcode, code + prefix + 1, store);
	store->length = prefix + 1 + rest;
	if (prefix)
		store->selector = chosen;
	return rest;
}
