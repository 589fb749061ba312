/* The descriptor logic: whatever stands in GDT, LDT, IDT and task states, and whatever is loaded,
 * called, returned to or delivered.
 *
 * The processor obeys the rules of rings after each of them; and what the real processor would be
 * given instead, after each of them too: code and data only, never of ring 0, and ending below the
 * place where the monitor begins. */
#include "monitor/cpu/compression.h"
#include "monitor/cpu/shadow_tables.h"
#include "monitor/memory/watch.h"
#include "monitor/state/stop.h"
#include "tests/fuzz/lawful.h"
#include "tests/monitor/cpu/rings.h"

#define CUT     0xFFC00000u
#define INDICES 8192
#define TOP     8175
#define STACKS  0x8000u /* the stacks of rings.h lie behind */
#define PLACES  0x1000u /* tables and task states: AT_GDT to AT_GDT + 4 * this */
#define STEPS   64

static struct small_machine machine;
static struct shadow_tables tables;
static struct descriptor gdt[INDICES], ldt[INDICES];
static uint8_t watchers[SMALL_RAM / GUEST_PAGE_SIZE];

static void set_up(void)
{
	struct vcpu *vcpu = start_kernel(&machine);

	memset(&tables, 0, sizeof(tables));
	memset(gdt, 0, sizeof(gdt));
	memset(ldt, 0, sizeof(ldt));
	memset(watchers, 0, sizeof(watchers));
	tables.gdt = gdt;
	tables.ldt = ldt;
	tables.last_index = TOP;
	tables.cut = CUT;
	MUST(watch_storage_size(machine.vm.ram_size) <= sizeof(watchers));
	machine.vm.watchers = watchers;
	shadow_tables_start(&machine.vm, &tables);
	for (uint32_t vector = 0; vector < 0x40; vector++)
		put_interrupt(&machine, vector, KERNEL_CODE, vector % 3 ? 0x8E : 0xEF);
	vcpu->eflags |= VCPU_EFLAGS_ONE;
}

static void check_given(const struct descriptor *given)
{
	struct segments_descriptor words;

	memcpy(&words, given, sizeof(words));
	struct vcpu_segment_register segment = segments_unpack(0, words);
	if (!segments_is_present(&segment))
		return;
	MUST(segment.attributes & VCPU_ATTRIBUTE_S);
	MUST(lawful_dpl(&segment) >= 1);
	MUST(segments_is_code(&segment) || !(segment.attributes & VCPU_ATTRIBUTE_DOWN));
	MUST(segment.base < CUT && segment.limit < CUT - segment.base);
}

static void check_real_tables(struct vcpu *vcpu)
{
	struct descriptor twin;

	shadow_tables_admit(vcpu);
	for (uint32_t i = 0; i < tables.count; i++) {
		uint16_t selector = tables.entries[i].selector;
		check_given(&(selector & 4 ? ldt : gdt)[selector / 8]);
	}
	for (unsigned int i = 0; i < VCPU_SEGMENTS; i++)
		if (compression_make_twin(&vcpu->segments[i], CUT, &twin))
			check_given(&twin);
}

static void write_table(struct vcpu *vcpu, struct fuzz_input *input)
{
	uint32_t at = AT_GDT + fuzz_take16(input) % (4 * PLACES);
	uint64_t value = fuzz_take(input, 8);

	linear_write(vcpu, gva(at & ~7u), &value, 8, LINEAR_AS_SUPERVISOR);
}

