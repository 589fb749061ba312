#include "monitor/instructions/interpret_strings.h"

#include "monitor/cpu/control.h"
#include "monitor/devices/bus.h"
#include "monitor/instructions/alu.h"
#include "monitor/memory/watchpoints.h"
#include "monitor/state/vm.h"

/* Iterations in one step of the interpreter. Interrupts come only from devices, which nobody
 * advances meanwhile, so none is taken late for it. */
#define ITERATIONS 256

/* Bytes of a fill that others are told of: their memory is on our stack. */
#define TOLD_AT_ONCE 1024

static uint32_t cut(const struct instruction *in, uint32_t value)
{
	return in->address_size == 4 ? value : value & 0xFFFF;
}

/* The opcode's lowest bit tells bytes from words. */
static unsigned int element_size(const struct instruction *in)
{
	return in->opcode & 1 ? in->operand_size : 1;
}

static void advance(struct vcpu *vcpu, const struct instruction *in, enum vcpu_register index)
{
	uint32_t step = element_size(in);

	if (vcpu->eflags & VCPU_EFLAGS_DF)
		step = 0 - step;
	interpret_set_register(vcpu, index, in->address_size, vcpu->registers[index] + step);
}

static bool read_source(struct vcpu *vcpu, const struct instruction *in, uint32_t *value)
{
	*value = 0;
	return interpret_read(vcpu, in->memory.segment, cut(in, vcpu->registers[VCPU_ESI]), value,
	                      element_size(in));
}

/* No prefix changes the segment of a destination. */
static bool read_destination(struct vcpu *vcpu, const struct instruction *in, uint32_t *value)
{
	*value = 0;
	return interpret_read(vcpu, VCPU_ES, cut(in, vcpu->registers[VCPU_EDI]), value,
	                      element_size(in));
}

static bool write_destination(struct vcpu *vcpu, const struct instruction *in, uint32_t value)
{
	return interpret_write(vcpu, VCPU_ES, cut(in, vcpu->registers[VCPU_EDI]), &value,
	                       element_size(in));
}

/* After an iteration: whether cmps or scas have found what they look for. */
static bool is_found(const struct vcpu *vcpu, const struct instruction *in)
{
	bool equal = vcpu->eflags & VCPU_EFLAGS_ZF;

	return (in->repeat == REPEAT_WHILE_EQUAL && !equal) ||
	       (in->repeat == REPEAT_WHILE_NOT_EQUAL && equal);
}

/* eip stays at an instruction that has not come to its end; RF, if it was set, stays too. */
static bool go_on_later(struct vcpu *vcpu, const struct instruction *in)
{
	vcpu->eip -= in->length;
	vcpu->keeps_resume = true;
	return true;
}

static bool repeat(struct vcpu *vcpu, const struct instruction *in, unsigned int iterations,
                   interpret_handler *once)
{
	uint32_t count;

	if (in->repeat == REPEAT_NONE)
		return once(vcpu, in);
	/* Single stepping traps after each, and so does a breakpoint that an iteration has met. In
	 * lockstep the other run may have stopped behind any. */
	if (vcpu->eflags & VCPU_EFLAGS_TF || vcpu->vm->journal)
		iterations = 1;
	count = cut(in, vcpu->registers[VCPU_ECX]);
	while (count > 0) {
		if (iterations-- == 0 || vcpu->debug_met)
			return go_on_later(vcpu, in);
		if (!once(vcpu, in))
			return false;
		count--;
		interpret_set_register(vcpu, VCPU_ECX, in->address_size, count);
		if (is_found(vcpu, in))
			break;
	}
	return true;
}

/* Elements one behind the other in our memory. */
struct run {
	uint8_t *ram;
	gva_t at;
	bool told; /* somebody wants to know what is written: all of it by one write */
};

/* What the buffer does not know yet, or must not let through. */
static bool find_slowly(struct vcpu *vcpu, struct run *run, unsigned int right)
{
	if (vcpu->cpl == 3 && vcpu->eflags & VCPU_EFLAGS_AC)
		return false;
	run->ram = linear_look_for(vcpu, run->at, right);
	run->told = right == LINEAR_WRITE;
	return run->ram;
}

/* The elements at segment:index, when the next of them can be accessed with nothing to look at in
 * between; *count is made smaller to that end. */
