/* The world switch: from the host world to the guest world and back.
 *
 * The host world is the host kernel's address space, where all of C runs. The guest world is a
 * guest's linear address space under shadow page tables. world_enter() goes over and comes back
 * when anything brings the processor into ring 0; the trap frame in the area says what. Both
 * directions change CR3, so no translation outlives a crossing. It must not know what a trap means.
 */
#ifndef MONITOR_RUN_WORLD_H
#define MONITOR_RUN_WORLD_H

#include "kernel/descriptors.h"
#include "kernel/traps.h"
#include "monitor/run/slot.h"

/* Stands in the frame before each entry: no trap has this number. */
#define WORLD_NO_VECTOR 0x5AFEu
/* And this there afterwards: a trap out of virtual-8086 mode. */
#define WORLD_FROM_V86 0x8086u

/* One page: the registers to start with, and the stack that a trap out of the guest lands on. The
 * frame ends where that stack begins, so a trap overwrites it with what the guest has by then. */
struct world_area {
	uint32_t host_stack, host_cr3, guest_cr3;
	uint16_t local_table; /* what LDTR is loaded with */
	struct table_pointer host_gdt, host_idt, guest_gdt, guest_idt;
	uint32_t nmis; /* that came in the middle of the switch */
	uint8_t room[PAGE_SIZE - 4 * 4 - 2 - 4 * sizeof(struct table_pointer) -
	             sizeof(struct trap_frame)];
	struct trap_frame frame;
} __attribute__((packed, aligned(4)));
_Static_assert(sizeof(struct world_area) == PAGE_SIZE, "the area fills its page");
_Static_assert(offsetof(struct world_area, frame) % 4 == 0, "the processor pushes aligned");

/* Fills in what never changes. */
void world_start(struct slot *slot);

/* What it means that no trap brought it back. */
bool world_judge(uint32_t vector);

/* With interrupts off. Returns with them off, too. False when the guest has got into virtual-8086
 * mode behind our back, which silicon does not let ring 1 do and TCG does: nothing can be said then
 * of its state. */
static inline bool world_enter(const struct slot *slot)
{
	void (*cross)(struct world_area *) = (void (*)(struct world_area *))slot->cross;
	struct world_area *area = slot->area;

	area->frame.vector = WORLD_NO_VECTOR;
	cross((struct world_area *)(slot->base + SLOT_AREA));
	return area->frame.vector < TRAP_VECTORS || world_judge(area->frame.vector);
}

/* For slot.c: the stub of vector 0; the others follow at this distance. */
extern const char world_stubs[];
#define WORLD_STUB_SIZE 16u

#endif
