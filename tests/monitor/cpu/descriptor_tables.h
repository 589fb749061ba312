/* A machine with the descriptor tables that the processor is given for a guest's. */
#ifndef TESTS_MONITOR_CPU_DESCRIPTOR_TABLES_H
#define TESTS_MONITOR_CPU_DESCRIPTOR_TABLES_H

#include "tests/monitor/cpu/rings.h"

#include "monitor/cpu/shadow_tables.h"
#include "monitor/memory/linear.h"
#include "monitor/memory/watch.h"

#define CUT     0xFFC00000u
#define INDICES 8192

static struct small_machine machine;
static struct shadow_tables tables;
static struct descriptor tables_gdt[INDICES], tables_ldt[INDICES];
static uint8_t tables_watchers[256];

static inline struct vcpu *with_tables(struct vcpu *vcpu)
{
	memset(tables_gdt, 0, sizeof(tables_gdt));
	memset(tables_ldt, 0, sizeof(tables_ldt));
	memset(tables_watchers, 0, sizeof(tables_watchers));
	tables = (struct shadow_tables){
	        .gdt = tables_gdt, .ldt = tables_ldt, .last_index = 8139, .cut = CUT};
	CHECK(watch_storage_size(vcpu->vm->ram_size) <= sizeof(tables_watchers));
	vcpu->vm->watchers = tables_watchers;
	shadow_tables_start(vcpu->vm, &tables);
	/* A machine starts with flat segments that no descriptor has made. */
	CHECK(segments_load(vcpu, VCPU_DS, vcpu->cpl ? USER_DATA | 3 : KERNEL_DATA));
	for (unsigned int i = 0; i < VCPU_SEGMENTS; i++)
		if (i != VCPU_CS && i != VCPU_SS && i != VCPU_DS)
			CHECK(segments_load(vcpu, (enum vcpu_segment)i, 0));
	return vcpu;
}

#endif
