/* What the instruction groups share: registers, addresses, and the operands of an instruction.
 *
 * Reading and writing goes through the segment's limit and rights and through the guest's page
 * tables. Every function that can fault returns false once it has raised the fault, and the handler
 * then returns false at once. A handler writes registers and flags only when nothing can fault any
 * more: so a fault leaves the processor as it was, and no copy of it has to be kept. */
#ifndef MONITOR_INSTRUCTIONS_INTERPRET_OPERANDS_H
#define MONITOR_INSTRUCTIONS_INTERPRET_OPERANDS_H

#include "monitor/cpu/segments.h"
#include "monitor/cpu/transfer.h"
#include "monitor/instructions/decode.h"
#include "monitor/memory/linear.h"
#include "monitor/state/fault.h"

/* Runs one instruction. eip is already that of the next one; false after a fault, and then the
 * caller puts it back. */
typedef bool interpret_handler(struct vcpu *vcpu, const struct instruction *in);

_Static_assert(SEGMENT_GS == (int)VCPU_GS && SEGMENT_SS == (int)VCPU_SS &&
                       REGISTER_EDI == (int)VCPU_EDI && REGISTER_NONE == (int)VCPU_REGISTERS,
               "decoder and processor number their registers alike");

/* Byte registers 4 to 7 are the second bytes of the first four. */
static inline uint8_t *interpret_byte_register(struct vcpu *vcpu, unsigned int number)
{
	return (uint8_t *)&vcpu->registers[number & 3] + (number >> 2);
}

static inline uint32_t interpret_get_register(struct vcpu *vcpu, unsigned int number,
                                              unsigned int size)
{
	if (size == 4)
		return vcpu->registers[number];
	return size == 1 ? *interpret_byte_register(vcpu, number)
	                 : (uint16_t)vcpu->registers[number];
}

static inline void interpret_set_register(struct vcpu *vcpu, unsigned int number, unsigned int size,
                                          uint32_t value)
{
	if (size == 4)
		vcpu->registers[number] = value;
	else if (size == 1)
		*interpret_byte_register(vcpu, number) = (uint8_t)value;
	else
		vcpu->registers[number] =
		        (vcpu->registers[number] & 0xFFFF0000u) | (value & 0xFFFF);
}

/* The offset in its segment that ModRM, SIB and displacement make. */
static inline uint32_t interpret_offset(const struct vcpu *vcpu, const struct instruction *in)
{
	uint32_t offset = in->memory.displacement;

	if (in->memory.base != REGISTER_NONE)
		offset += vcpu->registers[in->memory.base];
	if (in->memory.index != REGISTER_NONE)
		offset += vcpu->registers[in->memory.index] << in->memory.scale;
	return in->address_size == 4 ? offset : offset & 0xFFFF;
}

/* Ordinary writable data is decided here, everything else by segments_translate. */
static inline bool interpret_translate(struct vcpu *vcpu, unsigned int segment, uint32_t offset,
                                       uint32_t size, enum segment_access access, gva_t *at)
{
	const struct vcpu_segment_register *in = &vcpu->segments[segment];
	const uint16_t kinds = VCPU_ATTRIBUTE_S | VCPU_ATTRIBUTE_CODE | VCPU_ATTRIBUTE_DOWN |
	                       VCPU_ATTRIBUTE_WRITABLE;

	if ((in->attributes & kinds) == (VCPU_ATTRIBUTE_S | VCPU_ATTRIBUTE_WRITABLE) &&
	    in->usable && offset <= in->limit && size - 1 <= in->limit - offset) {
		*at = gva(in->base + offset);
		return true;
	}
	return segments_translate(vcpu, (enum vcpu_segment)segment, offset, size, access, at);
}

/* Up to a page at segment:offset. */
static inline bool interpret_read(struct vcpu *vcpu, unsigned int segment, uint32_t offset,
                                  void *to, uint32_t size)
{
	gva_t at;

	return interpret_translate(vcpu, segment, offset, size, SEGMENT_READ, &at) &&
	       linear_read(vcpu, at, to, size, LINEAR_AS_CPL);
}

static inline bool interpret_write(struct vcpu *vcpu, unsigned int segment, uint32_t offset,
                                   const void *from, uint32_t size)
{
	gva_t at;

	return interpret_translate(vcpu, segment, offset, size, SEGMENT_WRITE, &at) &&
	       linear_write(vcpu, at, from, size, LINEAR_AS_CPL);
}

/* The value of an operand of at most four bytes: a register, memory, or what the bytes say. Memory
 * and registers come zero-extended, immediates as the decoder has extended them. */
