/* Random programs, made from the table of opcodes, translated and interpreted side by side. */
#include "tests/monitor/run/lockstep_here.h"

#define PROGRAMS     2000
#define LENGTH       24 /* instructions */
#define HOST_MAX     600
#define SLOT         32 /* bytes for one instruction and what prepares it */
#define PREPARED_MAX 16

static uint32_t seed;

static uint32_t random_number(void)
{
	seed = seed * 1664525 + 1013904223;
	return seed >> 8;
}

static bool one_in(uint32_t n)
{
	return random_number() % n == 0;
}

/* Left out: what needs the real unit, ends the program at once, or turns the tables round under
 * ring 1, which here has no page tables of its own. */
static bool is_wanted(const struct instruction *in)
{
	const struct opcode *row = instruction_opcode(in);

	if (row->properties & PROPERTY_X87 || row->feature == FEATURE_X87 ||
	    (row->feature >= FEATURE_MMX && row->feature != FEATURE_CMOV))
		return false;
	if (row->class & (CLASS_PRIVILEGED | CLASS_UNDEFINED) && row->class & CLASS_END)
		return false;
	/* Jumps are made elsewhere, with targets that are good. */
	return !(row->class & CLASS_CONTROL) || one_in(20);
}

/* A run of bytes that is an instruction, of 13 at the most. */
static uint32_t make_instruction(uint8_t *bytes, struct instruction *in)
{
	static const uint8_t prefixes[] = {0x66, 0x66, 0x66, 0x67, 0xF0, 0xF2, 0xF3,
	                                   0xF3, 0x26, 0x2E, 0x36, 0x3E, 0x64, 0x65};
	uint32_t at;

	do {
		at = 0;
		while (one_in(5))
			bytes[at++ % 4] = prefixes[random_number() % sizeof(prefixes)];
		at %= 4;
		if (one_in(4))
			bytes[at++] = 0x0F;
		while (at < INSTRUCTION_MAX_LENGTH)
			bytes[at++] = (uint8_t)random_number();
	} while (instruction_decode(bytes, at, 32, in) != DECODE_OK || !is_wanted(in) ||
	         in->length > 13);
	return in->length;
}

static uint32_t put_mov(uint8_t *bytes, unsigned int number, uint32_t value)
{
	bytes[0] = (uint8_t)(0xB8 + number);
	memcpy(bytes + 1, &value, 4);
	return 5;
}

/* A repeated one runs some of its rounds at a time, which may be different ones on the two
 * machines: few rounds make one time. */
static uint32_t prepare_string(uint8_t *bytes)
{
	uint32_t at = put_mov(bytes, REGISTER_ECX, random_number() % 8);

	at += put_mov(bytes + at, REGISTER_ESI, RUN_DATA + 64 + random_number() % 0xF00);
	return at + put_mov(bytes + at, REGISTER_EDI, RUN_DATA + 64 + random_number() % 0xF00);
}

/* Makes most addresses good ones: in the data, by way of the registers that the operand names. */
static uint32_t prepare(uint8_t *bytes, struct instruction *in, uint8_t *code)
{
	uint32_t displacement = RUN_DATA + random_number() % 0xF00, at = 0;

	if (in->repeat != REPEAT_NONE)
		return prepare_string(bytes);
	if (!in->has_memory || in->address_size == 2 || one_in(20))
		return 0;
	if (in->memory.index != REGISTER_NONE)
		at += put_mov(bytes + at, in->memory.index, random_number() % 32);
	if (in->memory.base == REGISTER_NONE) {
		if (in->displacement_size == 4)
			memcpy(code + in->displacement_at, &displacement, 4);
		return at;
	}
	if (in->memory.base != in->memory.index && in->memory.base != REGISTER_ESP)
		at += put_mov(bytes + at, in->memory.base, displacement - in->memory.displacement);
	return at;
}

static uint32_t slot_at(uint32_t n)
{
	return RUN_CODE + n * SLOT;
}

/* jcc, jmp, call, ret, loop or jecxz, to some instruction of the program. */
static uint32_t make_transfer(uint8_t *bytes, uint32_t at)
{
	uint32_t target = slot_at(random_number() % (LENGTH + 1)), kind = random_number() % 8;
	uint32_t relative = target - (at + 5);

	if (kind == 0) {
		bytes[0] = 0xC3;
		return 1;
	}
	if (kind == 1) {
		uint32_t used = put_mov(bytes, random_number() % 4, target);
		bytes[used] = 0xFF; /* jmp or call by that register */
		bytes[used + 1] = (uint8_t)((one_in(2) ? 0xE0 : 0xD0) | (bytes[0] & 7));
		return used + 2;
	}
	if (kind <= 3) {
		bytes[0] = kind == 2 ? 0xE9 : 0xE8;
		memcpy(bytes + 1, &relative, 4);
		return 5;
	}
	if (kind == 4) { /* loop and its kin, over a jump */
		bytes[0] = (uint8_t)(0xE0 + random_number() % 4);
		bytes[1] = 5;
		relative -= 2;
		bytes[2] = 0xE9;
		memcpy(bytes + 3, &relative, 4);
		return 7;
	}
	bytes[0] = 0x0F;
	bytes[1] = (uint8_t)(0x80 + random_number() % 16);
	relative--;
	memcpy(bytes + 2, &relative, 4);
	return 6;
}

