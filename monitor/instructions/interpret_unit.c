#include "monitor/instructions/interpret_unit.h"

#include "monitor/state/vm.h"

#define PREFIX_BYTE_O16 0x66
#define PREFIX_BYTE_F2  0xF2
#define PREFIX_BYTE_F3  0xF3
#define TWO_BYTE        0x0F

/* ModRM for [disp32]: with a SIB byte, which 64-bit code reads alike. */
#define MODRM_SIB      0x04
#define SIB_DISP32     0x25
#define MODRM_REG_MASK 0x38
#define MODRM_RM_MASK  0x07

#define ALIGNMENT      16
#define OPERAND_MAX    512
#define SMALLEST_IMAGE 14 /* of fldenv with 16-bit operands */

#define ARITHMETIC_FLAGS                                                                      \
	(VCPU_EFLAGS_CF | VCPU_EFLAGS_PF | VCPU_EFLAGS_AF | VCPU_EFLAGS_ZF | VCPU_EFLAGS_SF | \
	 VCPU_EFLAGS_OF)

/* The image of fxsave: what the last x87 instruction was, and where. */
struct last_instruction {
	uint16_t opcode;
	uint32_t eip;
	uint16_t cs, reserved;
	uint32_t operand;
	uint16_t ds, reserved2;
} __attribute__((packed));

#define STATUS_AT           2
#define STATUS_ERROR        0x80 /* one that is not masked */
#define LAST_INSTRUCTION_AT 6
#define FDECSTP             0xD9, 0xF6

_Static_assert(sizeof(struct last_instruction) == 18, "bytes 6 to 23 of the image");

/* What an instruction does to memory, if it does. */
struct reached_memory {
	uint32_t segment, offset, size; /* size 0: no memory */
	bool written;
	gva_t at;
};

static struct reached_memory find_place(const struct vcpu *vcpu, const struct instruction *in)
{
	struct reached_memory place = {.segment = in->memory.segment};

	if (in->has_memory) {
		unsigned int n = in->operands[0].kind == OPERAND_IS_MEMORY ? 0 : 1;
		place.offset = interpret_offset(vcpu, in);
		place.size = in->operands[n].size;
		place.written = instruction_writes_operand(in, n);
	} else if (instruction_opcode(in)->properties & PROPERTY_WRITE) {
		/* maskmovq and maskmovdqu: what is not selected is written as it was. */
		place.offset = vcpu->registers[VCPU_EDI];
		if (in->address_size == 2)
			place.offset &= 0xFFFF;
		place.size = in->operands[0].size;
		place.written = true;
	}
	return place;
}

/* Also what will only be written is read first: an instruction may leave part of it alone. */
static bool open_place(struct vcpu *vcpu, struct reached_memory *place, uint8_t *to)
{
	if (place->size == 0)
		return true;
	if (place->written)
		return interpret_open_at(vcpu, place->segment, place->offset, to, place->size,
		                         &place->at);
	return interpret_translate(vcpu, place->segment, place->offset, place->size, SEGMENT_READ,
	                           &place->at) &&
	       linear_read(vcpu, place->at, to, place->size, LINEAR_AS_CPL);
}

static bool is_x87(const struct instruction *in)
{
	uint8_t feature = instruction_opcode(in)->feature;

	return feature == FEATURE_X87 || feature == FEATURE_CMOV;
}

static void add_byte(struct vm_unit_run *run, unsigned int byte)
{
	run->code[run->length++] = (uint8_t)byte;
}

/* For x87 the size of an image in memory, elsewhere part of the opcode. */
static bool has_size_prefix(const struct instruction *in)
{
	return is_x87(in) ? in->operand_size == 2 : in->prefixes & PREFIX_O16;
}

/* ModRM.reg and ModRM.rm as they were, but for the number of a general register. */
static uint8_t modrm_with_eax(const struct instruction *in)
{
	uint8_t modrm = in->modrm;

	for (unsigned int n = 0; n < in->operand_count; n++)
		if (in->operands[n].kind == OPERAND_IS_GENERAL) {
			uint8_t code = instruction_opcode(in)->operands[n];
			if (operand_places[code] == PLACE_REG)
				modrm &= (uint8_t)~MODRM_REG_MASK;
			else if (operand_places[code] == PLACE_RM)
				modrm &= (uint8_t)~MODRM_RM_MASK;
		}
	return modrm;
}