static bool find_run(struct vcpu *vcpu, unsigned int segment, enum vcpu_register index,
                     unsigned int size, enum segment_access access, struct run *run,
                     uint32_t *count)
{
	const struct vcpu_segment_register *in = &vcpu->segments[segment];
	gva_t at = gva(in->base + vcpu->registers[index]);
	uint32_t room = (GUEST_PAGE_SIZE - at.value % GUEST_PAGE_SIZE) / size;
	unsigned int right = access == SEGMENT_WRITE ? LINEAR_WRITE : LINEAR_READ;

	if (*count > room)
		*count = room;
	if (at.value % size || !segments_allow(in, vcpu->registers[index], *count * size, access))
		return false;
	*run = (struct run){.at = at};
	run->ram = linear_find(vcpu, at, linear_right(vcpu, right, LINEAR_AS_CPL));
	return run->ram || find_slowly(vcpu, run, right);
}

/* Ordinary copying and filling: upwards, and nobody wants to be told of each element. */
static bool may_run(const struct vcpu *vcpu, const struct instruction *in)
{
	return in->repeat == REPEAT_ALWAYS && in->address_size == 4 &&
	       vcpu->registers[VCPU_ECX] > 0 && !watchpoints_are_on(vcpu) &&
	       !(vcpu->eflags & (VCPU_EFLAGS_DF | VCPU_EFLAGS_TF));
}

static bool finish_run(struct vcpu *vcpu, const struct instruction *in, uint32_t count)
{
	vcpu->registers[VCPU_ECX] -= count;
	return vcpu->registers[VCPU_ECX] == 0 || go_on_later(vcpu, in);
}

static bool move_once(struct vcpu *vcpu, const struct instruction *in)
{
	uint32_t value;

	if (!read_source(vcpu, in, &value) || !write_destination(vcpu, in, value))
		return false;
	advance(vcpu, in, VCPU_ESI);
	advance(vcpu, in, VCPU_EDI);
	return true;
}

static bool overlap(const struct run *one, const struct run *other, uint32_t bytes)
{
	return one->ram < other->ram + bytes && other->ram < one->ram + bytes;
}

/* Element by element: where source and destination overlap, what was written is read again. */
static bool move_run(struct vcpu *vcpu, const struct instruction *in, uint32_t *count)
{
	unsigned int size = element_size(in);
	struct run from, to;

	if (!find_run(vcpu, in->memory.segment, VCPU_ESI, size, SEGMENT_READ, &from, count) ||
	    !find_run(vcpu, VCPU_ES, VCPU_EDI, size, SEGMENT_WRITE, &to, count))
		return false;
	if (to.told) {
		if (overlap(&from, &to, *count * size) ||
		    !linear_write(vcpu, to.at, from.ram, *count * size, LINEAR_AS_CPL))
			return false;
	} else {
		for (uint32_t i = 0; i < *count; i++)
			linear_copy_simple(to.ram + i * size, from.ram + i * size, size);
	}
	vcpu->registers[VCPU_ESI] += *count * size;
	vcpu->registers[VCPU_EDI] += *count * size;
	return true;
}

bool interpret_movs(struct vcpu *vcpu, const struct instruction *in)
{
	uint32_t count = vcpu->registers[VCPU_ECX];

	if (may_run(vcpu, in) && move_run(vcpu, in, &count))
		return finish_run(vcpu, in, count);
	return repeat(vcpu, in, ITERATIONS, move_once);
}

static bool compare_once(struct vcpu *vcpu, const struct instruction *in)
{
	uint32_t source, destination;

	if (!read_source(vcpu, in, &source) || !read_destination(vcpu, in, &destination))
		return false;
	vcpu->eflags = alu_sub(element_size(in), source, destination, vcpu->eflags).flags;
	advance(vcpu, in, VCPU_ESI);
	advance(vcpu, in, VCPU_EDI);
	return true;
}

bool interpret_cmps(struct vcpu *vcpu, const struct instruction *in)
{
	return repeat(vcpu, in, ITERATIONS, compare_once);
}

static bool store_once(struct vcpu *vcpu, const struct instruction *in)
{
	if (!write_destination(vcpu, in, vcpu->registers[VCPU_EAX]))
		return false;
	advance(vcpu, in, VCPU_EDI);
	return true;
}

static void fill(uint8_t *to, const struct vcpu *vcpu, unsigned int size, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		linear_copy_simple(to + i * size, &vcpu->registers[VCPU_EAX], size);
}