/* A descriptor that makes some sense: any access byte, flat or ending somewhere. */
static void write_descriptor(struct vcpu *vcpu, struct fuzz_input *input)
{
	uint8_t index = fuzz_take8(input), access = fuzz_take8(input), kind = fuzz_take8(input);
	uint32_t base = kind & 1 ? fuzz_take32(input) : 0;
	uint32_t limit = kind & 2 ? fuzz_take32(input) & 0xFFFFF : FLAT;
	uint64_t value = (limit & 0xFFFF) | (uint64_t)(base & 0xFFFFFF) << 16 |
	                 (uint64_t)access << 40 | (uint64_t)(limit >> 16) << 48 |
	                 (uint64_t)(kind >> 4) << 52 | (uint64_t)(base >> 24) << 56;

	linear_write(vcpu, gva((kind & 4 ? AT_LDT : AT_GDT) + index * 8u), &value, 8,
	             LINEAR_AS_SUPERVISOR);
}

static void put_frame(struct vcpu *vcpu, struct fuzz_input *input)
{
	uint32_t words = fuzz_take8(input) % 12;

	for (uint32_t i = 0; i < words; i++)
		small_put32(&machine, STACKS + 0x800 + 4 * i, (uint32_t)fuzz_take(input, 3));
	if (vcpu->segments[VCPU_SS].base == 0)
		vcpu->registers[VCPU_ESP] = STACKS + 0x800;
}

static void ask(struct vcpu *vcpu, uint16_t selector)
{
	uint32_t value;
	bool good;

	segments_query_rights(vcpu, selector, &good, &value);
	segments_query_limit(vcpu, selector, &good, &value);
	segments_query_access(vcpu, selector, selector & 8, &good);
}

static void raise(struct vcpu *vcpu, uint8_t how, uint8_t vector)
{
	if (how & 0x10)
		events_raise_software(vcpu, vector);
	else if (how & 0x20)
		fault_raise_with_error(vcpu, (enum fault_vector)(vector % 20), vector & ~7u);
	else
		fault_raise(vcpu, (enum fault_vector)(vector % 20));
}

static void load(struct vcpu *vcpu, struct fuzz_input *input, uint8_t how)
{
	uint16_t selector = fuzz_take16(input);

	if (how >> 4 < VCPU_SEGMENTS && how >> 4 != VCPU_CS)
		segments_load(vcpu, (enum vcpu_segment)(how >> 4), selector);
	else if (how >> 4 == 8 && vcpu->cpl == 0)
		segments_load_ldt(vcpu, selector);
	else if (how >> 4 == 9 && vcpu->cpl == 0)
		segments_load_task(vcpu, selector);
	else
		ask(vcpu, selector);
}

static void transfer(struct vcpu *vcpu, struct fuzz_input *input, uint8_t how)
{
	unsigned int size = how & 0x80 ? 2 : 4;

	switch (how >> 4 & 3) {
	case 0:
		transfer_far_jump(vcpu, fuzz_take16(input), fuzz_take16(input), size);
		break;
	case 1:
		transfer_far_call(vcpu, fuzz_take16(input), fuzz_take16(input), size);
		break;
	case 2:
		transfer_far_return(vcpu, size, fuzz_take8(input));
		break;
	default:
		transfer_interrupt_return(vcpu, size);
	}
}

static void step(struct vcpu *vcpu, struct fuzz_input *input)
{
	uint8_t how = fuzz_take8(input);

	switch (how & 7) {
	case 0:
		write_table(vcpu, input);
		break;
	case 1:
		write_descriptor(vcpu, input);
		break;
	case 2:
		put_frame(vcpu, input);
		break;
	case 3:
		raise(vcpu, how, fuzz_take8(input));
		break;
	case 4:
	case 5:
		load(vcpu, input, how);
		break;
	default:
		transfer(vcpu, input, how);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input input = {data, size};
	struct vcpu *vcpu = &machine.vm.vcpu;

	set_up();
	for (unsigned int i = 0; i < STEPS && input.left; i++) {
		vcpu->instruction_eip = vcpu->eip;
		step(vcpu, &input);
		if (vcpu->event.pending)
			events_deliver(vcpu);
		if (machine.vm.ended)
			return 0;
		vcpu->chain_length = 0;
		lawful_processor(vcpu);
		check_real_tables(vcpu);
	}
	return 0;
}