static inline bool interpret_get(struct vcpu *vcpu, const struct instruction *in, unsigned int n,
                                 uint32_t *value)
{
	const struct operand *operand = &in->operands[n];

	switch (operand->kind) {
	case OPERAND_IS_GENERAL:
		*value = interpret_get_register(vcpu, operand->number, operand->size);
		return true;
	case OPERAND_IS_MEMORY:
		*value = 0;
		return interpret_read(vcpu, in->memory.segment, interpret_offset(vcpu, in), value,
		                      operand->size);
	case OPERAND_IS_ONE:
		*value = 1;
		return true;
	case OPERAND_IS_SECOND:
		*value = in->second;
		return true;
	default:
		*value = in->immediate;
		return true;
	}
}

/* To a register or to memory. */
static inline bool interpret_set(struct vcpu *vcpu, const struct instruction *in, unsigned int n,
                                 uint32_t value)
{
	const struct operand *operand = &in->operands[n];

	if (operand->kind == OPERAND_IS_MEMORY)
		return interpret_write(vcpu, in->memory.segment, interpret_offset(vcpu, in), &value,
		                       operand->size);
	interpret_set_register(vcpu, operand->number, operand->size, value);
	return true;
}

/* Reading what will be written: the fault of a page that may not be written says "write", and it
 * comes before anything is read, as on silicon. */
static inline bool interpret_open_at(struct vcpu *vcpu, unsigned int segment, uint32_t offset,
                                     void *to, uint32_t size, gva_t *at)
{
	return interpret_translate(vcpu, segment, offset, size, SEGMENT_WRITE, at) &&
	       linear_check_write(vcpu, *at, size, LINEAR_AS_CPL) &&
	       linear_read(vcpu, *at, to, size, LINEAR_AS_CPL);
}

/* For operand 0 of a read-modify-write instruction, then interpret_close with what becomes of it.
 * `at` means nothing when it is a register. */
static inline bool interpret_open(struct vcpu *vcpu, const struct instruction *in, gva_t *at,
                                  uint32_t *value)
{
	const struct operand *operand = &in->operands[0];

	if (operand->kind == OPERAND_IS_MEMORY) {
		*value = 0;
		return interpret_open_at(vcpu, in->memory.segment, interpret_offset(vcpu, in),
		                         value, operand->size, at);
	}
	*at = gva(0);
	*value = interpret_get_register(vcpu, operand->number, operand->size);
	return true;
}

static inline bool interpret_close(struct vcpu *vcpu, const struct instruction *in, gva_t at,
                                   uint32_t value)
{
	const struct operand *operand = &in->operands[0];

	if (operand->kind == OPERAND_IS_MEMORY)
		return linear_write(vcpu, at, &value, operand->size, LINEAR_AS_CPL);
	interpret_set_register(vcpu, operand->number, operand->size, value);
	return true;
}

/* transfer_push and transfer_pop, with what nearly always holds decided here: a 32-bit stack. */
static inline bool interpret_push_value(struct vcpu *vcpu, uint32_t value, unsigned int size)
{
	uint32_t esp = vcpu->registers[VCPU_ESP] - size;

	if (!(vcpu->segments[VCPU_SS].attributes & VCPU_ATTRIBUTE_BIG))
		return transfer_push(vcpu, value, size);
	if (!interpret_write(vcpu, VCPU_SS, esp, &value, size))
		return false;
	vcpu->registers[VCPU_ESP] = esp;
	return true;
}

static inline bool interpret_pop_value(struct vcpu *vcpu, uint32_t *value, unsigned int size)
{
	if (!(vcpu->segments[VCPU_SS].attributes & VCPU_ATTRIBUTE_BIG))
		return transfer_pop(vcpu, value, size);
	*value = 0;
	if (!interpret_read(vcpu, VCPU_SS, vcpu->registers[VCPU_ESP], value, size))
		return false;
	vcpu->registers[VCPU_ESP] += size;
	return true;
}

/* #GP(0) above ring 0. */
static inline bool interpret_require_ring0(struct vcpu *vcpu)
{
	return vcpu->cpl == 0 || fault_raise_with_error(vcpu, FAULT_GP, 0);
}

static inline unsigned int interpret_iopl(const struct vcpu *vcpu)
{
	return vcpu->eflags / (VCPU_EFLAGS_IOPL & -VCPU_EFLAGS_IOPL) & 3;
}

/* pushf, popf and iret in virtual-8086 mode: #GP(0) below IOPL 3. */
static inline bool interpret_require_v86_iopl(struct vcpu *vcpu)
{
	return !(vcpu->eflags & VCPU_EFLAGS_VM) || interpret_iopl(vcpu) == 3 ||
	       fault_raise_with_error(vcpu, FAULT_GP, 0);
}

/* #UD in virtual-8086 mode. */
static inline bool interpret_require_protected(struct vcpu *vcpu)
{
	return !(vcpu->eflags & VCPU_EFLAGS_VM) || fault_raise(vcpu, FAULT_UD);
}

#endif