static void encode(struct vm_unit_run *run, const struct instruction *in, uint32_t address)
{
	uint8_t modrm = modrm_with_eax(in);

	run->length = 0;
	if (has_size_prefix(in))
		add_byte(run, PREFIX_BYTE_O16);
	if (in->prefixes & (PREFIX_F2 | PREFIX_F3))
		add_byte(run, in->prefixes & PREFIX_F2 ? PREFIX_BYTE_F2 : PREFIX_BYTE_F3);
	if (!is_x87(in))
		add_byte(run, TWO_BYTE);
	add_byte(run, in->opcode);
	if (in->has_memory) {
		add_byte(run, (modrm & MODRM_REG_MASK) | MODRM_SIB);
		add_byte(run, SIB_DISP32);
		for (int shift = 0; shift < 32; shift += 8)
			add_byte(run, address >> shift & 0xFF);
	} else if (in->modrm_at) {
		add_byte(run, modrm);
	}
	if (in->immediate_size)
		add_byte(run, in->immediate & 0xFF);
}

/* The operand that is a general register, or -1. */
static int general_operand(const struct instruction *in)
{
	for (int n = 0; n < in->operand_count; n++)
		if (in->operands[n].kind == OPERAND_IS_GENERAL)
			return n;
	return -1;
}

static void get_last_instruction(const struct vcpu *vcpu, struct last_instruction *last)
{
	__builtin_memcpy(last, vcpu->fpu + LAST_INSTRUCTION_AT, sizeof(*last));
}

/* Loads what a guest had noted earlier. */
static bool loads_image(const struct reached_memory *place)
{
	return place->size >= SMALLEST_IMAGE && place->size != ALIGNMENT && !place->written;
}

/* The unit may have noted where our copy of the instruction stands. */
static void mend_last_instruction(struct vcpu *vcpu, const struct instruction *in,
                                  const struct reached_memory *place)
{
	struct last_instruction now;

	get_last_instruction(vcpu, &now);
	if (now.eip != vcpu->vm->unit->code || loads_image(place))
		return;
	now.opcode = (uint16_t)((in->opcode & 7) << 8 | in->modrm);
	now.eip = vcpu->instruction_eip;
	now.cs = vcpu->segments[VCPU_CS].selector;
	if (place->size) {
		now.operand = place->offset;
		now.ds = vcpu->segments[place->segment].selector;
	}
	__builtin_memcpy(vcpu->fpu + LAST_INSTRUCTION_AT, &now, sizeof(now));
}

/* #XM only where the guest has said that it handles it. */
static bool raise_fault(struct vcpu *vcpu, uint8_t vector)
{
	if (vector == FAULT_XM && !(vcpu->cr4 & VCPU_CR4_OSXMMEXCPT))
		vector = FAULT_UD;
	if (vector == FAULT_GP || vector == FAULT_SS)
		return fault_raise_with_error(vcpu, (enum fault_vector)vector, 0);
	return fault_raise(vcpu, (enum fault_vector)vector);
}

/* Those that wait for no error: fnstenv, fnstcw, fnsave, fnstsw, fxsave and fxrstor. */
static bool never_waits(const struct instruction *in)
{
	unsigned int feature = instruction_opcode(in)->feature;
	unsigned int reg = in->modrm >> 3 & 7;

	/* 0F D9 and 0F DD are MMX instructions. */
	if (feature == FEATURE_X87 && (in->opcode == 0xD9 || in->opcode == 0xDD))
		return reg >= 6;
	return feature == FEATURE_FXSR;
}

/* What would become of it: nothing of the guest is changed. */
static uint8_t ask_unit(const struct vcpu *vcpu, struct vm_unit_run *run)
{
	static uint8_t state[sizeof(vcpu->fpu)] __attribute__((aligned(ALIGNMENT)));

	__builtin_memcpy(state, vcpu->fpu, sizeof(state));
	run->state = state;
	return vcpu->vm->unit->run(run);
}

/* An error that waits comes before what becomes of the memory. Whether it is reported, the unit
 * says when it is asked for something that needs no memory. */
static bool error_waits(struct vcpu *vcpu, const struct instruction *in)
{
	struct vm_unit_run run = {.code = {FDECSTP}, .length = 2};
	const struct vm_unit *unit = vcpu->vm->unit;

	if (!(instruction_opcode(in)->properties & PROPERTY_X87) || never_waits(in))
		return false;
	if (unit->take_back)
		unit->take_back();
	return vcpu->fpu[STATUS_AT] & STATUS_ERROR && ask_unit(vcpu, &run) == FAULT_MF;
}

/* movups, movupd and movdqu take any address. */
static bool takes_any_address(const struct instruction *in)
{
	uint8_t last = in->opcode;

	return last == 0x10 || last == 0x11 ||
	       ((last == 0x6F || last == 0x7F) && in->prefixes & PREFIX_F3);
}