static void make_slot(uint32_t n, bool branching)
{
	uint8_t *slot = run_machine.ram + slot_at(n), code[INSTRUCTION_MAX_LENGTH + 1];
	struct instruction in;
	uint32_t used, size;

	memset(slot, 0x90, SLOT);
	if (branching && one_in(4)) {
		make_transfer(slot, slot_at(n));
		return;
	}
	size = make_instruction(code, &in);
	used = prepare(slot, &in, code);
	memcpy(slot + used, code, size);
	/* Shorter than nops to the next one: a jump over the rest of the slot. */
	slot[used + size] = 0xEB;
	slot[used + size + 1] = (uint8_t)(SLOT - used - size - 2);
}

static uint8_t do_nothing(struct vm_unit_run *run)
{
	(void)run;
	return VM_UNIT_NO_FAULT;
}

/* For fwait alone: CR0.EM refuses everything else. */
static uint8_t no_memory[4096];
static const struct vm_unit no_unit = {.memory = no_memory, .run = do_nothing};

static void limit_data(void)
{
	struct vcpu *vcpu = ring1_plain;

	run_descriptor(RUN_DATA0, 0, RING1_GUEST_END / GUEST_PAGE_SIZE - 1, 0xC093);
	run_descriptor(RUN_DATA3, 0, RING1_GUEST_END / GUEST_PAGE_SIZE - 1, 0xC0F3);
	run_set_ring(vcpu, 0);
}

static void make_program(uint32_t number, bool branching)
{
	struct vcpu *vcpu = run_start();

	seed = number * 7919 + branching;
	limit_data();
	vcpu->cr0 |= VCPU_CR0_EM;
	run_machine.vm.unit = &no_unit;
	for (uint32_t vector = 0; vector < 256; vector++)
		run_machine.ram[RUN_HANDLERS + vector * 16] = 0xF4;
	for (uint32_t n = 0; n < LENGTH; n++)
		make_slot(n, branching);
	run_machine.ram[slot_at(LENGTH)] = 0xF4;
	for (uint32_t i = 0; i < 0x2000; i++)
		run_machine.ram[RUN_DATA + i] = (uint8_t)random_number();
	for (int i = 0; i < VCPU_REGISTERS; i++)
		if (i != VCPU_ESP)
			vcpu->registers[i] =
			        one_in(2) ? RUN_DATA + random_number() % 0x1000 : random_number();
	vcpu->registers[VCPU_ESP] -= random_number() % 64 * 4;
	vcpu->eflags =
	        (random_number() & 0xCD5) | VCPU_EFLAGS_ONE | (one_in(2) ? VCPU_EFLAGS_IF : 0);
}

/* Until the end, or long enough, or until it runs where only one of the machines has something. */
static bool run_program(void)
{
	ring1.host_max = HOST_MAX;
	ring1.watching = true;
	while (!ring1_guest->halted && !ring1.machine.vm.ended && !ring1.lost &&
	       ring1.host < HOST_MAX && ring1.dispatches < HOST_MAX &&
	       ring1_guest->eip < RING1_GUEST_END)
		ring1_dispatch();
	if (!ring1.machine.vm.ended && ring1_guest->eip < RING1_GUEST_END)
		ring1_follow();
	return !ring1.lost;
}

static bool run_ways(uint32_t number, bool branching)
{
	static const struct translator_options ways[] = {
	        {0}, {.no_chaining = true}, {.cache_blocks_max = 4}, {.flush_every = 3}};
	bool in_lockstep = number % 3 == 0;
	static struct small_machine begun;
	uint64_t host;

	make_program(number, branching);
	begun = run_machine;
	if (in_lockstep)
		lockstep_here();
	else
		ring1_start(&ways[number % 4]);
	if (!run_program())
		return false;
	lockstep_gone();
	host = ring1.host < HOST_MAX ? ring1.host : HOST_MAX;
	for (uint32_t i = 0; i < 2 && host; i++) {
		run_machine = begun;
		if (in_lockstep)
			lockstep_here();
		else
			ring1_start(&ways[0]);
		ring1.stop_at = 1 + random_number() % host;
		if (!run_program())
			return false;
		lockstep_gone();
	}
	return true;
}

static void run_programs(bool branching)
{
	for (uint32_t number = 0; number < PROGRAMS; number++)
		if (!run_ways(number, branching)) {
			printf("program %u, interrupted %d after %d%s\n", number,
			       ring1.stop_at == 0, (int)ring1.host, lockstep_problem);
			ring1_list();
			unit_failed = true;
			return;
		}
}

TEST(random_straight_line)
{
	run_programs(false);
}

TEST(random_branching)
{
	run_programs(true);
}

UNIT_MAIN
