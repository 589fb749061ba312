#include "tests/monitor/memory/small_machine.h"

#include "monitor/memory/guest_memory.h"
#include "monitor/memory/page_walk.h"
#include "monitor/memory/watch.h"

static struct small_machine machine;
static uint8_t watchers[SMALL_RAM / GUEST_PAGE_SIZE];

struct told {
	unsigned int times;
	uint64_t at;
	uint32_t size;
	uint8_t first; /* as it was in memory then */
};

static struct told tables, descriptors, code;

static void note(struct told *told, const struct vm *vm, gpa_t at, uint32_t size)
{
	*told = (struct told){told->times + 1, at.value, size, vm->ram[at.value]};
}

static void tables_written(struct vm *vm, gpa_t at, uint32_t size)
{
	note(&tables, vm, at, size);
}

static void descriptors_written(struct vm *vm, gpa_t at, uint32_t size)
{
	note(&descriptors, vm, at, size);
}

static void code_written(struct vm *vm, gpa_t at, uint32_t size)
{
	note(&code, vm, at, size);
}

static struct vcpu *start(void)
{
	struct vcpu *vcpu = small_start(&machine);

	memset(watchers, 0, sizeof(watchers));
	tables = descriptors = code = (struct told){0};
	machine.vm.watchers = watchers;
	watch_register(&machine.vm, WATCH_PAGE_TABLE, tables_written);
	watch_register(&machine.vm, WATCH_DESCRIPTORS, descriptors_written);
	watch_register(&machine.vm, WATCH_CODE, code_written);
	return vcpu;
}

static void put(uint32_t at, uint8_t byte)
{
	guest_memory_write(&machine.vm, gpa(at), &byte, 1);
}

static bool put_linear(struct vcpu *vcpu, uint32_t at, uint32_t value)
{
	return linear_write(vcpu, gva(at), &value, 4, LINEAR_AS_CPL);
}

TEST(only_who_watches_is_told)
{
	start();
	put(0x3000, 1);
	watch_start(&machine.vm, gpa(0x3000), WATCH_CODE);
	put(0x2FFF, 2);
	put(0x4000, 3);
	CHECK_EQ(code.times, 0);
	put(0x3FFF, 4);
	CHECK_EQ(code.times, 1);
	CHECK_EQ(code.at, 0x3FFF);
	CHECK_EQ(code.size, 1);
	CHECK_EQ(tables.times + descriptors.times, 0);
}

TEST(several_may_watch_one_page)
{
	start();
	watch_start(&machine.vm, gpa(0x3000), WATCH_CODE);
	watch_start(&machine.vm, gpa(0x3000), WATCH_DESCRIPTORS);
	watch_start(&machine.vm, gpa(0x3000), WATCH_DESCRIPTORS);
	put(0x3000, 1);
	watch_stop(&machine.vm, gpa(0x3000), WATCH_CODE);
	CHECK(watch_is_watched(&machine.vm, gpa(0x3FFF)));
	put(0x3000, 2);
	watch_stop(&machine.vm, gpa(0x3000), WATCH_DESCRIPTORS);
	put(0x3000, 3);
	CHECK(!watch_is_watched(&machine.vm, gpa(0x3000)));
	CHECK_EQ(code.times, 1);
	CHECK_EQ(descriptors.times, 2);
}

TEST(told_after_the_bytes_are_there_and_page_by_page)
{
	uint8_t bytes[3 * GUEST_PAGE_SIZE];

	start();
	memset(bytes, 0x77, sizeof(bytes));
	watch_start(&machine.vm, gpa(0x4000), WATCH_CODE);
	watch_start(&machine.vm, gpa(0x5000), WATCH_DESCRIPTORS);
	guest_memory_write(&machine.vm, gpa(0x3FF0), bytes, 0x1020);
	CHECK_EQ(code.times, 1);
	CHECK_EQ(code.at, 0x4000);
	CHECK_EQ(code.size, 0x1000);
	CHECK_EQ(code.first, 0x77);
	CHECK_EQ(descriptors.at, 0x5000);
	CHECK_EQ(descriptors.size, 0x10);
}