static bool store_run(struct vcpu *vcpu, const struct instruction *in, uint32_t *count)
{
	unsigned int size = element_size(in);
	uint8_t pattern[TOLD_AT_ONCE];
	struct run to;

	if (!find_run(vcpu, VCPU_ES, VCPU_EDI, size, SEGMENT_WRITE, &to, count))
		return false;
	if (to.told) {
		if (*count > sizeof(pattern) / size)
			*count = sizeof(pattern) / size;
		fill(pattern, vcpu, size, *count);
		if (!linear_write(vcpu, to.at, pattern, *count * size, LINEAR_AS_CPL))
			return false;
	} else {
		fill(to.ram, vcpu, size, *count);
	}
	vcpu->registers[VCPU_EDI] += *count * size;
	return true;
}

bool interpret_stos(struct vcpu *vcpu, const struct instruction *in)
{
	uint32_t count = vcpu->registers[VCPU_ECX];

	if (may_run(vcpu, in) && store_run(vcpu, in, &count))
		return finish_run(vcpu, in, count);
	return repeat(vcpu, in, ITERATIONS, store_once);
}

static bool load_once(struct vcpu *vcpu, const struct instruction *in)
{
	uint32_t value;

	if (!read_source(vcpu, in, &value))
		return false;
	interpret_set_register(vcpu, VCPU_EAX, element_size(in), value);
	advance(vcpu, in, VCPU_ESI);
	return true;
}

bool interpret_lods(struct vcpu *vcpu, const struct instruction *in)
{
	return repeat(vcpu, in, ITERATIONS, load_once);
}

static bool scan_once(struct vcpu *vcpu, const struct instruction *in)
{
	uint32_t value;

	if (!read_destination(vcpu, in, &value))
		return false;
	vcpu->eflags =
	        alu_sub(element_size(in), vcpu->registers[VCPU_EAX], value, vcpu->eflags).flags;
	advance(vcpu, in, VCPU_EDI);
	return true;
}

bool interpret_scas(struct vcpu *vcpu, const struct instruction *in)
{
	return repeat(vcpu, in, ITERATIONS, scan_once);
}

/* The port is read only when its value has a place to go: reading may change the device. */
static bool input_once(struct vcpu *vcpu, const struct instruction *in)
{
	uint16_t port = (uint16_t)vcpu->registers[VCPU_EDX];
	unsigned int size = element_size(in);
	uint32_t value;
	gva_t at;

	if (!interpret_translate(vcpu, VCPU_ES, cut(in, vcpu->registers[VCPU_EDI]), size,
	                         SEGMENT_WRITE, &at) ||
	    !linear_check_write(vcpu, at, size, LINEAR_AS_CPL))
		return false;
	vcpu->vm->device_accesses++;
	value = bus_read(vcpu->vm->bus, vcpu->vm->read_time(vcpu->vm), port, size);
	if (!linear_write(vcpu, at, &value, size, LINEAR_AS_CPL))
		return false;
	watchpoints_note_port(vcpu, port, size);
	advance(vcpu, in, VCPU_EDI);
	return true;
}

/* One iteration a step: a device may ask for an interrupt, or end the machine, at each. Whether the
 * port is allowed matters even when there is none. */
static bool repeat_port(struct vcpu *vcpu, const struct instruction *in, interpret_handler *once)
{
	uint16_t port = (uint16_t)vcpu->registers[VCPU_EDX];

	return control_check_port(vcpu, port, element_size(in)) && repeat(vcpu, in, 1, once);
}

bool interpret_ins(struct vcpu *vcpu, const struct instruction *in)
{
	return repeat_port(vcpu, in, input_once);
}

static bool output_once(struct vcpu *vcpu, const struct instruction *in)
{
	uint16_t port = (uint16_t)vcpu->registers[VCPU_EDX];
	uint32_t value;

	if (!read_source(vcpu, in, &value))
		return false;
	vcpu->vm->device_accesses++;
	bus_write(vcpu->vm->bus, vcpu->vm->read_time(vcpu->vm), port, element_size(in), value);
	watchpoints_note_port(vcpu, port, element_size(in));
	advance(vcpu, in, VCPU_ESI);
	return true;
}

bool interpret_outs(struct vcpu *vcpu, const struct instruction *in)
{
	return repeat_port(vcpu, in, output_once);
}