/* The wrong alignment, too, where the unit looks at it. */
static bool is_misaligned(const struct vcpu *vcpu, const struct instruction *in,
                          const struct reached_memory *place)
{
	uint32_t skew = (vcpu->segments[place->segment].base + place->offset) % ALIGNMENT;
	struct vm_unit_run run = {.flags = 0};

	if (place->size != ALIGNMENT || skew == 0 || takes_any_address(in) || !in->has_memory)
		return false;
	encode(&run, in, vcpu->vm->unit->address + skew);
	return ask_unit(vcpu, &run) == FAULT_GP;
}

/* What comes before a fault of the memory. False: it was raised. */
static bool check_before_memory(struct vcpu *vcpu, const struct instruction *in,
                                const struct reached_memory *place)
{
	if (error_waits(vcpu, in))
		return fault_raise(vcpu, FAULT_MF);
	if (is_misaligned(vcpu, in, place))
		return fault_raise_with_error(vcpu, FAULT_GP, 0);
	return true;
}

static void take_results(struct vcpu *vcpu, const struct instruction *in,
                         const struct vm_unit_run *run)
{
	int general = general_operand(in);

	vcpu->eflags = (vcpu->eflags & ~ARITHMETIC_FLAGS) | (run->flags & ARITHMETIC_FLAGS);
	if (general >= 0 && instruction_writes_operand(in, (unsigned int)general))
		interpret_set_register(vcpu, in->operands[general].number,
		                       in->operands[general].size, run->registers[VCPU_EAX]);
}

static bool run_on_unit(struct vcpu *vcpu, const struct instruction *in)
{
	const struct vm_unit *unit = vcpu->vm->unit;
	struct vm_unit_run run = {.flags = vcpu->eflags & ARITHMETIC_FLAGS, .state = vcpu->fpu};
	struct reached_memory place = find_place(vcpu, in);
	int general = general_operand(in);
	uint8_t content[OPERAND_MAX], vector;
	uint32_t skew;

	if (place.size && !check_before_memory(vcpu, in, &place))
		return false;
	if (!open_place(vcpu, &place, content))
		return false;
	/* The same alignment, so that the unit refuses what it would refuse there. */
	skew = place.size ? place.at.value % ALIGNMENT : 0;
	__builtin_memcpy(unit->memory + skew, content, place.size);
	encode(&run, in, unit->address + skew);
	if (general >= 0)
		run.registers[VCPU_EAX] = vcpu->registers[in->operands[general].number];
	run.registers[VCPU_EDI] = unit->address + skew;
	vector = unit->run(&run);
	mend_last_instruction(vcpu, in, &place);
	if (vector != VM_UNIT_NO_FAULT)
		return raise_fault(vcpu, vector);
	if (place.written &&
	    !linear_write(vcpu, place.at, unit->memory + skew, place.size, LINEAR_AS_CPL))
		return false;
	take_results(vcpu, in, &run);
	return true;
}

bool interpret_x87(struct vcpu *vcpu, const struct instruction *in)
{
	if (vcpu->cr0 & (VCPU_CR0_EM | VCPU_CR0_TS))
		return fault_raise(vcpu, FAULT_NM);
	return run_on_unit(vcpu, in);
}

bool interpret_fwait(struct vcpu *vcpu, const struct instruction *in)
{
	const uint32_t both = VCPU_CR0_MP | VCPU_CR0_TS;

	if ((vcpu->cr0 & both) == both)
		return fault_raise(vcpu, FAULT_NM);
	return run_on_unit(vcpu, in);
}

bool interpret_mmx(struct vcpu *vcpu, const struct instruction *in)
{
	if (vcpu->cr0 & VCPU_CR0_EM)
		return fault_raise(vcpu, FAULT_UD);
	if (vcpu->cr0 & VCPU_CR0_TS)
		return fault_raise(vcpu, FAULT_NM);
	return run_on_unit(vcpu, in);
}

/* What came with SSE but works on MMX registers alone does not ask for CR4.OSFXSR. Conversions
 * (0F 2A, 2C and 2D) do, also from memory into an MMX register. */
static bool uses_sse_state(const struct instruction *in)
{
	if ((in->opcode & 0xF8) == 0x28)
		return true;
	for (unsigned int n = 0; n < in->operand_count; n++)
		if (in->operands[n].kind == OPERAND_IS_XMM)
			return true;
	return !(instruction_opcode(in)->properties & PROPERTY_X87);
}

bool interpret_sse(struct vcpu *vcpu, const struct instruction *in)
{
	if (uses_sse_state(in) && !(vcpu->cr4 & VCPU_CR4_OSFXSR))
		return fault_raise(vcpu, FAULT_UD);
	return interpret_mmx(vcpu, in);
}

/* fxsave and fxrstor fault like x87 instructions. */
bool interpret_fxsave(struct vcpu *vcpu, const struct instruction *in)
{
	return interpret_x87(vcpu, in);
}
