/* A virtual machine of one megabyte for the tests of memory, and hands to build page tables with.
 *
 * It must not know how a walk works: entries are written as the test says, byte for byte. */
#ifndef TESTS_MONITOR_MEMORY_SMALL_MACHINE_H
#define TESTS_MONITOR_MEMORY_SMALL_MACHINE_H

#include "tests/unit.h"

#include "monitor/cpu/control.h"
#include "monitor/memory/linear.h"
#include "monitor/state/fault.h"
#include "monitor/state/vm.h"

#define SMALL_RAM 0x100000u

/* Bits of the entries, as the manual numbers them. */
#define BIT_P    0x001u
#define BIT_RW   0x002u
#define BIT_US   0x004u
#define BIT_A    0x020u
#define BIT_D    0x040u
#define BIT_PS   0x080u
#define BIT_G    0x100u
#define BIT_XD   (1ull << 63)
#define BITS_ALL (BIT_P | BIT_RW | BIT_US)

struct small_machine {
	struct vm vm;
	uint8_t ram[SMALL_RAM];
};

static inline struct vcpu *small_start(struct small_machine *machine)
{
	memset(machine, 0, sizeof(*machine));
	machine->vm.ram = machine->ram;
	machine->vm.ram_size = SMALL_RAM;
	machine->vm.vcpu.vm = &machine->vm;
	control_reset(&machine->vm.vcpu);
	return &machine->vm.vcpu;
}

static inline void small_put32(struct small_machine *machine, uint32_t at, uint32_t value)
{
	memcpy(machine->ram + at, &value, 4);
}

static inline void small_put64(struct small_machine *machine, uint32_t at, uint64_t value)
{
	memcpy(machine->ram + at, &value, 8);
}

static inline uint32_t small_get32(const struct small_machine *machine, uint32_t at)
{
	uint32_t value;

	memcpy(&value, machine->ram + at, 4);
	return value;
}

static inline uint64_t small_get64(const struct small_machine *machine, uint32_t at)
{
	uint64_t value;

	memcpy(&value, machine->ram + at, 8);
	return value;
}

/* Whether exactly this fault is on its way; it is taken away. */
static inline bool small_took(struct vcpu *vcpu, enum fault_vector vector, uint32_t error)
{
	struct vcpu_event event = vcpu->event;

	memset(&vcpu->event, 0, sizeof(vcpu->event));
	return event.pending && event.is_fault && event.vector == vector && event.has_error &&
	       event.error == error;
}

#endif