TEST(outside_ram_nothing_is_watched)
{
	uint32_t value = 0;

	start();
	watch_start(&machine.vm, gpa(SMALL_RAM - GUEST_PAGE_SIZE), WATCH_CODE);
	guest_memory_write(&machine.vm, gpa(SMALL_RAM), &value, 4);
	CHECK_EQ(code.times, 0);
	guest_memory_write(&machine.vm, gpa(SMALL_RAM - 2), &value, 4);
	CHECK_EQ(code.size, 2);
	CHECK(!watch_is_watched(&machine.vm, gpa(SMALL_RAM)));
	CHECK(!watch_is_watched(&machine.vm, gpa(1ull << 35)));
}

TEST(without_room_for_watchers_nothing_is_watched)
{
	start();
	machine.vm.watchers = NULL;
	CHECK(!watch_is_watched(&machine.vm, gpa(0x3000)));
	put(0x3000, 1);
}

/* The page is in the interpreter's buffer, writable, before it is watched. */
TEST(the_interpreters_writes_are_seen)
{
	struct vcpu *vcpu = start();

	CHECK(put_linear(vcpu, 0x3000, 1));
	watch_start(&machine.vm, gpa(0x3000), WATCH_CODE);
	for (uint32_t i = 1; i < 4; i++) {
		CHECK(put_linear(vcpu, 0x3004, i));
		CHECK_EQ(code.times, i);
		CHECK_EQ(code.first, i);
	}
	CHECK(put_linear(vcpu, 0x3FFE, 0));
	CHECK_EQ(code.at, 0x3FFE);
	CHECK_EQ(code.size, 2);
	CHECK(!linear_find(vcpu, gva(0x3000), LINEAR_WRITE));
	CHECK(linear_find(vcpu, gva(0x3000), LINEAR_READ));
	watch_stop(&machine.vm, gpa(0x3000), WATCH_CODE);
	CHECK(put_linear(vcpu, 0x3000, 1));
	CHECK(linear_find(vcpu, gva(0x3000), LINEAR_WRITE));
	CHECK_EQ(code.times, 4);
}

/* Another linear address of the same page. */
TEST(every_alias_in_the_buffer_is_forgotten)
{
	struct vcpu *vcpu = start();

	small_put32(&machine, 0x1000, 0x2000 | BITS_ALL);
	small_put32(&machine, 0x2000 + 4 * 7, 0x9000 | BITS_ALL);
	small_put32(&machine, 0x2000 + 4 * 8, 0x9000 | BITS_ALL);
	vcpu->cr3 = 0x1000;
	vcpu->cr0 |= VCPU_CR0_PG;
	vcpu->cpl = 3;
	CHECK(put_linear(vcpu, 0x7000, 1));
	CHECK(put_linear(vcpu, 0x8000, 1));
	watch_start(&machine.vm, gpa(0x9000), WATCH_DESCRIPTORS);
	CHECK(put_linear(vcpu, 0x7000, 1));
	CHECK(put_linear(vcpu, 0x8004, 1));
	CHECK_EQ(descriptors.times, 2);
	CHECK_EQ(descriptors.at, 0x9004);
}

TEST(accessed_and_dirty_bits_are_told_to_all_but_the_shadow)
{
	struct vcpu *vcpu = start();
	struct page_walk found;
	uint32_t error;

	small_put32(&machine, 0x1000, 0x2000 | BITS_ALL);
	small_put32(&machine, 0x2000 + 4 * 7, 0x9000 | BITS_ALL);
	vcpu->cr3 = 0x1000;
	vcpu->cr0 |= VCPU_CR0_PG;
	watch_start(&machine.vm, gpa(0x2000), WATCH_PAGE_TABLE);
	watch_start(&machine.vm, gpa(0x2000), WATCH_CODE);
	CHECK(page_walk(vcpu, gva(0x7000), PAGE_WALK_WRITE, &found, &error));
	CHECK_EQ(tables.times, 0);
	CHECK_EQ(code.times, 1);
	CHECK_EQ(code.at, 0x2000 + 4 * 7);
	CHECK_EQ(small_get32(&machine, 0x2000 + 4 * 7), 0x9000 | BITS_ALL | BIT_A | BIT_D);
}

UNIT_MAIN
